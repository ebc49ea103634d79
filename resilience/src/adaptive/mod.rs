//! A limit on calls in flight that finds itself: as many as the server answers without a queue.
//!
//! - `algorithm`: how the limit follows from response times. `control`: windows of calls, and the probes against drift.
//! - `shares`: partitions with guaranteed shares.
//! - The gate is a [`Bulkhead`]: its line, its priorities, its permits; the limit is applied by its `resize`.
//!
//! A call costs what its bulkhead's permit does, two clock reads, and at its end one pass through a lock; with partitions, two
//! passes more.

mod algorithm;
mod builder;
mod control;
mod permit;
mod shares;

use std::{
    error::Error,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

pub use self::{
    algorithm::{Aimd, Gradient2, LimitAlgorithm, Vegas, Window},
    builder::{Builder, InvalidAdaptive},
    permit::AdaptivePermit,
};

use self::{control::Control, shares::Shares};
use crate::{Bulkhead, BulkheadFull, Clock, TokioClock};

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
    shares: Option<Mutex<Shares>>,
    limit: AtomicU32,
    in_flight: AtomicU32,
    /// Calls of a priority below the first are shed from the second, a percentage of the limit, on.
    shed: Vec<(u8, u32)>,
    clock: C,
    origin: C::Instant,
}

/// The call was not let in; nothing was begun.
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
        let in_flight = self.in_flight.fetch_add(1, Relaxed) + 1;
        Ok(AdaptivePermit::new(self, place, partition, in_flight))
    }

    fn check_shed(&self, priority: u8) -> Result<(), LimitReached> {
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
        self.in_flight.load(Relaxed)
    }

    /// Calls of the partition `name` in flight, if there is such a partition.
    pub fn in_flight_for(&self, name: &str) -> Option<u32> {
        self.shares.as_ref().and_then(|shares| lock(shares).in_flight(name))
    }

    /// The gate: its line and its counts.
    pub fn bulkhead(&self) -> &Bulkhead<C> {
        &self.gate
    }

    fn ended(&self, call: control::Ended) {
        let mut control = lock(&self.control);
        if let Some(limit) = control.ended(call)
            && limit != self.limit.swap(limit, Relaxed)
        {
            // Under the lock of `control`, so that limits are applied in the order in which they were found.
            let resized = self.gate.resize(limit);
            debug_assert!(resized.is_ok(), "the range begins at one");
        }
    }

    fn now(&self) -> Duration {
        let now = self.clock.now();
        if now > self.origin { now - self.origin } else { Duration::ZERO }
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
