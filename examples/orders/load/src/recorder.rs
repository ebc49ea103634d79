//! What is kept of each request while a run goes on.
//!
//! One recorder behind one lock serves all connections: a record is four histogram increments, some
//! 0.1 us, so at 100,000 requests a second the lock is taken 1 % of the time. Samples are filed under
//! the second in which they were *planned*: a stalled second then shows its own long latencies, instead
//! of pushing them into the second in which the answers came.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{Class, Counts, Latency, Second, limits, line::Ended};

/// One request that has ended; times count from the start of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) step: usize,
    pub(crate) planned: Duration,
    pub(crate) sent: Duration,
    pub(crate) ended: Duration,
    /// How much later than planned the generator was ready to send, if it was its own doing.
    pub(crate) lag: Duration,
    pub(crate) end: Ended,
}

/// The sums of one step.
#[derive(Clone, Debug)]
pub(crate) struct StepRecord {
    pub(crate) counts: Counts,
    pub(crate) latency: Latency,
    pub(crate) last_end: Duration,
}

/// The sums of one second.
#[derive(Clone, Debug)]
struct SecondRecord {
    sent: u64,
    accepted: u64,
    latency: Histogram<u32>,
}

/// Everything kept of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) lag: Histogram<u64>,
    seconds: Vec<SecondRecord>,
    pub(crate) accepted: Vec<u64>,
    pub(crate) unidentified: u64,
}

/// An empty histogram of microseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, limits::HISTOGRAM_MAX_US, limits::HISTOGRAM_DIGITS)
        .expect("the bounds are constants within the range of the library")
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Recorder {
    pub(crate) fn new(steps: usize) -> Self {
        let step = || StepRecord {
            counts: Counts::default(),
            latency: Latency { planned: histogram(), sent: histogram() },
            last_end: Duration::ZERO,
        };
        Self {
            steps: (0..steps).map(|_| step()).collect(),
            lag: histogram(),
            seconds: Vec::new(),
            accepted: Vec::new(),
            unidentified: 0,
        }
    }

    pub(crate) fn record(&mut self, sample: &Sample) {
        let Ended { class, order } = sample.end;
        let from_planned = micros(sample.ended.saturating_sub(sample.planned));
        let step = &mut self.steps[sample.step];
        step.counts.add(class);
        step.last_end = step.last_end.max(sample.ended);
        if class.is_measured() {
            step.latency.planned.saturating_record(from_planned);
            let from_sent = micros(sample.ended.saturating_sub(sample.sent));
            step.latency.sent.saturating_record(from_sent);
        }
        self.lag.saturating_record(micros(sample.lag));
        self.second(sample.planned).record(class, from_planned);
        match (class, order) {
            (Class::Accepted, Some(order)) => self.accepted.push(order),
            (Class::Accepted, None) => self.unidentified += 1,
            _ => {}
        }
    }

    fn second(&mut self, at: Duration) -> &mut SecondRecord {
        let place = usize::try_from(at.as_secs()).expect("a run is shorter than an age");
        while self.seconds.len() <= place {
            self.seconds.push(SecondRecord::new());
        }
        &mut self.seconds[place]
    }

    /// What has ended so far, of all steps.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.steps.iter().for_each(|step| sum.merge(&step.counts));
        sum
    }

    pub(crate) fn seconds(&self) -> Vec<Second> {
        self.seconds.iter().map(SecondRecord::close).collect()
    }
}

impl SecondRecord {
    fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, limits::HISTOGRAM_MAX_US, limits::SECOND_DIGITS);
        let latency = latency.expect("the bounds are constants within the range of the library");
        Self { sent: 0, accepted: 0, latency }
    }

    fn record(&mut self, class: Class, micros: u64) {
        self.sent += 1;
        self.accepted += u64::from(class == Class::Accepted);
        if class.is_measured() {
            self.latency.saturating_record(micros);
        }
    }

    fn close(&self) -> Second {
        let quantile = |q| Duration::from_micros(self.latency.value_at_quantile(q));
        Second { sent: self.sent, accepted: self.accepted, p50: quantile(0.5), p99: quantile(0.99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sample(class: Class, planned: Duration, sent: Duration, ended: Duration) -> Sample {
        let order = (class == Class::Accepted).then_some(7);
        Sample { step: 0, planned, sent, ended, lag: sent - planned, end: Ended { class, order } }
    }

    #[test]
    fn a_sample_is_filed_under_the_second_it_was_planned_in() {
        let mut recorder = Recorder::new(1);
        recorder.record(&sample(Class::Accepted, 900 * MS, 950 * MS, 3900 * MS));
        recorder.record(&sample(Class::Throttled, 2100 * MS, 2100 * MS, 2101 * MS));
        let seconds = recorder.seconds();
        let sums: Vec<_> = seconds.iter().map(|s| (s.sent, s.accepted)).collect();
        assert_eq!(sums, [(1, 1), (0, 0), (1, 0)]);
        assert!(seconds[0].p99.abs_diff(3000 * MS) < 30 * MS);
        assert_eq!(recorder.accepted, [7]);
    }

    #[test]
    fn refusals_are_counted_but_not_measured_and_time_outs_are_both() {
        for (class, measured) in
            [(Class::Accepted, 1), (Class::TimedOut, 1), (Class::Unavailable, 0), (Class::Conflict, 0), (Class::Io, 0)]
        {
            let mut recorder = Recorder::new(1);
            recorder.record(&sample(class, MS, 2 * MS, 5 * MS));
            assert_eq!(recorder.counts().of(class), 1);
            assert_eq!(recorder.steps[0].latency.planned.len(), measured, "{class}");
        }
    }

    #[test]
    fn latency_counts_from_both_clocks() {
        let mut recorder = Recorder::new(1);
        recorder.record(&sample(Class::Accepted, MS, 401 * MS, 501 * MS));
        let Latency { planned, sent } = &recorder.steps[0].latency;
        assert!(planned.equivalent(planned.max(), 500_000));
        assert!(sent.equivalent(sent.max(), 100_000));
    }
}
