//! Channels between threads that wait in the kernel.

use std::{
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use benches::{Bench, Case, Lap};

use super::{FEW_MESSAGES, MESSAGES, PLACES, RENDEZVOUS, Room, UNBOUNDED, floor, part};

/// What the workload needs from a channel between threads.
trait Channel: 'static {
    type Sender: Clone + Send + 'static;
    type Receiver: Send + 'static;
    fn of(room: Room) -> (Self::Sender, Self::Receiver);
    /// Whether there is still a receiver.
    fn send(to: &Self::Sender, message: u64) -> bool;
    fn receive(from: &Self::Receiver) -> u64;
}

pub(super) fn benches() -> Vec<Bench> {
    let shared = |room| {
        vec![
            one_to_one::<Flume>("flume", room),
            one_to_one::<Crossbeam>("crossbeam-channel", room),
            one_to_one::<Kanal>("kanal", room),
        ]
    };
    let with = |cases: Vec<Case>, last: Case| cases.into_iter().chain([last, floor()]).collect();
    let two_to_two = vec![
        two_to_two::<Flume>("flume"),
        two_to_two::<Crossbeam>("crossbeam-channel"),
        two_to_two::<Kanal>("kanal"),
        floor(),
    ];
    let std = |room| one_to_one::<Std>("std mpsc", room);
    let unbounded_std = one_to_one::<StdUnbounded>("std mpsc", UNBOUNDED);
    vec![
        Bench::counted("threads, 1 to 1", MESSAGES, with(shared(PLACES), std(PLACES))),
        Bench::counted("threads, 2 to 2", MESSAGES, two_to_two),
        Bench::counted("threads, 1 to 1, unbounded", MESSAGES, with(shared(UNBOUNDED), unbounded_std)),
        Bench::counted("threads, 1 to 1, rendezvous", FEW_MESSAGES, with(shared(RENDEZVOUS), std(RENDEZVOUS))),
    ]
}

/// A thread that sends to this one.
fn one_to_one<C: Channel>(name: &'static str, room: Room) -> Case {
    Case::new(name, move || {
        let (sender, receiver) = C::of(room);
        let go = sends::<C>(sender);
        move |ops| {
            Lap::of(|| {
                go.send(ops).expect("the thread lives as long as this");
                (0..ops).map(|_| C::receive(&receiver)).sum()
            })
        }
    })
}

/// Two threads that send, one that receives, and this one, which receives too.
fn two_to_two<C: Channel<Receiver: Clone>>(name: &'static str) -> Case {
    Case::new(name, move || {
        let (sender, receiver) = C::of(PLACES);
        let senders = [sends::<C>(sender.clone()), sends::<C>(sender)];
        let (go, sum) = receives::<C>(receiver.clone());
        move |ops| {
            Lap::of(|| {
                let others = part(ops, 2, 0);
                go.send(others).expect("the thread lives as long as this");
                for (i, sender) in (0..).zip(&senders) {
                    sender.send(part(ops, 2, i)).expect("the thread lives as long as this");
                }
                let own: u64 = (others..ops).map(|_| C::receive(&receiver)).sum();
                own + sum.recv().expect("the thread lives as long as this")
            })
        }
    })
}

/// A thread that sends as many messages as it is told.
fn sends<C: Channel>(to: C::Sender) -> Sender<u64> {
    let (go, told) = channel();
    thread::spawn(move || {
        for ops in told {
            let sent = (0..ops).filter(|_| C::send(&to, 1)).count();
            assert_eq!(sent as u64, ops, "it is received until the sender is gone");
        }
    });
    go
}

/// A thread that receives as many messages as it is told, and says what they come to.
fn receives<C: Channel>(from: C::Receiver) -> (Sender<u64>, Receiver<u64>) {
    let (go, told) = channel();
    let (done, sums) = channel();
    thread::spawn(move || {
        for ops in told {
            // Nobody to tell only means that the program ends.
            _ = done.send((0..ops).map(|_| C::receive(&from)).sum());
        }
    });
    (go, sums)
}

struct Flume;

impl Channel for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        room.map_or_else(flume::unbounded, flume::bounded)
    }

    fn send(to: &Self::Sender, message: u64) -> bool {
        to.send(message).is_ok()
    }

    fn receive(from: &Self::Receiver) -> u64 {
        from.recv().unwrap_or(0)
    }
}

struct Crossbeam;

impl Channel for Crossbeam {
    type Sender = crossbeam_channel::Sender<u64>;
    type Receiver = crossbeam_channel::Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        room.map_or_else(crossbeam_channel::unbounded, crossbeam_channel::bounded)
    }

    fn send(to: &Self::Sender, message: u64) -> bool {
        to.send(message).is_ok()
    }

    fn receive(from: &Self::Receiver) -> u64 {
        from.recv().unwrap_or(0)
    }
}

struct Kanal;

impl Channel for Kanal {
    type Sender = kanal::Sender<u64>;
    type Receiver = kanal::Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        room.map_or_else(kanal::unbounded, kanal::bounded)
    }

    fn send(to: &Self::Sender, message: u64) -> bool {
        to.send(message).is_ok()
    }

    fn receive(from: &Self::Receiver) -> u64 {
        from.recv().unwrap_or(0)
    }
}

struct Std;

impl Channel for Std {
    type Sender = SyncSender<u64>;
    type Receiver = Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        sync_channel(room.expect("the unbounded one is another type"))
    }

    fn send(to: &Self::Sender, message: u64) -> bool {
        to.send(message).is_ok()
    }

    fn receive(from: &Self::Receiver) -> u64 {
        from.recv().unwrap_or(0)
    }
}

struct StdUnbounded;

impl Channel for StdUnbounded {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    fn of(_: Room) -> (Self::Sender, Self::Receiver) {
        channel()
    }

    fn send(to: &Self::Sender, message: u64) -> bool {
        to.send(message).is_ok()
    }

    fn receive(from: &Self::Receiver) -> u64 {
        from.recv().unwrap_or(0)
    }
}
