//! A limit on calls in flight that finds itself: as many as the server answers without a queue.
//!
//! - `algorithm`: how the limit follows from response times. `control`: windows of calls, and the probes against drift. `sums`: what a
//!   window adds up to, and what a thread adds up alone.
//! - `shares`: partitions with guaranteed shares.
//! - The gate is a [`Bulkhead`]: its line, its priorities, its permits; the limit is applied by its `resize`.
//!
//! A call costs two clock reads and two atomic read-modify-writes, on the word of the gate, which also says how many are in
//! flight. At its end it is added up: under a lock, or, where windows hold thousands of calls, with plain stores in a lane of
//! its thread's own (see `lanes`) until the window is over. With partitions, two passes through another lock.
//!
//! Rejected: a count of calls in flight beside the gate (two more atomic operations); permits that threads keep, as in a
//! bulkhead (the word would not tell what is in flight); the mean number in flight by Little's law, which needs no count (a
//! limit that is used up by bursts looks half empty).

mod algorithm;
mod builder;
mod control;
mod permit;
mod shares;
mod sums;

use std::{
    error::Error,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

pub use self::{
    algorithm::{Aimd, Gradient2, LimitAlgorithm, Vegas, Window},
    builder::{Builder, InvalidAdaptive},
    permit::AdaptivePermit,
};

use self::{
    control::{Control, nanos},
    shares::Shares,
    sums::{Ended, LaneSums},
};
use crate::{Bulkhead, BulkheadFull, Clock, TokioClock, lanes::Lanes};

/// Lets as many calls run at once as what they call can take.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_resilience::{AdaptiveLimit, Gradient2};
///
/// let limit = AdaptiveLimit::builder(Gradient2::default()).initial(20).range(4, 200).build()?;
/// let permit = limit.acquire().await?;
/// // ... the call ...
/// permit.success();
/// assert_eq!(limit.limit(), 20);
/// # Ok(()) }
/// ```
pub struct AdaptiveLimit<C: Clock = TokioClock> {
    gate: Bulkhead<C>,
    control: Mutex<Control>,
    /// Goes with the lock of `control`.
    lanes: Lanes<LaneSums>,
    /// Until when calls are added up in the lanes.
    lanes_until: AtomicU64,
    shares: Option<Mutex<Shares>>,
    limit: AtomicU32,
    /// Calls of a priority below the first are shed from the second, a percentage of the limit, on.
    shed: Vec<(u8, u32)>,
    clock: C,
    origin: C::Instant,
}

/// The call was not let in; nothing was begun.
///
/// # Examples
/// ```
/// use tidemill_resilience::{AdaptiveLimit, Aimd, BulkheadFull, LimitReached};
///
/// let limit = AdaptiveLimit::builder(Aimd::default()).initial(2).shed_below(10, 50).build()?;
/// let _one = limit.try_acquire()?;
/// match limit.try_acquire_at(9) {
///     Err(LimitReached::Shed { priority }) => assert_eq!(priority, 9), // the other half is for what matters more
///     other => panic!("{other:?}"),
/// }
/// let _two = limit.try_acquire_at(10)?;
/// assert_eq!(limit.try_acquire().unwrap_err(), LimitReached::Full(BulkheadFull::Busy));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LimitReached {
    /// The limit is in use, or the line refused.
    Full(BulkheadFull),
    /// What is left is for calls of a higher priority.
    Shed {
        /// That of the call.
        priority: u8,
    },
    /// What is left is guaranteed to other partitions.
    Share,
}

impl From<BulkheadFull> for LimitReached {
    fn from(full: BulkheadFull) -> Self {
        Self::Full(full)
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(full) => full.fmt(f),
            Self::Shed { priority } => write!(f, "a call of priority {priority} was shed"),
            Self::Share => f.write_str("what is left of the limit is guaranteed to others"),
        }
    }
}

impl Error for LimitReached {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if let Self::Full(full) = self { Some(full) } else { None }
    }
}

impl AdaptiveLimit {
    /// Options for a new limit that follows `algorithm`.
    pub fn builder(algorithm: impl LimitAlgorithm + 'static) -> Builder {
        Builder::new(Box::new(algorithm))
    }
}

