//! Channels between tasks, and between threads.
//!
//! The tasks of all async channels run on tidemill with two permits, so that only the channel differs. The project hands its own work
//! over by flume, which therefore stands in the first line.

use std::{io, pin::pin, thread};

use benches::{
    Bench, Case, Executor, Lap, Spawner, Tidemill,
    board::{Row, Run},
};

pub(crate) const ROW: Row = Row {
    section: 7,
    name: "channels",
    measures: "messages of 8 bytes through a channel of 128 places: tasks on tidemill with P = 2, and threads; flume is in the first line",
    leaves_out: "selecting, closing, unbounded and rendezvous channels; what a message would be worth",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const PLACES: usize = 128;

const PROCS: usize = 2;

/// What the workload needs from a channel between tasks.
trait Channel: 'static {
    type Sender: Clone + Send + Sync + 'static;
    type Receiver: Send + 'static;
    fn bounded() -> (Self::Sender, Self::Receiver);
    fn send(to: &Self::Sender, message: u64) -> impl Future<Output = ()> + Send;
    /// `None` once all senders are gone.
    fn receive(from: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
}

fn benches() -> Vec<Bench> {
    let tasks = |senders| Bench::counted(format!("tasks, {senders} to 1"), 200_000, async_cases(senders));
    let threads = Bench::counted("threads, 1 to 1", 200_000, thread_cases());
    vec![tasks(1), tasks(4), threads]
}

fn async_cases(senders: u64) -> Vec<Case> {
    vec![
        case::<Flume>("flume", senders),
        case::<Tokio>("tokio mpsc", senders),
        case::<AsyncChannel>("async-channel", senders),
        case::<Kanal>("kanal", senders),
        floor(),
    ]
}

fn case<C: Channel>(name: &'static str, senders: u64) -> Case {
    Case::fallible(name, move || -> io::Result<_> {
        let executor = Tidemill::start(PROCS)?;
        Ok(move |ops| Lap::of(|| executor.run(|spawner| through::<C, _>(spawner, senders, ops))))
    })
}

async fn through<C: Channel, S: Spawner>(spawner: S, senders: u64, ops: u64) -> u64 {
    let (sender, mut receiver) = C::bounded();
    for i in 0..senders {
        let (sender, part) = (sender.clone(), ops * (i + 1) / senders - ops * i / senders);
        spawner.detach(async move {
            for _ in 0..part {
                C::send(&sender, 1).await;
            }
        });
    }
    drop(sender);
    let mut sum = 0;
    while let Some(message) = C::receive(&mut receiver).await {
        sum += message;
    }
    sum
}

fn floor() -> Case {
    Case::floor("floor: a queue of one thread", || {
        let mut queue = std::collections::VecDeque::with_capacity(PLACES);
        move |ops| {
            Lap::of(|| {
                let pass = |_| {
                    queue.push_back(std::hint::black_box(1));
                    std::hint::black_box(queue.pop_front()).unwrap_or(0)
                };
                (0..ops).map(pass).sum()
            })
        }
    })
}

struct Flume;

impl Channel for Flume {
    type Sender = flume::Sender<u64>;
    type Receiver = flume::Receiver<u64>;

    fn bounded() -> (Self::Sender, Self::Receiver) {
        flume::bounded(PLACES)
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

    fn bounded() -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(PLACES)
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send(message).await.expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        from.recv().await
    }
}

struct AsyncChannel;

impl Channel for AsyncChannel {
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn bounded() -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(PLACES)
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

    fn bounded() -> (Self::Sender, Self::Receiver) {
        kanal::bounded_async(PLACES)
    }

    async fn send(to: &Self::Sender, message: u64) {
        to.send(message).await.expect("it is received until the senders are gone");
    }

    async fn receive(from: &mut Self::Receiver) -> Option<u64> {
        from.recv().await.ok()
    }
}

fn thread_cases() -> Vec<Case> {
    vec![
        blocking("flume", || flume::bounded(PLACES), |to, one| to.send(one).is_ok(), |from| from.recv().ok()),
        blocking(
            "crossbeam-channel",
            || crossbeam_channel::bounded(PLACES),
            |to, one| to.send(one).is_ok(),
            |from| from.recv().ok(),
        ),
        blocking("kanal", || kanal::bounded(PLACES), |to, one| to.send(one).is_ok(), |from| from.recv().ok()),
        blocking(
            "std mpsc",
            || std::sync::mpsc::sync_channel(PLACES),
            |to, one| to.send(one).is_ok(),
            |from| from.recv().ok(),
        ),
        floor(),
    ]
}

/// A thread that sends to this one.
fn blocking<T: Send + 'static, R: 'static>(
    name: &'static str,
    bounded: impl Fn() -> (T, R) + 'static,
    send: impl Fn(&T, u64) -> bool + Copy + Send + 'static,
    receive: impl Fn(&R) -> Option<u64> + Copy + 'static,
) -> Case {
    Case::new(name, move || {
        let (sender, receiver) = bounded();
        let (go, told) = std::sync::mpsc::channel::<u64>();
        thread::spawn(move || {
            for ops in told {
                let sent = (0..ops).filter(|_| send(&sender, 1)).count();
                assert_eq!(sent as u64, ops, "it is received until the sender is gone");
            }
        });
        move |ops| {
            Lap::of(|| {
                go.send(ops).expect("the thread lives as long as this");
                (0..ops).map(|_| receive(&receiver).unwrap_or(0)).sum()
            })
        }
    })
}
