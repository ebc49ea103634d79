//! The phases that one variant goes through, and what they found.

use orders_load::{LoadReport, Step, StepReport};
use orders_report::Variant;
use tidemill::profiling::FoldedStacks;

use super::error::JobError;
use super::plan;
use super::progress;
use super::session::Session;
use super::vars::Spent;

/// What was found out about one variant.
pub(crate) struct Measured {
    pub(crate) variant: Variant,
    /// Closed loop, every connection busy.
    pub(crate) saturated: LoadReport,
    /// The same orders until the last of them had come to its end.
    pub(crate) costs: Costs,
    /// The rate that both variants are given, in orders per second.
    pub(crate) rate: f64,
    /// Open loop, at that rate.
    pub(crate) steady: LoadReport,
    /// A share of the variant's own capacity, in orders per second.
    pub(crate) own_rate: f64,
    /// Open loop, at that rate.
    pub(crate) own: LoadReport,
    /// Open loop, up to twice the variant's own capacity.
    pub(crate) ladder: LoadReport,
    /// The server's largest resident set, after saturation and steady load.
    pub(crate) peak_rss_bytes: u64,
    /// Where the saturated server's CPU time went.
    pub(crate) profile: FoldedStacks,
}

/// What a number of orders cost the server process, from the first request to the last order's end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    pub(crate) orders: u64,
    /// Orders delivered or cancelled per second while the load was on.
    pub(crate) finish_rate: f64,
    pub(crate) spent: Spent,
}

/// Takes a fresh session through all phases. Without a `rate` the steady phase takes the variant's own.
pub(crate) fn measure(session: &mut Session<'_>, variant: Variant, rate: Option<f64>) -> Result<Measured, JobError> {
    warm_up(session, variant)?;
    let (saturated, costs) = saturate(session, variant)?;

    let capacity = saturated.goodput();
    let own_rate = capacity * plan::STEADY_LOAD;
    let rate = rate.unwrap_or(own_rate);
    let steady = offer(session, variant, rate)?;
    // Before the ladder fills queues, and the profiler reads debug information.
    let peak_rss_bytes = session.vars()?.peak_rss_bytes();
    let own = if rate == own_rate { steady.clone() } else { offer(session, variant, own_rate)? };

    let ladder = climb(session, variant, capacity)?;
    let profile = profile(session, variant)?;
    drain(session, variant)?;
    Ok(Measured { variant, saturated, costs, rate, steady, own_rate, own, ladder, peak_rss_bytes, profile })
}

fn warm_up(session: &mut Session<'_>, variant: Variant) -> Result<(), JobError> {
    let work = || {
        let report = session.saturate(plan::WARM_UP)?;
        session.drain()?;
        Ok(report)
    };
    progress::step(&title(variant, "warm-up"), work, accepted).map(drop)
}

fn saturate(session: &mut Session<'_>, variant: Variant) -> Result<(LoadReport, Costs), JobError> {
    let work = || {
        let before = session.vars()?;
        let report = session.saturate(plan::SATURATION)?;
        let finished = session.vars()?.finished() - before.finished();
        let spent = session.drain()?.since(&before);
        #[allow(clippy::cast_precision_loss)] // Orders of some seconds.
        let finish_rate = finished as f64 / report.elapsed.as_secs_f64();
        let costs = Costs { orders: report.accepted.len() as u64, finish_rate, spent };
        Ok((report, costs))
    };
    progress::step(&title(variant, "saturation"), work, |(report, _)| accepted(report))
}

/// Open loop at one rate; repeated if the generator itself was late.
fn offer(session: &mut Session<'_>, variant: Variant, rate: f64) -> Result<LoadReport, JobError> {
    let step = Step { rate, duration: plan::STEADY };
    let mut attempt = 1;
    loop {
        let what = format!("steady {rate:.0} orders/s");
        let report = progress::step(&title(variant, &what), || session.offer(&[step]), latencies)?;
        if report.is_valid() || attempt == plan::ATTEMPTS {
            return Ok(report);
        }
        attempt += 1;
    }
}

fn climb(session: &mut Session<'_>, variant: Variant, capacity: f64) -> Result<LoadReport, JobError> {
    let steps = plan::LADDER.map(|share| Step { rate: capacity * share, duration: plan::RUNG });
    progress::step(&title(variant, "ladder"), || session.offer(&steps), peak)
}

fn profile(session: &mut Session<'_>, variant: Variant) -> Result<FoldedStacks, JobError> {
    let work = || session.profile(plan::PROFILE_SECONDS);
    progress::step(&title(variant, "CPU profile"), work, |profile| format!("{} samples", profile.samples()))
}

fn drain(session: &Session<'_>, variant: Variant) -> Result<(), JobError> {
    let result = |_: &_| "every accepted order has come to its end".to_owned();
    progress::step(&title(variant, "drain"), || session.drain(), result).map(drop)
}

fn title(variant: Variant, phase: &str) -> String {
    format!("{}: {phase}", variant.name())
}

fn accepted(report: &LoadReport) -> String {
    format!("{:.0} orders/s accepted", report.goodput())
}

fn peak(report: &LoadReport) -> String {
    let best = report.steps.iter().map(StepReport::goodput).fold(0.0, f64::max);
    let last = report.steps.last().map_or(0.0, StepReport::goodput);
    format!("at most {best:.0} orders/s accepted, {last:.0} at twice the capacity")
}

fn latencies(report: &LoadReport) -> String {
    let planned = report.latency().planned;
    #[allow(clippy::cast_precision_loss)] // Microseconds of a few seconds.
    let [p50, p99] = [0.5, 0.99].map(|quantile| planned.value_at_quantile(quantile) as f64 / 1e3);
    let verdict = if report.is_valid() { "" } else { " (the generator was late itself)" };
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms{verdict}")
}
