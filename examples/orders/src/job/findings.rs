//! From the measurements of both variants to the report: one table, the curves, the promises.

use orders_load::{LoadReport, Mode, StepReport};
use orders_report::{Bars, Comparison, CpuShare, Curve, FlameGraph, Invariant, Report, Row, Rung, Steps};

use super::environment::Fact;
use super::error::{Doing, JobError};
use super::kinds;
use super::measure::Measured;
use super::plan;

/// Bytes of the units shown.
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;
/// Latencies are recorded in microseconds.
const MS_PER_UNIT: f64 = 1e-3;

/// The report of a whole job.
pub(crate) fn report(
    naive: &Measured,
    tuned: &Measured,
    invariants: Vec<Invariant>,
    environment: Vec<Fact>,
) -> Result<Report, JobError> {
    let both = [naive, tuned];
    let comparison = comparison(naive, tuned);
    Ok(Report {
        latency: latency_curves(naive, tuned),
        throughput: both.map(throughput).to_vec(),
        bars: bars(naive, tuned),
        ladder: both.into_iter().flat_map(rungs).collect(),
        cpu: cpu(naive, tuned),
        invariants,
        flame_graphs: both.into_iter().map(flame_graph).collect::<Result<_, _>>()?,
        environment,
        commands: commands(),
        comparison,
    })
}

/// The phases whose latencies say more about the generator than about the server.
pub(crate) fn late_phases(measured: &Measured) -> Vec<String> {
    let phases = [("steady", &measured.steady), ("own rate", &measured.own)];
    let late = phases.into_iter().filter(|(_, load)| !load.is_valid());
    late.map(|(phase, _)| format!("{}, {phase}", measured.variant.name())).collect()
}

/// The table: each row says what it measures.
fn comparison(naive: &Measured, tuned: &Measured) -> Comparison {
    let (n, t) = (Figures::of(naive), Figures::of(tuned));
    let rate = naive.rate;
    let at_rate = format!("at {rate:.0} orders/s");
    Comparison {
        rows: vec![
            Row::higher("accepted = committed, saturated", "orders/s", n.accepted, t.accepted).headline("throughput"),
            Row::higher("delivered or cancelled meanwhile", "orders/s", n.finished, t.finished),
            Row::lower(format!("p50 {at_rate}"), "ms", n.p50, t.p50),
            Row::lower(format!("p99 {at_rate}"), "ms", n.p99, t.p99).headline(format!("p99 latency {at_rate}")),
            Row::lower(format!("p99.9 {at_rate}"), "ms", n.p999, t.p999),
            Row::lower(
                format!("p99 at {:.0} % of own capacity", plan::STEADY_LOAD * 100.0),
                "ms",
                n.own_p99,
                t.own_p99,
            ),
            Row::higher("goodput at twice the capacity", "orders/s", n.overload, t.overload),
            Row::lower("allocations per order", "", n.allocations, t.allocations).headline("allocations per order"),
            Row::lower("bytes allocated per order", "KiB", n.kib, t.kib),
            Row::lower("CPU per 1,000 orders, saturated", "s", n.cpu, t.cpu).headline("CPU per order"),
            Row::lower("of it in the allocator", "s", n.allocator_cpu, t.allocator_cpu),
            Row::lower("peak resident memory", "MiB", n.peak_mib, t.peak_mib),
        ],
        notes: notes(naive, tuned),
    }
}

fn notes(naive: &Measured, tuned: &Measured) -> Vec<String> {
    vec![
        format!(
            "Latencies from the planned send time, open loop, Poisson arrivals; {:.0} % of own capacity is {:.0} and {:.0} orders/s.",
            plan::STEADY_LOAD * 100.0,
            naive.own_rate,
            tuned.own_rate,
        ),
        "Allocations, CPU and memory are the server process's alone; costs of an order run from its acceptance to its delivery."
            .to_owned(),
    ]
}

/// One variant's column of the table.
struct Figures {
    accepted: f64,
    finished: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    own_p99: f64,
    overload: f64,
    allocations: f64,
    kib: f64,
    cpu: f64,
    allocator_cpu: f64,
    peak_mib: f64,
}

