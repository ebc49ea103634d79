//! How long to wait before the next attempt.
//!
//! The bound of wait `k` grows from the first delay (not at all, by a factor, by the first delay again, or as Fibonacci's numbers)
//! up to `max`, and the jitter draws *below* that bound. Clamping before the draw and never adding afterwards is what makes
//! the maximum hold and the spread survive: a draw clamped afterwards piles up at the maximum, and one added to the clamped bound
//! passes it (two peers have one bug each). Jitter around the bound draws from the part of its range that is below `max`.
//!
//! Full jitter is the default. In Amazon's model of clients that contend for one record (`examples/jitter.rs`), full jitter needs
//! the fewest calls, decorrelated finishes soonest for up to about a hundred clients, and no jitter is far worse than either.

use std::time::Duration;

use fastrand::Rng;

use super::Retry;

/// How waits are spread, so that those who failed together do not come back together.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Jitter, Retry};
///
/// let constant = Retry::constant(Duration::from_secs(10));
/// let equal = constant.jitter(Jitter::Equal).build()?;
/// assert!(equal.waits().take(100).all(|wait| (5..=10).contains(&wait.as_secs())));
/// let none = constant.jitter(Jitter::None).build()?;
/// assert_eq!(none.waits().next(), Some(Duration::from_secs(10)));
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Jitter {
    /// None: every wait is its bound. For tests, and for a single client.
    None,
    /// Anywhere from half the bound to the bound.
    Equal,
    /// Anywhere from zero to the bound.
    #[default]
    Full,
    /// Anywhere from the first delay to three times the wait before, up to the maximum; growth plays no part.
    Decorrelated,
    /// Within this many percent of the bound, to either side, up to the maximum. gRPC's is 20.
    PlusMinus(u8),
}

/// How bounds grow from one wait to the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Growth {
    /// Times this.
    Factor(u32),
    /// Plus the first delay.
    Linear,
    /// Plus the bound before.
    Fibonacci,
}

/// How many times the wait before a decorrelated one may reach; from the same model.
const DECORRELATED_REACH: u64 = 3;

/// The waits of one run, without end: what [`Retry::waits`] gives out.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Jitter, Retry};
///
/// let policy = Retry::fibonacci(Duration::from_secs(1)).jitter(Jitter::None).build()?;
/// let seconds: Vec<u64> = policy.waits().map(|wait| wait.as_secs()).take(8).collect();
/// assert_eq!(seconds, [1, 1, 2, 3, 5, 8, 13, 21]);
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Debug)]
pub struct Waits {
    initial: u64,
    max: u64,
    growth: Growth,
    jitter: Jitter,
    /// The bound of the next wait; for decorrelated jitter the wait before.
    bound: u64,
    /// The bound before that.
    previous: u64,
    /// Seeded, or the thread's own.
    random: Option<Rng>,
}

impl Waits {
    pub(super) fn new(policy: &Retry) -> Self {
        let initial = nanos(policy.initial_delay);
        Self {
            initial,
            max: nanos(policy.max_delay),
            growth: policy.growth,
            jitter: policy.jitter,
            bound: initial,
            previous: 0,
            random: policy.seed.map(Rng::with_seed),
        }
    }

    fn grow(&mut self, wait: u64) {
        let bound = self.bound;
        let next = match (self.jitter, self.growth) {
            (Jitter::Decorrelated, _) => wait,
            (_, Growth::Factor(factor)) => bound.saturating_mul(u64::from(factor)),
            (_, Growth::Linear) => bound.saturating_add(self.initial),
            (_, Growth::Fibonacci) => bound.saturating_add(self.previous),
        };
        (self.previous, self.bound) = (bound, next.min(self.max));
    }

