//! A call in flight, and how it ended.

use std::{fmt, sync::atomic::Ordering::Relaxed, time::Duration};

use super::{AdaptiveLimit, control::Ended, lock};
use crate::{BulkheadPermit, Clock, TokioClock};

/// A call in flight. Tell it how the call ended; dropped, whether by cancellation or by a panic, it says nothing about
/// the response time, and its place is free.
#[must_use = "a permit that is dropped at once guards nothing"]
pub struct AdaptivePermit<'a, C: Clock = TokioClock> {
    limit: &'a AdaptiveLimit<C>,
    place: Option<BulkheadPermit<'a, C>>,
    partition: Option<usize>,
    began: Duration,
    in_flight: u32,
}

impl<'a, C: Clock> AdaptivePermit<'a, C> {
    pub(super) fn new(
        limit: &'a AdaptiveLimit<C>,
        place: BulkheadPermit<'a, C>,
        partition: Option<usize>,
        in_flight: u32,
    ) -> Self {
        Self { limit, place: Some(place), partition, began: limit.now(), in_flight }
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
        self.limit.in_flight.fetch_sub(1, Relaxed);
        if let Some(shares) = &self.limit.shares {
            lock(shares).leave(self.partition);
        }
        // Last: whoever takes the place finds all of the above done.
        drop(self.place.take());
    }
}

impl<C: Clock> fmt::Debug for AdaptivePermit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptivePermit").field("began", &self.began).finish_non_exhaustive()
    }
}