impl Figures {
    #[allow(clippy::cast_precision_loss)] // Counts of a minute.
    fn of(measured: &Measured) -> Self {
        let costs = measured.costs;
        let orders = costs.orders as f64;
        let cpu = costs.spent.cpu_seconds * 1000.0 / orders;
        Self {
            accepted: measured.saturated.goodput(),
            finished: costs.finish_rate,
            p50: quantile_ms(&measured.steady, 0.5),
            p99: quantile_ms(&measured.steady, 0.99),
            p999: quantile_ms(&measured.steady, 0.999),
            own_p99: quantile_ms(&measured.own, 0.99),
            overload: measured.ladder.steps.last().map_or(f64::NAN, StepReport::goodput),
            allocations: costs.spent.allocations as f64 / orders,
            kib: costs.spent.allocated_bytes as f64 / orders / KIB,
            cpu,
            allocator_cpu: cpu * kinds::share(&measured.profile, kinds::ALLOCATOR),
            peak_mib: measured.peak_rss_bytes as f64 / MIB,
        }
    }
}

#[allow(clippy::cast_precision_loss)] // Microseconds of a few seconds.
fn quantile_ms(report: &LoadReport, quantile: f64) -> f64 {
    report.latency().planned.value_at_quantile(quantile) as f64 * MS_PER_UNIT
}

fn latency_curves(naive: &Measured, tuned: &Measured) -> Vec<Curve> {
    let curve = |measured: &Measured, load: &LoadReport, rate: f64| {
        Curve::new(measured.variant, format!("{rate:.0} orders/s"), &load.latency().planned, MS_PER_UNIT)
    };
    vec![
        curve(naive, &naive.steady, naive.rate),
        curve(tuned, &tuned.steady, tuned.rate),
        curve(tuned, &tuned.own, tuned.own_rate).dashed(),
    ]
}

#[allow(clippy::cast_precision_loss)] // Counts of a second.
fn throughput(measured: &Measured) -> Steps {
    let saturated = &measured.saturated;
    debug_assert_eq!(saturated.mode, Mode::Closed);
    // The seconds are whole but for the last, in which requests only end.
    let whole = usize::try_from(saturated.duration.as_secs()).unwrap_or(usize::MAX);
    let seconds = saturated.seconds.iter().take(whole).enumerate();
    let points = seconds.map(|(second, figures)| (second as f64 + 0.5, figures.accepted as f64)).collect();
    Steps { variant: measured.variant, points }
}

#[allow(clippy::cast_precision_loss)] // Microseconds of a few seconds.
fn rungs(measured: &Measured) -> Vec<Rung> {
    let rung = |step: &StepReport| Rung {
        variant: measured.variant,
        offered: step.step.rate,
        accepted: step.goodput(),
        p99_ms: step.latency.planned.value_at_quantile(0.99) as f64 * MS_PER_UNIT,
    };
    measured.ladder.steps.iter().map(rung).collect()
}

fn bars(naive: &Measured, tuned: &Measured) -> Vec<Bars> {
    let (naive, tuned) = (Figures::of(naive), Figures::of(tuned));
    let bars = |title: &str, figure: fn(&Figures) -> f64| Bars {
        title: title.to_owned(),
        naive: figure(&naive),
        tuned: figure(&tuned),
    };
    vec![
        bars("Allocations per order", |figures| figures.allocations),
        bars("KiB allocated per order", |figures| figures.kib),
        bars("CPU milliseconds per order", |figures| figures.cpu),
        bars("Peak resident memory, MiB", |figures| figures.peak_mib),
    ]
}

fn cpu(naive: &Measured, tuned: &Measured) -> Vec<CpuShare> {
    let shares = |measured: &Measured| kinds::shares(&measured.profile);
    let pairs = shares(naive).into_iter().zip(shares(tuned));
    pairs.map(|((kind, naive), (_, tuned))| CpuShare { kind: kind.to_owned(), naive, tuned }).collect()
}

fn flame_graph(measured: &Measured) -> Result<FlameGraph, JobError> {
    let name = measured.variant.name();
    let mut svg = Vec::new();
    let title = format!("CPU time of the {name} order service, saturated");
    measured.profile.write_svg(&title, &mut svg).doing(|| format!("drawing the {name} flame graph"))?;
    Ok(FlameGraph { variant: measured.variant, svg: String::from_utf8_lossy(&svg).into_owned() })
}

fn commands() -> Vec<(String, String)> {
    [
        ("All of it", "cargo run --release -p orders"),
        (
            "One server, to try it by hand",
            "cargo run --release -p orders -- serve --variant tuned --db orders.db --listen 127.0.0.1:8080",
        ),
        (
            "A flame graph of that server while it is under load",
            "curl -o flamegraph.svg 'http://127.0.0.1:8080/debug/pprof/flamegraph?seconds=5'",
        ),
    ]
    .map(|(what, command)| (what.to_owned(), command.to_owned()))
    .to_vec()
}