    fn draw(&mut self, low: u64, high: u64) -> u64 {
        match &mut self.random {
            Some(random) => random.u64(low..=high),
            None => fastrand::u64(low..=high),
        }
    }
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let bound = self.bound;
        let (low, high) = match self.jitter {
            Jitter::None => (bound, bound),
            Jitter::Equal => (bound.div_ceil(2), bound),
            Jitter::Full => (0, bound),
            Jitter::Decorrelated => (self.initial, bound.saturating_mul(DECORRELATED_REACH)),
            // The longest time is a year, 2^55 ns, and the percentage at most 2^7: no overflow.
            Jitter::PlusMinus(percent) => {
                let reach = bound * u64::from(percent) / 100;
                (bound - reach, bound + reach)
            }
        };
        let wait = if low == high { low } else { self.draw(low, high.min(self.max)) };
        self.grow(wait);
        Some(Duration::from_nanos(wait))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("the builder refuses times above a year, and 64 bits hold 584")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::RetryBuilder;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    /// The most a test waits.
    const MAX: Duration = Duration::from_millis(500);

    fn waits(builder: RetryBuilder) -> Waits {
        builder.build().unwrap().waits()
    }

    fn kinds() -> [RetryBuilder; 4] {
        let at = 10 * MS;
        [Retry::exponential(at), Retry::linear(at), Retry::fibonacci(at), Retry::constant(at)].map(|b| b.max_delay(MAX))
    }

    #[test]
    fn each_kind_grows_as_it_is_called_up_to_the_maximum() {
        let expected = [
            [10, 20, 40, 80, 160, 320, 500, 500, 500, 500],
            [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
            [10, 10, 20, 30, 50, 80, 130, 210, 340, 500],
            [10; 10],
        ];
        for (kind, expected) in kinds().into_iter().zip(expected) {
            let waits: Vec<_> = waits(kind.jitter(Jitter::None)).map(|wait| wait.as_millis()).take(10).collect();
            assert_eq!(waits, expected, "{kind:?}");
        }
    }

    #[test]
    fn growth_without_end_stays_at_the_maximum() {
        let year = Duration::from_secs(365 * 86_400);
        for kind in [Retry::exponential(year), Retry::linear(year), Retry::fibonacci(year)] {
            for jitter in [Jitter::None, Jitter::PlusMinus(100), Jitter::Decorrelated] {
                let most = waits(kind.max_delay(year).jitter(jitter)).take(200).max();
                assert!(most <= Some(year));
            }
        }
    }

    proptest! {
        /// No jitter passes the maximum (backon adds it after the clamp), whatever the kind.
        #[test]
        fn every_jitter_stays_within_its_bounds(seed: u64) {
            let jitters =
                [Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Decorrelated, Jitter::PlusMinus(20), Jitter::PlusMinus(100)];
            for (kind, jitter) in kinds().into_iter().flat_map(|kind| jitters.map(|jitter| (kind, jitter))) {
                let plain = waits(kind.jitter(Jitter::None));
                for (wait, bound) in waits(kind.jitter(jitter).seed(seed)).zip(plain).take(70) {
                    let (low, high) = match jitter {
                        Jitter::None => (bound, bound),
                        Jitter::Equal => (bound / 2, bound),
                        Jitter::Full => (Duration::ZERO, bound),
                        Jitter::Decorrelated => (10 * MS, MAX),
                        Jitter::PlusMinus(percent) => {
                            let share = |percent: u32| (bound * percent / 100).min(MAX);
                            (share(100 - u32::from(percent)), share(100 + u32::from(percent)))
                        }
                    };
                    prop_assert!(low <= wait && wait <= high, "{jitter:?}: {wait:?} of {bound:?}");
                }
            }
        }

        #[test]
        fn a_seed_replays(seed: u64) {
            let waits = || waits(kinds()[0].seed(seed)).take(9).collect::<Vec<_>>();
            prop_assert_eq!(waits(), waits());
        }
    }

    /// The spread survives at the maximum: it is drawn below it, not clamped to it.
    #[test]
    fn jitter_is_even_at_the_maximum() {
        for (jitter, mean) in [(Jitter::Full, 250), (Jitter::Equal, 375), (Jitter::PlusMinus(20), 450)] {
            let late: Vec<_> = waits(kinds()[0].jitter(jitter).seed(1)).skip(10).take(10_000).collect();
            let seen = late.iter().sum::<Duration>() / 10_000;
            assert!(seen.abs_diff(mean * MS) < 10 * MS, "{jitter:?}: {seen:?}");
            let at_max = late.iter().filter(|&&wait| wait == MAX).count();
            assert!(at_max < 10, "{jitter:?}: {at_max} at the maximum");
        }
    }
}
