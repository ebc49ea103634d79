//! What a pool counts, under the lock that each operation takes anyway: a count costs an addition.

use std::{fmt, time::Duration};

/// Why a resource was closed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{CloseReason, Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).build()?;
/// pool.get().await?.mark_broken(); // the lease ends here, and the resource with it
/// drop(pool.get().await?);
/// pool.evict();
///
/// let closed = pool.stats().closed;
/// assert_eq!((closed.by(CloseReason::Broken), closed.by(CloseReason::Evicted)), (1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It was idle for the idle time-out, and there were more than `min_idle`.
    Idle,
    /// It reached the end of its life.
    MaxLife,
    /// Its user, or the manager, said that it is broken; or its user panicked.
    Broken,
    /// It failed its validation, or that took too long.
    Invalid,
    /// Its validation was cut short by a caller that gave up.
    Abandoned,
    /// The pool shrank.
    Surplus,
    /// All of its time were evicted.
    Evicted,
    /// The pool was closed.
    PoolClosed,
    /// A caller of another key needed its place under their common bound.
    MadeRoom,
}

impl CloseReason {
    const ALL: [Self; 9] = [
        Self::Idle,
        Self::MaxLife,
        Self::Broken,
        Self::Invalid,
        Self::Abandoned,
        Self::Surplus,
        Self::Evicted,
        Self::PoolClosed,
        Self::MadeRoom,
    ];
}

/// Closed resources, by reason.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{CloseReason, Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).build()?;
/// pool.get().await?.mark_broken();
///
/// let closed = pool.stats().closed;
/// let seen: Vec<_> = closed.iter().filter(|(_, count)| *count > 0).collect(); // for a log
/// assert_eq!(seen, [(CloseReason::Broken, 1)]);
/// assert_eq!(closed.total(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedCounts([u64; CloseReason::ALL.len()]);

impl ClosedCounts {
    /// How many were closed for that reason.
    pub fn by(&self, reason: CloseReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many were closed in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        CloseReason::ALL.into_iter().zip(self.0)
    }

    pub(super) fn count(&mut self, reason: CloseReason) {
        self.0[reason as usize] += 1;
    }
}

/// A moment in the life of a [`ResourcePool`](crate::ResourcePool). `idle + in_use + checking + closing + creating` never
/// exceeds the pool's maximum, but while a pool that was made smaller waits for returns.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).max(4).build()?;
/// let number = pool.get().await?;
///
/// let stats = pool.stats();
/// println!("{} of {} in use, {} callers wait", stats.in_use, pool.max(), stats.waiting);
/// assert_eq!((stats.in_use, stats.idle, stats.created, stats.checkouts), (1, 0, 1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceStats {
    /// Ready to be taken.
    pub idle: usize,
    /// With users, or handed to a waiter that has not looked yet.
    pub in_use: usize,
    /// Being validated for keep-alive.
    pub checking: usize,
    /// Being closed.
    pub closing: usize,
    /// Being made, or waiting to be tried again.
    pub creating: usize,
    /// Callers that wait for a resource.
    pub waiting: usize,
    /// The most that were in use at the same time.
    pub most_in_use: usize,
    /// Resources made since the pool was built.
    pub created: u64,
    /// Attempts to make one that failed.
    pub create_failures: u64,
    /// Resources closed, by reason.
    pub closed: ClosedCounts,
    /// Resources taken out for good.
    pub detached: u64,
    /// Resources handed to callers, those included that then failed their validation.
    pub checkouts: u64,
    /// Callers that waited in vain until their time was up.
    pub timeouts: u64,
    /// Callers that were refused because too many were waiting.
    pub refused: u64,
    /// Holders reported as suspected leaks.
    pub suspected: u64,
    /// Suspected leaks that came back after all.
    pub returned_late: u64,
    /// How long those who got a resource stood in line for it; who did not have to is not in here.
    pub waits: WaitTimes,
}

/// The counts that only grow; the core keeps them. Those of each get come first: see `Core`.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Counts {
    pub(super) checkouts: u64,
    pub(super) most_in_use: usize,
    pub(super) returned_late: u64,
    pub(super) created: u64,
    pub(super) create_failures: u64,
    pub(super) closed: ClosedCounts,
    pub(super) detached: u64,
    pub(super) timeouts: u64,
    pub(super) refused: u64,
    pub(super) suspected: u64,
    pub(super) waits: WaitTimes,
}

/// From a microsecond to more than an hour in doubling steps.
const BUCKETS: usize = 34;

/// A histogram of times, in buckets that double: bucket `n` counts times below `2^n` microseconds.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).build()?;
/// drop(pool.get().await?); // waits until the first resource is made
/// drop(pool.get().await?); // takes that one at once
///
/// let waits = pool.stats().waits;
/// assert_eq!(waits.count(), 1);
/// println!("99 of 100 that waited had one within {:?}", waits.quantile(0.99));
/// assert!(waits.quantile(0.99).is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WaitTimes([u64; BUCKETS]);

impl Default for WaitTimes {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl WaitTimes {
    /// How many times are in it.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// A time that the share `quantile` (0 to 1) of all stayed below, at most twice too long; `None` if it is empty.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let rank = (quantile.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.iter().find_map(|(bound, count)| {
            seen += count;
            (seen >= rank).then_some(bound)
        })
    }

    /// Each bucket's upper bound, and how many times are in it.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.0.into_iter().enumerate().map(|(exponent, count)| (Duration::from_micros(1 << exponent), count))
    }

    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.0[bucket.min(BUCKETS - 1)] += 1;
    }
}

impl fmt::Debug for WaitTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().filter(|(_, count)| *count > 0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_times_are_bounded_from_above() {
        let mut waits = WaitTimes::default();
        assert_eq!(waits.quantile(0.5), None);
        for (time, bound) in [(0, 1), (1, 2), (3, 4), (1_000, 1_024), (5_000_000, 8_388_608)] {
            let mut one = WaitTimes::default();
            one.record(Duration::from_micros(time));
            assert_eq!(one.quantile(0.5), Some(Duration::from_micros(bound)), "{time} us");
            waits.record(Duration::from_micros(time));
        }
        assert_eq!(waits.count(), 5);
        assert_eq!(waits.quantile(0.0), Some(Duration::from_micros(1)));
        assert_eq!(waits.quantile(0.6), Some(Duration::from_micros(4)));
        waits.record(Duration::MAX);
        assert_eq!(waits.quantile(1.0), Some(Duration::from_micros(1 << 33)));
    }
}
