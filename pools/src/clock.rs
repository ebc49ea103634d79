//! Time as a parameter of a pool: one object that both tells the time and sleeps, because the two must agree.
//!
//! Instants are durations since a moment of the clock's choice, so that a hand-moved clock is a few lines and the pools
//! can keep them as one word. Dynamic, because a pool asks the clock only where a time-out or a sample is at stake.

use std::{fmt::Debug, future::Future, pin::Pin, time::Duration};

/// A sleep of a [`PoolClock`]. Dropping it must be harmless.
pub type PoolSleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time and the sleep that goes with it, for the time-outs of a pool.
///
/// The default is tokio's monotonic clock, which follows the paused time of a tokio test. A test on another runtime
/// gives its own:
///
/// ```
/// use std::time::Duration;
/// use tidemill_pools::{PoolClock, PoolSleep, WorkerPool};
///
/// /// Stands still.
/// #[derive(Debug)]
/// struct Noon;
/// impl PoolClock for Noon {
///     fn now(&self) -> Duration { Duration::from_secs(12 * 3600) }
///     fn sleep_until(&self, _: Duration) -> PoolSleep { Box::pin(std::future::pending()) }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let pool = WorkerPool::builder().clock(Noon).build(|n: u32| async move { n }).unwrap();
/// # assert_eq!(pool.submit(1).await.unwrap().await.unwrap(), 1);
/// # }
/// ```
pub trait PoolClock: Debug + Send + Sync + 'static {
    /// The present, counted from a fixed moment. It should not run backwards.
    fn now(&self) -> Duration;

    /// Ready once [`now`](Self::now) has reached `at`.
    fn sleep_until(&self, at: Duration) -> PoolSleep;
}

/// tokio's clock and timer, counted from the creation of the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokioClock {
    epoch: tokio::time::Instant,
}

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self { epoch: tokio::time::Instant::now() }
    }
}

impl PoolClock for TokioClock {
    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn sleep_until(&self, at: Duration) -> PoolSleep {
        // A moment too far to be written as an instant never comes.
        match self.epoch.checked_add(at) {
            Some(at) => Box::pin(tokio::time::sleep_until(at)),
            None => Box::pin(std::future::pending()),
        }
    }
}
