//! What the last calls, or the last seconds, were like: a ring of buckets with counts, no record per call.
//!
//! A window of calls has buckets of a fixed number of calls, one of time has buckets of a fixed time; when a bucket is
//! full or over, the oldest one is forgotten, so the window slides in steps of a bucket (a 32nd of its length). Up to
//! 32 calls it is exactly the last calls. Good calls arrive in batches: before a bad call in a window of calls, and spread
//! evenly over the time since the last look in a window of time.
//!
//! Rejected: totals that only a change of state clears (tower-resilience: after a million good calls a million bad ones are
//! needed); a record per call (memory and a scan, 16 bytes and 1 ns for each call in the window); a ring that must
//! fill up before it says anything (recloser).

use std::time::Duration;

/// Buckets of a window, unless it has fewer calls.
const BUCKETS: u64 = 32;

/// What a breaker looks back on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Span {
    Calls(u32),
    Time(Duration),
}

/// Calls of a bucket or a window.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
    }

    fn take(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

#[derive(Debug)]
pub(crate) struct Window {
    buckets: Box<[Counts]>,
    newest: usize,
    total: Counts,
    /// Calls, or nanoseconds, of one bucket.
    step: u64,
    by_time: bool,
    /// Window of time: which bucket the newest is, counted from zero on the breaker's axis, and the time of the last look.
    number: u64,
    looked: u64,
    /// Failures with nothing else between, as far as looked.
    failed_in_a_row: u64,
}

impl Window {
    pub(crate) fn new(span: Span) -> Self {
        let (length, by_time) = match span {
            Span::Calls(calls) => (u64::from(calls), false),
            Span::Time(time) => (u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), true),
        };
        let buckets = length.clamp(1, BUCKETS);
        let step = length.div_ceil(buckets).max(1);
        Self {
            buckets: vec![Counts::default(); length.div_ceil(step).max(1) as usize].into(),
            newest: 0,
            total: Counts::default(),
            step,
            by_time,
            number: 0,
            looked: 0,
            failed_in_a_row: 0,
        }
    }

    /// Forgets everything; the present is `nanos`.
    pub(crate) fn clear(&mut self, nanos: u64) {
        self.buckets.fill(Counts::default());
        self.total = Counts::default();
        (self.number, self.looked) = (nanos / self.step, nanos);
        self.failed_in_a_row = 0;
    }

    pub(crate) fn total(&self) -> Counts {
        self.total
    }

    pub(super) fn failed_in_a_row(&self) -> u64 {
        self.failed_in_a_row
    }

    /// `good` calls ended since the last look, then those of `bad` (all of which failed or were slow), by `nanos`.
    pub(crate) fn record(&mut self, good: u64, bad: Counts, nanos: u64) {
        if good > 0 || bad.calls > bad.failed {
            self.failed_in_a_row = 0;
        }
        self.failed_in_a_row += bad.failed;
        if self.by_time {
            // A clock that steps back is held where it was.
            let now = nanos.max(self.looked);
            self.spread(good, now);
            self.move_to(now / self.step);
            self.put(bad);
            self.looked = now;
        } else {
            self.push(good, bad);
        }
    }

    /// By calls: good ones first, each batch cut at the ends of buckets.
    fn push(&mut self, good: u64, bad: Counts) {
        // More than the window holds leaves nothing else in it.
        let mut left = good.min(self.step * self.buckets.len() as u64);
        while left > 0 {
            let fits = left.min(self.room());
            self.put(Counts { calls: fits, ..Counts::default() });
            left -= fits;
        }
        let mut rest = bad;
        while rest.calls > 0 {
            // One after the other; those that came in one batch have no order among them.
            let one = Counts { calls: 1, failed: rest.failed.min(1), slow: rest.slow.min(1) };
            let room = self.room();
            debug_assert!(room > 0);
            self.put(one);
            rest.calls -= 1;
            rest.failed -= one.failed;
            rest.slow -= one.slow;
        }
    }

    /// Calls that fit into the newest bucket, which is a fresh one if the last is full.
    fn room(&mut self) -> u64 {
        if self.buckets[self.newest].calls >= self.step {
            self.turn();
        }
        self.step - self.buckets[self.newest].calls
    }

    /// By time: `good` calls spread evenly from the last look to `now`.
    fn spread(&mut self, good: u64, now: u64) {
        let (from, took) = (self.looked, now - self.looked);
        let last = now / self.step;
        let first = (from / self.step).max(last.saturating_sub(self.buckets.len() as u64 - 1));
        // The i-th of them ended at `from + took * i / good`, the last one at `now`: so many ended before `nanos`.
        let before = |nanos: u64| match u128::from(good) * u128::from(nanos.saturating_sub(from)) {
            0 => 0,
            share => ((share - 1) / u128::from(took)) as u64,
        };
        for number in first..=last {
            self.move_to(number);
            let until = if number == last { good } else { before((number + 1) * self.step) };
            let calls = until - before(number * self.step);
            self.put(Counts { calls, ..Counts::default() });
        }
    }

    /// Makes bucket `number` the newest.
    fn move_to(&mut self, number: u64) {
        let turns = number.saturating_sub(self.number).min(self.buckets.len() as u64);
        for _ in 0..turns {
            self.turn();
        }
        self.number = self.number.max(number);
    }

    fn turn(&mut self) {
        self.newest = (self.newest + 1) % self.buckets.len();
        self.total.take(std::mem::take(&mut self.buckets[self.newest]));
    }

    fn put(&mut self, counts: Counts) {
        self.buckets[self.newest].add(counts);
        self.total.add(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const FAILED: Counts = Counts { calls: 1, failed: 1, slow: 0 };

    proptest! {
        /// Against a record per call: exact up to 32 calls, and with larger windows within one bucket.
        #[test]
        fn a_window_of_calls_holds_the_last_calls(length in 1u32..200, calls in prop::collection::vec(any::<bool>(), 1..1000)) {
            let mut window = Window::new(Span::Calls(length));
            let mut all = VecDeque::new();
            for failed in calls {
                all.push_front(failed);
                let (good, bad) = if failed { (0, FAILED) } else { (1, Counts::default()) };
                window.record(good, bad, 0);
                let seen = window.total();
                prop_assert!(seen.calls <= u64::from(length).next_multiple_of(window.step));
                prop_assert!(seen.calls >= (all.len() as u64).min(u64::from(length) - window.step + 1));
                let expected = all.iter().take(seen.calls as usize).filter(|failed| **failed).count();
                prop_assert_eq!(seen.failed, expected as u64);
            }
        }

        /// Against a record per call, looking at every call.
        #[test]
        fn a_window_of_time_holds_the_last_buckets(steps in prop::collection::vec((0u64..400, any::<bool>()), 1..500)) {
            let mut window = Window::new(Span::Time(Duration::from_nanos(3200)));
            let (mut now, mut all) = (0, Vec::new());
            for (step, failed) in steps {
                now += step;
                all.push((now / 100, failed));
                // A good call is spread over the time since the last look: all of it counts at its end, rounded down.
                let (good, bad) = if failed { (0, FAILED) } else { (1, Counts::default()) };
                window.record(good, bad, now);
                let inside: Vec<_> = all.iter().filter(|(number, _)| number + 32 > now / 100).collect();
                prop_assert_eq!(window.total().calls, inside.len() as u64);
                prop_assert_eq!(window.total().failed, inside.iter().filter(|(_, failed)| *failed).count() as u64);
            }
        }
    }

    /// tower-resilience's window never slides: after a million good calls, a million bad ones open it.
    #[test]
    fn good_calls_of_long_ago_are_forgotten() {
        for span in [Span::Calls(100), Span::Time(Duration::from_secs(10))] {
            let mut window = Window::new(span);
            window.record(1_000_000, Counts::default(), 1_000_000_000);
            for second in 20..40 {
                for _ in 0..10 {
                    window.record(0, FAILED, second * 1_000_000_000);
                }
            }
            let total = window.total();
            assert_eq!(total.failed, total.calls, "{span:?}");
            assert!(total.calls >= 90, "{span:?}: {total:?}");
        }
    }

    #[test]
    fn good_calls_between_two_looks_are_spread_over_the_time_between() {
        let mut window = Window::new(Span::Time(Duration::from_secs(32)));
        window.record(0, Counts::default(), 0);
        window.record(3600, Counts::default(), 3600 * 1_000_000_000 - 1);
        assert_eq!(window.total().calls, 32, "one a second for an hour");
    }

    #[test]
    fn a_clock_that_steps_back_forgets_nothing_and_ends_nothing() {
        let mut window = Window::new(Span::Time(Duration::from_secs(32)));
        window.record(0, FAILED, 10_000_000_000);
        window.record(1, FAILED, 5_000_000_000);
        assert_eq!(window.total().calls, 3);
    }
}
