//! What arrives when, decided before the first task is submitted.

use std::time::Duration;

use fastrand::Rng;

/// A task in this many is long: 0.5 %.
const ONE_IN: u32 = 200;

/// Tasks at the most; 16 bytes each.
const MOST: usize = 4_000_000;

/// What a long task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    /// It sleeps in the kernel.
    Sleeps,
    /// It uses its CPU.
    Computes,
}

/// Two classes of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mix {
    short: Duration,
    long: Duration,
    how: Long,
}

/// What one task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Short(Duration),
    Long(Duration, Long),
}

/// A planned arrival: nanoseconds from the start, and whether the task is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrival {
    at: u64,
    long: bool,
}

/// All arrivals, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    mix: Mix,
    arrivals: Vec<Arrival>,
}

impl Mix {
    /// Short and long tasks of so many nanoseconds.
    pub(crate) const fn new(short: u64, long: u64, how: Long) -> Self {
        Self { short: Duration::from_nanos(short), long: Duration::from_nanos(long), how }
    }

    fn mean(self) -> Duration {
        (self.short * (ONE_IN - 1) + self.long) / ONE_IN
    }
}

impl Plan {
    /// Exponential gaps, `rate` per second in the mean, for `span`. The same seed plans the same arrivals.
    pub(crate) fn poisson(rate: f64, span: Duration, mix: Mix, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut arrivals = Vec::new();
        let mut at = 0.0;
        loop {
            // By inversion; `1 - u` lies in (0, 1].
            at -= (1.0 - rng.f64()).ln() / rate;
            if at >= span.as_secs_f64() || arrivals.len() == MOST {
                return Self { mix, arrivals };
            }
            arrivals.push(Arrival { at: (at * 1e9) as u64, long: rng.u32(..ONE_IN) == 0 });
        }
    }

    /// As many tasks as make up `work`, all due at the start.
    pub(crate) fn at_once(mix: Mix, work: Duration, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let tasks = (work.as_nanos() / mix.mean().as_nanos()).clamp(1, MOST as u128);
        let arrival = |_| Arrival { at: 0, long: rng.u32(..ONE_IN) == 0 };
        Self { mix, arrivals: (0..tasks).map(arrival).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// When task `number` is due, from the start.
    pub(crate) fn at(&self, number: usize) -> Duration {
        Duration::from_nanos(self.arrivals[number].at)
    }

    pub(crate) fn job(&self, number: usize) -> Job {
        if self.arrivals[number].long { Job::Long(self.mix.long, self.mix.how) } else { Job::Short(self.mix.short) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix = Mix::new(1_000, 1_000_000, Long::Computes);

    #[test]
    fn gaps_are_exponential_and_classes_as_rare_as_they_should_be() {
        let plan = Plan::poisson(100_000.0, Duration::from_secs(2), MIX, 7);
        let n = plan.len() as f64;
        let longer =
            |gap: f64| plan.arrivals.windows(2).filter(|w| (w[1].at - w[0].at) as f64 > gap).count() as f64 / n;
        let long = plan.arrivals.iter().filter(|arrival| arrival.long).count() as f64;
        assert!((n / 200_000.0 - 1.0).abs() < 0.01, "{n} tasks");
        assert!((long / n * 200.0 - 1.0).abs() < 0.1, "{long} long ones");
        for multiple in [0.5, 1.0, 2.0, 4.0] {
            assert!((longer(multiple * 10_000.0) - (-multiple).exp()).abs() < 0.005, "gaps above {multiple}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let plan = |seed| Plan::poisson(1_000.0, Duration::from_secs(1), MIX, seed);
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn at_once_there_is_as_much_work_as_asked_for() {
        // A mean of 5.995 us.
        let plan = Plan::at_once(MIX, Duration::from_millis(60), 1);
        assert_eq!((plan.len(), plan.at(plan.len() - 1)), (10_008, Duration::ZERO));
        assert_eq!(Plan::at_once(MIX, Duration::ZERO, 1).len(), 1);
    }
}