impl<C: Clock> AdaptiveLimit<C> {
    /// A permit now, or none.
    ///
    /// # Errors
    /// [`LimitReached`].
    pub fn try_acquire(&self) -> Result<AdaptivePermit<'_, C>, LimitReached> {
        self.try_acquire_at(u8::MAX)
    }

    /// A permit for a call of `priority` now, or none: see [`shed_below`](Builder::shed_below).
    ///
    /// # Errors
    /// [`LimitReached`].
    pub fn try_acquire_at(&self, priority: u8) -> Result<AdaptivePermit<'_, C>, LimitReached> {
        self.check_shed(priority)?;
        let place = self.gate.try_acquire()?;
        self.enter(place, None)
    }

    /// A permit for a call of the partition `name` now, or none. A name that was not given to the builder has no share.
    ///
    /// # Errors
    /// [`LimitReached`].
    pub fn try_acquire_for(&self, name: &str) -> Result<AdaptivePermit<'_, C>, LimitReached> {
        let place = self.gate.try_acquire()?;
        self.enter(place, self.shares.as_ref().and_then(|shares| lock(shares).find(name)))
    }

    /// A permit, waiting in line for it; the wait ends with the ambient [`Context`](tidemill_context::Context). *Cancel safe*.
    ///
    /// # Errors
    /// [`LimitReached`], from the line; or if partitions are guaranteed what has become free.
    pub async fn acquire(&self) -> Result<AdaptivePermit<'_, C>, LimitReached> {
        self.acquire_at(u8::MAX).await
    }

    /// A permit for a call of `priority`, waiting in line before all lower ones. *Cancel safe*.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_at(&self, priority: u8) -> Result<AdaptivePermit<'_, C>, LimitReached> {
        self.check_shed(priority)?;
        let place = self.gate.acquire_at(1, priority).await?;
        self.enter(place, None)
    }

    fn enter<'a>(
        &'a self,
        place: crate::BulkheadPermit<'a, C>,
        partition: Option<usize>,
    ) -> Result<AdaptivePermit<'a, C>, LimitReached> {
        if let Some(shares) = &self.shares
            && !lock(shares).enter(partition, self.limit())
        {
            return Err(LimitReached::Share);
        }
        Ok(AdaptivePermit::new(self, place, partition, self.in_flight()))
    }

    fn check_shed(&self, priority: u8) -> Result<(), LimitReached> {
        if self.shed.is_empty() {
            return Ok(());
        }
        let (limit, in_flight) = (u64::from(self.limit()), u64::from(self.in_flight()));
        let sheds = |&(below, percent): &(u8, u32)| priority < below && in_flight * 100 >= limit * u64::from(percent);
        if self.shed.iter().any(sheds) { Err(LimitReached::Shed { priority }) } else { Ok(()) }
    }

    /// The limit in force.
    pub fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    /// Calls in flight. Above the limit for a while after that shrank.
    pub fn in_flight(&self) -> u32 {
        self.gate.in_use()
    }

    /// Calls of the partition `name` in flight, if there is such a partition.
    pub fn in_flight_for(&self, name: &str) -> Option<u32> {
        self.shares.as_ref().and_then(|shares| lock(shares).in_flight(name))
    }

    /// The gate: its line and its counts.
    pub fn bulkhead(&self) -> &Bulkhead<C> {
        &self.gate
    }

    fn ended(&self, call: Ended) {
        // Relaxed: who reads an old time adds to the window after, or looks again under the lock.
        let is_due = call.now >= self.lanes_until.load(Relaxed);
        let add = |sums: &LaneSums| {
            sums.add(call);
            Some(())
        };
        if is_due || self.lanes.own(add).is_none() {
            self.ended_locked(call, is_due);
        }
    }

    fn ended_locked(&self, call: Ended, is_due: bool) {
        let mut control = lock(&self.control);
        if is_due {
            self.lanes.close(|sums| control.merge(&sums.take()));
        }
        if let Some(limit) = control.ended(call)
            && limit != self.limit.swap(limit, Relaxed)
        {
            // Under the lock of `control`, so that limits are applied in the order in which they were found.
            let resized = self.gate.resize(limit);
            debug_assert!(resized.is_ok(), "the range begins at one");
        }
        if is_due && let Some(until) = control.lanes_until().filter(|until| call.now < *until) {
            self.lanes_until.store(until, Relaxed);
            self.lanes.open();
        }
    }

    /// Nanoseconds since this limit was made.
    fn now(&self) -> u64 {
        let now = self.clock.now();
        if now > self.origin { nanos(now - self.origin) } else { 0 }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<C: Clock> fmt::Debug for AdaptiveLimit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveLimit")
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("control", &*lock(&self.control))
            .finish_non_exhaustive()
    }
}
