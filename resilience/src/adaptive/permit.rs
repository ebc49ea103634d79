//! A call in flight, and how it ended.

use std::{fmt, time::Duration};

use super::{AdaptiveLimit, lock, sums::Ended};
use crate::{BulkheadPermit, Clock, TokioClock};

/// A call in flight. Tell it how the call ended; dropped, whether by cancellation or by a panic, it says nothing about
/// the response time, and its place is free.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{AdaptiveLimit, Aimd};
///
/// let limit = AdaptiveLimit::builder(Aimd::default()).initial(20).window(1, Duration::ZERO).build()?;
/// drop(limit.try_acquire()?); // the caller went away: that says nothing
/// assert_eq!((limit.limit(), limit.in_flight()), (20, 0));
/// limit.try_acquire()?.dropped(); // the server was overloaded
/// assert_eq!(limit.limit(), 18);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped at once guards nothing"]
pub struct AdaptivePermit<'a, C: Clock = TokioClock> {
    limit: &'a AdaptiveLimit<C>,
    /// Given back after `drop`: whoever takes it finds all of that done.
    _place: BulkheadPermit<'a, C>,
    partition: Option<usize>,
    /// Nanoseconds on the limit's own axis.
    began: u64,
    in_flight: u32,
}

impl<'a, C: Clock> AdaptivePermit<'a, C> {
    pub(super) fn new(
        limit: &'a AdaptiveLimit<C>,
        place: BulkheadPermit<'a, C>,
        partition: Option<usize>,
        in_flight: u32,
    ) -> Self {
        Self { limit, _place: place, partition, began: limit.now(), in_flight }
    }

    /// The call was answered, well or not: its response time counts.
    pub fn success(self) {
        self.end(false);
    }

    /// The call was refused for overload, or timed out: the limit is too high.
    pub fn dropped(self) {
        self.end(true);
    }

    fn end(self, dropped: bool) {
        let ended = Ended { began: self.began, now: self.limit.now(), in_flight: self.in_flight, dropped };
        self.limit.ended(ended);
    }
}

impl<C: Clock> Drop for AdaptivePermit<'_, C> {
    fn drop(&mut self) {
        if let Some(shares) = &self.limit.shares {
            lock(shares).leave(self.partition);
        }
    }
}

impl<C: Clock> fmt::Debug for AdaptivePermit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptivePermit").field("began", &Duration::from_nanos(self.began)).finish_non_exhaustive()
    }
}
