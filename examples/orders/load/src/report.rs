//! The result of a run.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{
    Class, Counts, Schedule, Step,
    cpu::process_cpu,
    limits,
    recorder::{StepRecord, histogram},
    shared::Shared,
};

/// Which loop made the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By a schedule, whatever the server does.
    Open,
    /// Each connection as fast as its answers come.
    Closed,
}

/// Latencies in microseconds of the accepted and the timed-out requests, from two clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// From the planned send time: what a user waits. The one to judge a server by.
    pub planned: Histogram<u64>,
    /// From the actual send time: what a closed loop would have seen. The gap between the two is
    /// coordinated omission.
    pub sent: Histogram<u64>,
}

/// One second of the run, by planned time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// Requests sent or given up in a queue of the generator; dropped ones are not among them.
    pub sent: u64,
    /// Requests accepted.
    pub accepted: u64,
    /// Median latency from the planned time, to two digits; zero if nothing was measured.
    pub p50: Duration,
    /// 99th percentile of the same.
    pub p99: Duration,
}

/// One step of the schedule and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Rate and length; in a closed loop the rate is the one reached.
    pub step: Step,
    /// Requests planned; in a closed loop those sent.
    pub planned: u64,
    /// Requests not sent because too many were in flight.
    pub dropped: u64,
    /// Requests that were sent, by their end.
    pub counts: Counts,
    /// Their latencies.
    pub latency: Latency,
    /// From the start of the step to its last end, at least its planned length.
    pub elapsed: Duration,
}

impl StepReport {
    /// Accepted requests per second.
    pub fn goodput(&self) -> f64 {
        self.counts.of(Class::Accepted) as f64 / self.elapsed.as_secs_f64()
    }
}

/// Everything a run found out; [`Display`](std::fmt::Display) prints the summary.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadReport {
    /// Open or closed.
    pub mode: Mode,
    /// Connections used.
    pub connections: usize,
    /// How long requests were planned for.
    pub duration: Duration,
    /// From the start to the end of the last request, at least `duration`.
    pub elapsed: Duration,
    /// One entry per step of the schedule.
    pub steps: Vec<StepReport>,
    /// How much later than planned the generator was ready to send, in microseconds. Waiting for a
    /// connection whose answer has not come is not in it: that is the server's doing.
    pub lag: Histogram<u64>,
    /// The course of the run.
    pub seconds: Vec<Second>,
    /// The numbers of the accepted orders, in the order of their answers: a checker can prove that
    /// none was lost.
    pub accepted: Vec<u64>,
    /// Accepted requests whose answer did not say a number.
    pub unidentified: u64,
    /// CPU time of the whole process during the run: the generator's if it runs alone.
    pub cpu: Option<Duration>,
}

/// What was planned, step by step, before it was sent.
pub(crate) struct Planned {
    duration: Duration,
    /// Rate, length and requests of each step; no requests are planned for a closed loop.
    steps: Vec<(Step, Option<u64>)>,
}

impl From<&Schedule> for Planned {
    fn from(schedule: &Schedule) -> Self {
        let steps = schedule.steps().iter().copied().zip(schedule.planned().into_iter().map(Some));
        Self { duration: schedule.duration(), steps: steps.collect() }
    }
}

impl Planned {
    pub(crate) fn closed(duration: Duration) -> Self {
        Self { duration, steps: vec![(Step { rate: 0.0, duration }, None)] }
    }
}

impl LoadReport {
    pub(crate) fn new(mode: Mode, shared: &Shared, planned: Planned, cpu_before: Option<Duration>) -> Self {
        let cpu = process_cpu().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        let mut recorder = shared.recorder();
        let last_end = recorder.steps.iter().map(|step| step.last_end).max().unwrap_or_default();
        let mut start = Duration::ZERO;
        let mut steps = Vec::with_capacity(planned.steps.len());
        let records = std::mem::take(&mut recorder.steps).into_iter().zip(shared.dropped());
        for ((step, count), (record, dropped)) in planned.steps.into_iter().zip(records) {
            steps.push(step_report(step, count, dropped, record, start));
            start += step.duration;
        }
        Self {
            mode,
            connections: shared.plan.connections,
            duration: planned.duration,
            elapsed: last_end.max(planned.duration),
            steps,
            lag: recorder.lag.clone(),
            seconds: recorder.seconds(),
            accepted: std::mem::take(&mut recorder.accepted),
            unidentified: recorder.unidentified,
            cpu,
        }
    }

    /// The ends of all requests.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.steps.iter().for_each(|step| sum.merge(&step.counts));
        sum
    }

    /// Requests planned.
    pub fn planned(&self) -> u64 {
        self.steps.iter().map(|step| step.planned).sum()
    }

    /// Requests not sent because too many were in flight.
    pub fn dropped(&self) -> u64 {
        self.steps.iter().map(|step| step.dropped).sum()
    }

    /// Requests planned per second.
    pub fn offered_rate(&self) -> f64 {
        self.planned() as f64 / self.duration.as_secs_f64()
    }

    /// Requests answered per second, with whatever status.
    pub fn achieved_rate(&self) -> f64 {
        self.counts().answered() as f64 / self.elapsed.as_secs_f64()
    }

    /// Requests accepted per second.
    pub fn goodput(&self) -> f64 {
        self.counts().of(Class::Accepted) as f64 / self.elapsed.as_secs_f64()
    }

    /// The latencies of all steps together. Adds up histograms.
    pub fn latency(&self) -> Latency {
        let mut sum = Latency { planned: histogram(), sent: histogram() };
        for step in &self.steps {
            let added = sum.planned.add(&step.latency.planned).and(sum.sent.add(&step.latency.sent));
            added.expect("all histograms have the same bounds");
        }
        sum
    }

    /// The 99th percentile of the generator's lag.
    pub fn lag_p99(&self) -> Duration {
        Duration::from_micros(self.lag.value_at_quantile(0.99))
    }

    /// Whether the load was as planned, as far as that was the generator's part: its lag is at most
    /// [`limits::LAG_LIMIT`]. If not, the latencies say more about the generator than the server.
    pub fn is_valid(&self) -> bool {
        self.lag_p99() <= limits::LAG_LIMIT
    }
}

fn step_report(step: Step, planned: Option<u64>, dropped: u64, record: StepRecord, start: Duration) -> StepReport {
    let StepRecord { counts, latency, last_end } = record;
    let elapsed = last_end.saturating_sub(start).max(step.duration);
    let reached = counts.total() as f64 / elapsed.as_secs_f64();
    let step = if planned.is_some() { step } else { Step { rate: reached, ..step } };
    let planned = planned.unwrap_or_else(|| counts.total());
    StepReport { step, planned, dropped, counts, latency, elapsed }
}
