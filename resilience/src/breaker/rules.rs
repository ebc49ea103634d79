//! When a breaker opens, and for how long.

use std::time::Duration;

use super::{Reason, window::Window, word::Trial};

/// The checked options that decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) failure_rate: Option<u32>,
    pub(super) slow_rate: Option<u32>,
    /// A call is slow from here on.
    pub(super) slow_from: Option<Duration>,
    pub(super) in_a_row: Option<u32>,
    pub(super) min_calls: u32,
    pub(super) trial: Trial,
    pub(super) open: OpenTimes,
    /// A good call whose number has none of these bits looks at the clock.
    pub(super) look_mask: u64,
}

impl Rules {
    /// Why the breaker should open, if it should.
    pub(super) fn judge(&self, window: &Window) -> Option<Reason> {
        let total = window.total();
        if self.in_a_row.is_some_and(|limit| window.failed_in_a_row() >= u64::from(limit)) {
            return Some(Reason::InARow);
        }
        if total.calls < u64::from(self.min_calls).max(1) {
            return None;
        }
        let reached =
            |part: u64, rate: Option<u32>| rate.is_some_and(|rate| part * 100 >= total.calls * u64::from(rate));
        if reached(total.failed, self.failure_rate) {
            return Some(Reason::FailureRate);
        }
        reached(total.slow, self.slow_rate).then_some(Reason::SlowRate)
    }
}

/// How long to stay open the first time, and how that grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenTimes {
    pub(super) first_ms: u64,
    pub(super) factor: u32,
    pub(super) max_ms: u64,
    pub(super) jitter: u32,
    pub(super) seed: Option<u64>,
}

impl OpenTimes {
    /// For the next time after `streak` times in a row; `generation` picks the chance when it is seeded.
    pub(super) fn next_ms(&self, streak: u32, generation: u64) -> u64 {
        let grown = self.first_ms.saturating_mul(u64::from(self.factor).saturating_pow(streak)).min(self.max_ms);
        let mut rng = self.seed.map_or_else(fastrand::Rng::new, |seed| fastrand::Rng::with_seed(seed ^ generation));
        let most_off = grown / 100 * u64::from(self.jitter) + grown % 100 * u64::from(self.jitter) / 100;
        (grown - rng.u64(0..=most_off)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_times_grow_to_their_maximum_and_jitter_only_shortens() {
        let plain = OpenTimes { first_ms: 1000, factor: 2, max_ms: 60_000, jitter: 0, seed: None };
        for (streak, expected) in [(0, 1000), (1, 2000), (5, 32_000), (6, 60_000), (31, 60_000)] {
            assert_eq!(plain.next_ms(streak, 0), expected, "after {streak}");
        }
        let jittered = OpenTimes { jitter: 10, seed: Some(7), ..plain };
        let times: Vec<_> = (0..100).map(|generation| jittered.next_ms(0, generation)).collect();
        assert!(times.iter().all(|time| (900..=1000).contains(time)), "{times:?}");
        assert!(times.iter().any(|time| *time < 950) && times.iter().any(|time| *time > 950));
        assert_eq!(times[3], jittered.next_ms(0, 3), "a seed replays");
    }
}
