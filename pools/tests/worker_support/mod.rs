//! What the tests of the worker pool share: both runtimes, a gate for jobs, a clock that is moved by hand.
#![allow(clippy::unwrap_used, dead_code, unused_macros, unused_imports, unreachable_pub)]

use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tidemill_pools::{Clock, Spawner, WorkerBuilder, WorkerPool};
use tokio::sync::{Notify, Semaphore};

/// Runs the body on both runtimes, with two threads each.
pub fn on_both<F: Future<Output = ()> + Send + 'static>(body: impl Fn(Spawner) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let on = Spawner::from(tokio.handle().clone());
    tokio.block_on(tokio.spawn(body(on))).unwrap();
    let tidemill = tidemill_scheduler::Runtime::builder().procs(tidemill_scheduler::Procs::Fixed(2)).build().unwrap();
    let on = Spawner::from(tidemill.handle());
    tidemill.block_on(tidemill.spawn(body(on))).unwrap();
}

/// One test per body, named after it.
macro_rules! on_both_runtimes {
    ($(async fn $name:ident($on:ident) $body:block)*) => {$(
        #[test]
        fn $name() {
            worker_support::on_both(|$on: tidemill_pools::Spawner| async move $body);
        }
    )*};
}
pub(crate) use on_both_runtimes;

/// A pool whose jobs each wait for a permit of the gate before they return their number.
pub fn gated(builder: WorkerBuilder<u32, u32>) -> (Arc<Semaphore>, WorkerPool<u32, u32>) {
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let handler = move |number| {
        let gate = Arc::clone(&inside);
        async move {
            gate.acquire().await.unwrap().forget();
            number
        }
    };
    (gate, builder.build(handler).unwrap())
}

/// Lets others run until the pool is as described.
pub async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::task::yield_now().await;
    }
}

/// Polls once, as a task that is woken by nobody.
pub fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Starts a task on the given runtime; tells when it has ended.
pub fn spawn(on: &Spawner, task: impl Future<Output = ()> + Send + 'static) -> Arc<Notify> {
    let ended = Arc::new(Notify::new());
    let tell = Arc::clone(&ended);
    let task = async move {
        task.await;
        tell.notify_one();
    };
    match on {
        Spawner::Tidemill(on) => drop(on.spawn(task)),
        Spawner::Tokio(on) => drop(on.spawn(task)),
        _ => unreachable!("there are two runtimes"),
    }
    ended
}

/// A clock that stands still until it is moved. Clones share one time.
#[derive(Clone, Debug, Default)]
pub struct HandClock(Arc<Mutex<Face>>);

#[derive(Debug, Default)]
struct Face {
    now: Duration,
    reads: u64,
    sleepers: Vec<(Duration, Waker)>,
}

impl HandClock {
    pub fn advance(&self, step: Duration) {
        let due: Vec<Waker> = {
            let mut face = self.0.lock().unwrap();
            face.now += step;
            let now = face.now;
            face.sleepers.extract_if(.., |(at, _)| *at <= now).map(|(_, waker)| waker).collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// How often it was read.
    pub fn reads(&self) -> u64 {
        self.0.lock().unwrap().reads
    }

    /// How many sleeps are under way (or were, and were dropped).
    pub fn sleepers(&self) -> usize {
        self.0.lock().unwrap().sleepers.len()
    }
}

impl Clock for HandClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut face = self.0.lock().unwrap();
        face.reads += 1;
        face.now
    }

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> {
        let clock = self.clone();
        poll_fn(move |cx| {
            let mut face = clock.0.lock().unwrap();
            if face.now >= at {
                return Poll::Ready(());
            }
            face.sleepers.retain(|(_, waker)| !waker.will_wake(cx.waker()));
            face.sleepers.push((at, cx.waker().clone()));
            Poll::Pending
        })
    }
}

pub const SECOND: Duration = Duration::from_secs(1);
