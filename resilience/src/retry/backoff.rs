//! How long to wait before the next attempt.
//!
//! The bound of wait `k` is `min(initial * factor^(k-1), max)`, and the jitter draws *below* that bound. Clamping before
//! the draw and never adding afterwards is what makes the maximum hold and the spread survive: a draw clamped afterwards
//! piles up at the maximum, and one added to the clamped bound passes it (two peers have one bug each).
//!
//! Full jitter is the default. In Amazon's model of clients that contend for one record, full jitter needs the fewest
//! calls, decorrelated finishes soonest for up to about a hundred clients, and no jitter is ten times slower than either.

use std::time::Duration;

use fastrand::Rng;

use super::Retry;

/// How waits are spread, so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Jitter {
    /// None: every wait is its bound. For tests, and for a single client.
    None,
    /// Anywhere from half the bound to the bound.
    Equal,
    /// Anywhere from zero to the bound.
    #[default]
    Full,
    /// Anywhere from the first delay to three times the wait before, up to the maximum; the factor plays no part.
    Decorrelated,
}

/// How many times the wait before a decorrelated one may reach; from the same model.
const DECORRELATED_REACH: u64 = 3;

/// The waits of one run.
#[derive(Debug)]
pub(super) struct Backoff {
    initial: u64,
    max: u64,
    factor: u64,
    jitter: Jitter,
    /// The bound of the next wait; for decorrelated jitter the wait before.
    bound: u64,
    /// Seeded, or the thread's own.
    random: Option<Rng>,
}

impl Backoff {
    pub(super) fn new(policy: &Retry) -> Self {
        let initial = nanos(policy.initial_delay);
        Self {
            initial,
            max: nanos(policy.max_delay),
            factor: u64::from(policy.factor),
            jitter: policy.jitter,
            bound: initial,
            random: policy.seed.map(Rng::with_seed),
        }
    }

    pub(super) fn next(&mut self) -> Duration {
        let bound = self.bound;
        let wait = match self.jitter {
            Jitter::None => bound,
            Jitter::Equal => self.draw(bound.div_ceil(2), bound),
            Jitter::Full => self.draw(0, bound),
            Jitter::Decorrelated => {
                let reach = bound.saturating_mul(DECORRELATED_REACH).min(self.max);
                self.draw(self.initial, reach)
            }
        };
        self.bound = match self.jitter {
            Jitter::Decorrelated => wait,
            _ => bound.saturating_mul(self.factor).min(self.max),
        };
        Duration::from_nanos(wait)
    }

    fn draw(&mut self, low: u64, high: u64) -> u64 {
        match &mut self.random {
            Some(random) => random.u64(low..=high),
            None => fastrand::u64(low..=high),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("the builder refuses times above a year, and 64 bits hold 584")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn policy(jitter: Jitter, seed: u64) -> Retry {
        Retry::exponential(10 * MS).max_delay(500 * MS).jitter(jitter).seed(seed).build().unwrap()
    }

    #[test]
    fn without_jitter_it_doubles_up_to_the_maximum() {
        let mut backoff = Backoff::new(&policy(Jitter::None, 0));
        let waits: Vec<_> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 500, 500]);
    }

    #[test]
    fn a_constant_one_stays() {
        let mut backoff = Backoff::new(&Retry::constant(7 * MS).jitter(Jitter::None).build().unwrap());
        assert!((0..100).all(|_| backoff.next() == 7 * MS));
    }

    proptest! {
        #[test]
        fn every_jitter_stays_within_its_bounds(seed: u64) {
            for jitter in [Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Decorrelated] {
                let mut backoff = Backoff::new(&policy(jitter, seed));
                let mut plain = Backoff::new(&policy(Jitter::None, seed));
                for _ in 0..70 {
                    let (wait, bound) = (backoff.next(), plain.next());
                    let (low, high) = match jitter {
                        Jitter::None => (bound, bound),
                        Jitter::Equal => (bound / 2, bound),
                        Jitter::Full => (Duration::ZERO, bound),
                        Jitter::Decorrelated => (10 * MS, 500 * MS),
                    };
                    prop_assert!(low <= wait && wait <= high, "{jitter:?}: {wait:?} of {bound:?}");
                }
            }
        }

        #[test]
        fn a_seed_replays(seed: u64) {
            let waits = || { let mut b = Backoff::new(&policy(Jitter::Full, seed)); (0..9).map(|_| b.next()).collect::<Vec<_>>() };
            prop_assert_eq!(waits(), waits());
        }
    }

    /// The spread survives at the maximum: it is drawn below it, not clamped to it.
    #[test]
    fn full_jitter_is_even_at_the_maximum() {
        let mut backoff = Backoff::new(&policy(Jitter::Full, 1));
        let late: Vec<_> = (0..10_000).map(|_| backoff.next()).skip(10).collect();
        let mean = late.iter().sum::<Duration>() / u32::try_from(late.len()).unwrap();
        assert!(mean.abs_diff(250 * MS) < 10 * MS, "{mean:?}");
    }
}
