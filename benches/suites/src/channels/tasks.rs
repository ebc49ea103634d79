//! Channels between tasks.

use std::{io, pin::pin};

use benches::{Bench, Case, Executor, Lap, Spawner, Tidemill};

use super::{FEW_MESSAGES, MESSAGES, PLACES, RENDEZVOUS, Room, UNBOUNDED, floor, part};

const PROCS: usize = 2;

/// What the workload needs from a channel between tasks.
trait Channel: 'static {
    type Sender: Clone + Send + Sync + 'static;
    type Receiver: Send + 'static;
    fn of(room: Room) -> (Self::Sender, Self::Receiver);
    fn send(to: &Self::Sender, message: u64) -> impl Future<Output = ()> + Send;
    /// `None` once all senders are gone.
    fn receive(from: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
}

pub(super) fn benches() -> Vec<Bench> {
    let bounded = |senders| {
        let cases = vec![
            to_one::<Flume>("flume", PLACES, senders),
            to_one::<Tokio>("tokio mpsc", PLACES, senders),
            to_one::<AsyncChannel>("async-channel", PLACES, senders),
            to_one::<Kanal>("kanal", PLACES, senders),
            floor(),
        ];
        Bench::counted(format!("tasks, {senders} to 1"), MESSAGES, cases)
    };
    let two_to_two = vec![
        two_to_two::<Flume>("flume"),
        two_to_two::<AsyncChannel>("async-channel"),
        two_to_two::<Kanal>("kanal"),
        floor(),
    ];
    let unbounded = vec![
        to_one::<Flume>("flume", UNBOUNDED, 1),
        to_one::<TokioUnbounded>("tokio mpsc", UNBOUNDED, 1),
        to_one::<AsyncChannel>("async-channel", UNBOUNDED, 1),
        to_one::<Kanal>("kanal", UNBOUNDED, 1),
        floor(),
    ];
    let rendezvous = vec![to_one::<Flume>("flume", RENDEZVOUS, 1), to_one::<Kanal>("kanal", RENDEZVOUS, 1), floor()];
    vec![
        bounded(1),
        bounded(4),
        Bench::counted("tasks, 2 to 2", MESSAGES, two_to_two),
        Bench::counted("tasks, 1 to 1, unbounded", MESSAGES, unbounded),
        Bench::counted("tasks, 1 to 1, rendezvous", FEW_MESSAGES, rendezvous),
    ]
}

fn to_one<C: Channel>(name: &'static str, room: Room, senders: u64) -> Case {
    on_tidemill(name, move |spawner, ops| async move {
        let (sender, mut receiver) = C::of(room);
        send_all::<C, _>(spawner, &sender, senders, ops);
        drop(sender);
        received::<C>(&mut receiver).await
    })
}

fn two_to_two<C: Channel<Receiver: Clone>>(name: &'static str) -> Case {
    on_tidemill(name, |spawner, ops| async move {
        let (sender, mut receiver) = C::of(PLACES);
        send_all::<C, _>(spawner, &sender, 2, ops);
        drop(sender);
        let mut second = receiver.clone();
        let other = spawner.spawn(async move { received::<C>(&mut second).await });
        received::<C>(&mut receiver).await + other.await
    })
}

/// So many messages wait before the first one is received.
pub(crate) fn queue(length: u64) -> Bench {
    let cases = vec![
        filled::<Flume>("flume", length),
        filled::<Tokio>("tokio mpsc", length),
        filled::<AsyncChannel>("async-channel", length),
        filled::<Kanal>("kanal", length),
    ];
    Bench { grain: length, ..Bench::counted(format!("a queue of {length} messages"), 100_000.max(length), cases) }
}

fn filled<C: Channel>(name: &'static str, length: u64) -> Case {
    on_tidemill(name, move |_, ops| async move {
        let (sender, mut receiver) = C::of(Some(length as usize));
        let mut sum = 0;
        for _ in 0..ops / length {
            for _ in 0..length {
                C::send(&sender, 1).await;
            }
            for _ in 0..length {
                sum += C::receive(&mut receiver).await.unwrap_or(0);
            }
        }
        sum
    })
}

fn on_tidemill<F>(name: &'static str, main: impl Fn(<Tidemill as Executor>::Spawner, u64) -> F + Copy + 'static) -> Case
where
    F: Future<Output = u64> + Send + 'static,
{
    Case::fallible(name, move || -> io::Result<_> {
        let executor = Tidemill::start(PROCS)?;
        Ok(move |ops| Lap::of(|| executor.run(|spawner| main(spawner, ops))))
    })
}

fn send_all<C: Channel, S: Spawner>(spawner: S, sender: &C::Sender, senders: u64, ops: u64) {
    for i in 0..senders {
        let (sender, part) = (sender.clone(), part(ops, senders, i));
        spawner.detach(async move {
            for _ in 0..part {
                C::send(&sender, 1).await;
            }
        });
    }
}

async fn received<C: Channel>(receiver: &mut C::Receiver) -> u64 {
    let mut sum = 0;
    while let Some(message) = C::receive(receiver).await {
        sum += message;
    }
    sum
}

struct Flume;

impl Channel for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        room.map_or_else(flume::unbounded, flume::bounded)
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send_async(message).await.expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        from.recv_async().await.ok()
    }
}

struct Tokio;

impl Channel for Tokio {
    type Sender = tokio::sync::mpsc::Sender<u64>;
    type Receiver = tokio::sync::mpsc::Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(room.expect("the unbounded one is another type"))
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send(message).await.expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        from.recv().await
    }
}

struct TokioUnbounded;

impl Channel for TokioUnbounded {
    type Sender = tokio::sync::mpsc::UnboundedSender<u64>;
    type Receiver = tokio::sync::mpsc::UnboundedReceiver<u64>;

    fn of(_: Room) -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::unbounded_channel()
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send(message).expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        from.recv().await
    }
}

struct AsyncChannel;

impl Channel for AsyncChannel {
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        room.map_or_else(async_channel::unbounded, async_channel::bounded)
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send(message).await.expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        pin!(from.recv()).await.ok()
    }
}

struct Kanal;

impl Channel for Kanal {
    type Sender = kanal::AsyncSender<u64>;
    type Receiver = kanal::AsyncReceiver<u64>;

    fn of(room: Room) -> (Self::Sender, Self::Receiver) {
        room.map_or_else(kanal::unbounded_async, kanal::bounded_async)
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send(message).await.expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        from.recv().await.ok()
    }
}
