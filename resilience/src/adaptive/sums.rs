//! What a window of calls adds up to: for who holds the lock, and for a thread of its own.

use std::time::Duration;

use super::algorithm::Window;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// A call that has ended. Times are nanoseconds on the limit's own axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) began: u64,
    pub(super) now: u64,
    pub(super) in_flight: u32,
    pub(super) dropped: bool,
}

/// What a window has gathered so far. Times are nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    answered: u64,
    total: u64,
    shortest: Option<u64>,
    pub(super) dropped: u64,
    dropped_total: u64,
    pub(super) in_flight: u64,
}

impl Sums {
    pub(super) fn calls(&self) -> u64 {
        self.answered + self.dropped
    }

    pub(super) fn add(&mut self, call: Ended) {
        let took = call.now.saturating_sub(call.began);
        let in_flight = call.in_flight.into();
        self.merge(&if call.dropped {
            Self { dropped: 1, dropped_total: took, in_flight, ..Self::default() }
        } else {
            Self { answered: 1, total: took, shortest: Some(took), in_flight, ..Self::default() }
        });
    }

    /// As if the calls of `other` had been added here.
    pub(super) fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.total = self.total.saturating_add(other.total);
        self.shortest = self.shortest.into_iter().chain(other.shortest).min();
        self.dropped += other.dropped;
        self.dropped_total = self.dropped_total.saturating_add(other.dropped_total);
        self.in_flight = self.in_flight.max(other.in_flight);
    }

    pub(super) fn window(&self, probe: bool) -> Window {
        let (total, calls) =
            if self.answered > 0 { (self.total, self.answered) } else { (self.dropped_total, self.dropped) };
        let mean = total / calls.max(1);
        let shortest = self.shortest.unwrap_or(mean);
        Window {
            mean: Duration::from_nanos(mean),
            shortest: Duration::from_nanos(shortest),
            in_flight: u32::try_from(self.in_flight).unwrap_or(u32::MAX),
            dropped: self.dropped > 0,
            probe,
        }
    }
}

/// [`Sums`] in a lane: one thread at a time reads and writes it, with plain loads and stores (see `lanes`), so all is `Relaxed`.
#[derive(Debug, Default)]
pub(super) struct LaneSums {
    answered: AtomicU64,
    total: AtomicU64,
    shortest: AtomicU64,
    dropped: AtomicU64,
    dropped_total: AtomicU64,
    in_flight: AtomicU64,
}

impl LaneSums {
    /// As [`Sums::add`]. Nothing in it can panic.
    #[inline]
    pub(super) fn add(&self, call: Ended) {
        let took = call.now.saturating_sub(call.began);
        let (calls, total) =
            if call.dropped { (&self.dropped, &self.dropped_total) } else { (&self.answered, &self.total) };
        let before = calls.load(Relaxed);
        if !call.dropped && (before == 0 || took < self.shortest.load(Relaxed)) {
            self.shortest.store(took, Relaxed);
        }
        calls.store(before.wrapping_add(1), Relaxed);
        total.store(total.load(Relaxed).saturating_add(took), Relaxed);
        if u64::from(call.in_flight) > self.in_flight.load(Relaxed) {
            self.in_flight.store(call.in_flight.into(), Relaxed);
        }
    }

    /// What is in here, which is nothing afterwards.
    pub(super) fn take(&self) -> Sums {
        let take = |count: &AtomicU64| {
            let value = count.load(Relaxed);
            count.store(0, Relaxed);
            value
        };
        let (answered, shortest) = (take(&self.answered), take(&self.shortest));
        Sums {
            answered,
            total: take(&self.total),
            shortest: (answered > 0).then_some(shortest),
            dropped: take(&self.dropped),
            dropped_total: take(&self.dropped_total),
            in_flight: take(&self.in_flight),
        }
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn call() -> impl Strategy<Value = Ended> {
        (0..1000u64, 0..1000u64, 0..50u32, prop::bool::weighted(0.2))
            .prop_map(|(began, now, in_flight, dropped)| Ended { began, now, in_flight, dropped })
    }

    proptest! {
        /// It does not matter in whose lane a call was counted.
        #[test]
        fn lanes_add_up_to_what_one_would_have_seen(calls in prop::collection::vec((call(), 0..3usize), 0..100)) {
            let mut alone = Sums::default();
            let mut together = Sums::default();
            let lanes: [LaneSums; 3] = Default::default();
            for (number, &(call, lane)) in calls.iter().enumerate() {
                alone.add(call);
                lanes[lane].add(call);
                if number % 10 == 0 {
                    lanes.iter().for_each(|lane| together.merge(&lane.take()));
                }
            }
            lanes.iter().for_each(|lane| together.merge(&lane.take()));
            prop_assert_eq!(format!("{alone:?}"), format!("{together:?}"));
        }
    }
}
