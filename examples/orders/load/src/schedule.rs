//! When each request is to be sent, computed before the first one is.
//!
//! Open loop means that the plan does not look at the answers: users who want to order do not wait for
//! each other. Every latency is later measured from these times. Constant arrivals are the kindest load
//! of a given rate, Poisson arrivals (independent users, exponential gaps) the realistic one: they come
//! in bursts, and queues show.

use std::{error::Error, fmt, time::Duration};

use crate::limits;

/// How the gaps between requests are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// Equal gaps.
    Constant,
    /// Exponentially distributed gaps, as of many independent users.
    #[default]
    Poisson,
}

/// A stretch of the run with one rate.
///
/// ```
/// use std::time::Duration;
/// use orders_load::Step;
/// let step = Step { rate: 500.0, duration: Duration::from_secs(10) };
/// assert_eq!(step.rate, 500.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Requests per second.
    pub rate: f64,
    /// How long.
    pub duration: Duration,
}

/// Planned send times, in steps of one rate each.
///
/// ```
/// use std::time::Duration;
/// use orders_load::{Arrivals, Schedule};
/// let schedule = Schedule::new(Arrivals::Constant, 100.0, Duration::from_secs(2), 0)?;
/// assert_eq!(schedule.len(), 200);
/// assert_eq!(schedule.time(1), Duration::from_millis(10));
/// # Ok::<(), orders_load::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Nanoseconds from the start, ascending.
    times: Vec<u64>,
    steps: Vec<Step>,
    /// Where each step begins in `times`.
    firsts: Vec<usize>,
}

impl Schedule {
    /// One rate for the whole duration. The same seed plans the same times.
    ///
    /// # Errors
    /// A [`ScheduleError`] if the rate or the duration is not above zero or the two ask for too much.
    pub fn new(arrivals: Arrivals, rate: f64, duration: Duration, seed: u64) -> Result<Self, ScheduleError> {
        Self::ladder(arrivals, &[Step { rate, duration }], seed)
    }

    /// One step after the other, to find the rate at which latency breaks away. 8 bytes per request.
    ///
    /// # Errors
    /// As [`new`](Self::new); a ladder without steps asks for nothing and is refused as well.
    pub fn ladder(arrivals: Arrivals, steps: &[Step], seed: u64) -> Result<Self, ScheduleError> {
        check(steps)?;
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut schedule = Self { times: Vec::new(), steps: steps.to_vec(), firsts: Vec::with_capacity(steps.len()) };
        let mut start = 0.0;
        for step in steps {
            schedule.firsts.push(schedule.times.len());
            let end = start + step.duration.as_secs_f64();
            schedule.fill(arrivals, step.rate, start..end, &mut rng);
            start = end;
        }
        Ok(schedule)
    }

    fn fill(&mut self, arrivals: Arrivals, rate: f64, span: std::ops::Range<f64>, rng: &mut fastrand::Rng) {
        let mut at = span.start + first_gap(arrivals, rate, rng);
        let mut n = 0.0;
        while at < span.end {
            self.times.push((at * 1e9) as u64);
            n += 1.0;
            at = match arrivals {
                // From the start each time, so that no rounding error adds up.
                Arrivals::Constant => span.start + n / rate,
                Arrivals::Poisson => at + exponential(rate, rng),
            };
        }
    }

