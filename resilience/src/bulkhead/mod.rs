//! A bulkhead: so many calls at once, the others in line, first come, first served.
//!
//! A weighted semaphore (`semaphore`, where the protocol is told and proved; `kept`, what threads keep for themselves) with
//! what a caller needs around it: permits that give themselves back (`permit`), a line with priorities, bounded in length and
//! in time (`acquire`), a limit that can be changed under load, an end, and counts.
//!
//! | call | atomic read-modify-writes | locks | clock reads | allocations |
//! |---|---|---|---|---|
//! | permit free: take, give back | 0, 0 once 4096 were taken and none was missing since; until then 1, 1 | 0 | 0 | 0 |
//! | refused at once | 1 (the count of refusals) | 0 | 0 | 0 |
//! | refused, or made to wait, first time since | a heavy fence (2-30 us) and 1 per thread besides | 1 | 0 | 0 |
//! | waiting | 1 or 2 per pass | 2, and 1 per poll | 2 with `max_wait`, else 0 | a place in a map |
//! | give back to one who waits | 2 | 1 | 0 | a list of wakers |

mod acquire;
mod builder;
mod error;
mod kept;
#[cfg(all(test, tidemill_loom))]
mod models;
mod permit;
mod semaphore;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use self::{
    builder::Builder,
    error::{BulkheadFull, InvalidBulkhead},
    permit::{BulkheadPermit, OwnedBulkheadPermit},
};

use self::semaphore::Semaphore;
use crate::{Clock, TokioClock};

/// Lets so many calls run at once.
///
/// Share it by reference or in an `Arc`. Nobody overtakes: while anyone waits, [`try_acquire`](Self::try_acquire) is refused, and
/// a call that asks for many permits is served as soon as they have gathered.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_resilience::{Bulkhead, BulkheadFull};
///
/// let bulkhead = Bulkhead::builder(2).max_waiters(100).build()?;
/// let one = bulkhead.acquire().await?;
/// let two = bulkhead.try_acquire()?;
/// assert_eq!(bulkhead.try_acquire().unwrap_err(), BulkheadFull::Busy);
/// drop(one);
/// assert!(bulkhead.try_acquire().is_ok());
/// # drop(two);
/// # Ok(()) }
/// ```
pub struct Bulkhead<C: Clock = TokioClock> {
    semaphore: Semaphore,
    max_waiters: usize,
    max_wait: Option<Duration>,
    clock: C,
    counters: Counters,
}

/// What became of calls that were not let in at once.
#[derive(Debug, Default)]
struct Counters {
    waited: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
    cancelled: AtomicU64,
}

/// What a bulkhead holds, and what it did.
///
/// # Examples
/// ```
/// use tidemill_resilience::Bulkhead;
///
/// let bulkhead = Bulkhead::builder(1).build()?;
/// let _permit = bulkhead.try_acquire()?;
/// assert!(bulkhead.try_acquire().is_err());
/// let stats = bulkhead.stats();
/// assert_eq!((stats.in_use, stats.limit, stats.refused), (1, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BulkheadStats {
    /// Permits there are.
    pub limit: u32,
    /// Permits that are out; above the limit for a while after it was lowered.
    pub in_use: u32,
    /// Calls that wait now.
    pub waiting: usize,
    /// Calls that waited, so far.
    pub waited: u64,
    /// Calls that were refused at once, so far.
    pub refused: u64,
    /// Calls that waited as long as they may, so far.
    pub timed_out: u64,
    /// Calls that were dropped while they waited, so far.
    pub cancelled: u64,
}

impl Bulkhead {
    /// Options for a new bulkhead of `limit` permits.
    pub fn builder(limit: u32) -> Builder {
        Builder::new(limit)
    }
}

impl<C: Clock> Bulkhead<C> {
    fn new(semaphore: Semaphore, max_waiters: usize, max_wait: Option<Duration>, clock: C) -> Self {
        Self { semaphore, max_waiters, max_wait, clock, counters: Counters::default() }
    }

    /// A permit now, or none. Never waits and never overtakes those who do.
    ///
    /// # Errors
    /// [`BulkheadFull::Busy`].
    #[inline]
    pub fn try_acquire(&self) -> Result<BulkheadPermit<'_, C>, BulkheadFull> {
        self.try_acquire_many(1)
    }

    /// `permits` at once now, or none.
    ///
    /// # Errors
    /// [`BulkheadFull::Busy`], also if it asks for more than the limit or all is closed: it takes no lock to find out.
    #[inline]
    pub fn try_acquire_many(&self, permits: u32) -> Result<BulkheadPermit<'_, C>, BulkheadFull> {
        self.try_take(permits)?;
        Ok(BulkheadPermit::new(self, permits))
    }

    /// A permit that borrows nothing, now, or none.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedBulkheadPermit<C>, BulkheadFull> {
        self.try_take(1)?;
        Ok(OwnedBulkheadPermit::new(Arc::clone(self), 1))
    }

    #[inline]
    fn try_take(&self, permits: u32) -> Result<(), BulkheadFull> {
        if self.semaphore.try_take(permits.into()) {
            return Ok(());
        }
        // Relaxed, as all counters: they tell nothing but themselves.
        self.counters.refused.fetch_add(1, Relaxed);
        Err(BulkheadFull::Busy)
    }

    /// Changes the limit. Those in line are served at once if they fit now, and sent away if they never will; permits that are
    /// out beyond a lower limit stay out, and those that come back first are not given out again.
    ///
    /// # Errors
    /// [`InvalidBulkhead::NoLimit`] if it is zero; nothing is changed.
    pub fn resize(&self, limit: u32) -> Result<(), InvalidBulkhead> {
        if limit == 0 {
            return Err(InvalidBulkhead::NoLimit);
        }
        self.semaphore.resize(limit.into());
        Ok(())
    }

    /// Lets nobody in any more, and sends away those who wait. Permits that are out stay good.
    pub fn close(&self) {
        self.semaphore.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.semaphore.is_closed()
    }

    /// About how many permits are out, if no thread keeps any: two loads.
    pub(crate) fn in_use(&self) -> u32 {
        narrow(self.semaphore.in_use())
    }

    /// Whether nothing is out and nobody waits. Takes the lock; threads keep nothing afterwards, so that the next look is cheap.
    pub(crate) fn is_idle(&self) -> bool {
        self.semaphore.is_idle()
    }

    /// What it holds and what it did. Takes the lock, and brings back what threads keep: microseconds.
    pub fn stats(&self) -> BulkheadStats {
        let [limit, in_use, waiting] = self.semaphore.counts();
        let Counters { waited, refused, timed_out, cancelled } = &self.counters;
        BulkheadStats {
            limit: narrow(limit),
            in_use: narrow(in_use),
            waiting: usize::try_from(waiting).unwrap_or(usize::MAX),
            waited: waited.load(Relaxed),
            refused: refused.load(Relaxed),
            timed_out: timed_out.load(Relaxed),
            cancelled: cancelled.load(Relaxed),
        }
    }
}

/// Limits and weights come in as 32 bits, and sums of what is out stay below.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<C: Clock> fmt::Debug for Bulkhead<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}