    /// How many requests are planned.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether no request is planned, as may happen to a very short Poisson schedule.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// When request `number` is to be sent, from the start of the run.
    ///
    /// # Panics
    /// If `number` is not below [`len`](Self::len).
    pub fn time(&self, number: usize) -> Duration {
        Duration::from_nanos(self.times[number])
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The length of all steps together.
    pub fn duration(&self) -> Duration {
        self.steps.iter().map(|step| step.duration).sum()
    }

    /// How many requests each step plans.
    pub(crate) fn planned(&self) -> Vec<u64> {
        let ends = self.firsts.iter().skip(1).copied().chain([self.times.len()]);
        ends.zip(&self.firsts).map(|(end, first)| (end - first) as u64).collect()
    }

    /// The step that request `number` belongs to.
    pub(crate) fn step_of(&self, number: usize) -> usize {
        self.firsts.partition_point(|&first| first <= number) - 1
    }

    /// The mean gap at the fastest step.
    pub(crate) fn shortest_gap(&self) -> Duration {
        let fastest = self.steps.iter().map(|step| step.rate).fold(f64::MIN_POSITIVE, f64::max);
        Duration::try_from_secs_f64(1.0 / fastest).unwrap_or(Duration::MAX)
    }
}

/// A constant schedule starts at once, a Poisson one after its first gap.
fn first_gap(arrivals: Arrivals, rate: f64, rng: &mut fastrand::Rng) -> f64 {
    match arrivals {
        Arrivals::Constant => 0.0,
        Arrivals::Poisson => exponential(rate, rng),
    }
}

/// Seconds to the next of `rate` events per second, by inversion; `1 - u` lies in (0, 1].
fn exponential(rate: f64, rng: &mut fastrand::Rng) -> f64 {
    -(1.0 - rng.f64()).ln() / rate
}

fn check(steps: &[Step]) -> Result<(), ScheduleError> {
    if steps.is_empty() {
        return Err(ScheduleError::NoStep);
    }
    for step in steps {
        if !(step.rate.is_finite() && step.rate > 0.0) {
            return Err(ScheduleError::Rate(step.rate));
        }
        if step.duration.is_zero() {
            return Err(ScheduleError::Duration);
        }
    }
    let requests = steps.iter().map(|step| step.rate * step.duration.as_secs_f64()).sum();
    if requests > limits::REQUESTS { Err(ScheduleError::TooMany(requests)) } else { Ok(()) }
}

/// Why there is no schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScheduleError {
    /// A ladder without steps.
    NoStep,
    /// A rate must be finite and above zero.
    Rate(f64),
    /// A duration must be above zero.
    Duration,
    /// Rate times duration is more than can be planned.
    TooMany(f64),
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStep => f.write_str("a ladder needs at least one step"),
            Self::Rate(rate) => write!(f, "a rate of {rate}/s is not above zero"),
            Self::Duration => f.write_str("the duration must be above zero"),
            Self::TooMany(n) => write!(f, "{n:.0} requests; at most {:.0} fit", limits::REQUESTS),
        }
    }
}

impl Error for ScheduleError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn gaps(schedule: &Schedule) -> Vec<f64> {
        schedule.times.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e9).collect()
    }

    #[test]
    fn constant_arrivals_have_equal_gaps_and_no_drift() {
        let schedule = Schedule::new(Arrivals::Constant, 3.0, 1000 * S, 0).unwrap();
        assert_eq!(schedule.len(), 3000);
        assert_eq!(schedule.time(2997), 999 * S);
        assert!(gaps(&schedule).iter().all(|gap| (gap - 1.0 / 3.0).abs() < 1e-8));
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let rate = 2000.0;
        let schedule = Schedule::new(Arrivals::Poisson, rate, 100 * S, 42).unwrap();
        let gaps = gaps(&schedule);
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let deviation = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / n).sqrt();
        // 200,000 draws: the count and the mean lie within 1 % (4.5 sigma).
        assert!((n / (100.0 * rate) - 1.0).abs() < 0.01, "{n} requests");
        assert!((mean * rate - 1.0).abs() < 0.01, "mean {mean}");
        assert!((deviation * rate - 1.0).abs() < 0.02, "deviation {deviation}");
        let above = |multiple: f64| gaps.iter().filter(|g| **g > multiple / rate).count() as f64 / n;
        for multiple in [0.5, 1.0, 2.0, 4.0] {
            assert!((above(multiple) - (-multiple).exp()).abs() < 0.005, "tail at {multiple}");
        }
    }

    #[test]
    fn the_seed_decides_the_times() {
        let schedule = |seed| Schedule::new(Arrivals::Poisson, 100.0, S, seed).unwrap();
        assert_eq!(schedule(1), schedule(1));
        assert_ne!(schedule(1), schedule(2));
    }

    #[test]
    fn a_ladder_puts_its_steps_end_to_end() {
        let steps = [Step { rate: 10.0, duration: S }, Step { rate: 100.0, duration: 2 * S }];
        let schedule = Schedule::ladder(Arrivals::Constant, &steps, 0).unwrap();
        assert_eq!(schedule.planned(), [10, 200]);
        assert_eq!(schedule.duration(), 3 * S);
        assert_eq!((schedule.time(9), schedule.time(10)), (S * 9 / 10, S));
        assert_eq!((schedule.step_of(0), schedule.step_of(9), schedule.step_of(10)), (0, 0, 1));
        assert_eq!(schedule.shortest_gap(), S / 100);
    }

    #[test]
    fn what_cannot_be_planned_is_refused() {
        let error = |rate, duration| Schedule::new(Arrivals::Poisson, rate, duration, 0).unwrap_err();
        assert_eq!(error(0.0, S), ScheduleError::Rate(0.0));
        assert!(matches!(error(f64::NAN, S), ScheduleError::Rate(_)));
        assert_eq!(error(1.0, Duration::ZERO), ScheduleError::Duration);
        assert_eq!(error(1e9, S), ScheduleError::TooMany(1e9));
        assert_eq!(Schedule::ladder(Arrivals::Constant, &[], 0), Err(ScheduleError::NoStep));
    }
}
