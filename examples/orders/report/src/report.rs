//! The data of a report. Everything here is plain: the job measures, this crate only shows.

use hdrhistogram::Histogram;

use crate::Comparison;

/// Which implementation a figure belongs to. Each has its colour in every picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The straightforward implementation.
    Naive,
    /// The one built for the machine.
    Tuned,
}

impl Variant {
    /// Both, in the order of every picture.
    pub const ALL: [Self; 2] = [Self::Naive, Self::Tuned];

    /// The name shown, and given on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Tuned => "tuned",
        }
    }
}

/// Latency over percentile.
///
/// ```
/// use hdrhistogram::Histogram;
/// use orders_report::{Curve, Variant};
///
/// let mut micros = Histogram::<u64>::new(3)?;
/// (1..=2000).try_for_each(|us| micros.record(us))?;
/// let curve = Curve::new(Variant::Tuned, "500 orders/s", &micros, 1e-3);
/// assert_eq!(curve.points.iter().find(|(percent, _)| *percent >= 90.0).map(|(_, ms)| *ms), Some(1.8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Whose latency.
    pub variant: Variant,
    /// What distinguishes the curve, such as the rate; shown in the legend.
    pub label: String,
    /// A second curve of the same variant is drawn dashed.
    pub dashed: bool,
    /// (percentile 0 to 100, milliseconds), rising.
    pub points: Vec<(f64, f64)>,
}

/// Percentiles of a curve: five per nine, so that the line is smooth on a scale of nines.
const STEPS_PER_NINE: u32 = 8;
/// The curve ends at 99.99 %: beyond it a run of a minute has a handful of samples.
const NINES: u32 = 4;

impl Curve {
    /// Takes the percentiles out of a histogram of which one unit is `unit_ms` milliseconds (0.001 if it
    /// counts microseconds). The curve ends where fewer than five samples lie above it.
    #[must_use]
    pub fn new(variant: Variant, label: impl Into<String>, histogram: &Histogram<u64>, unit_ms: f64) -> Self {
        let steps = (0..=NINES * STEPS_PER_NINE).map(|step| f64::from(step) / f64::from(STEPS_PER_NINE));
        let above = |nines: f64| 10_f64.powf(-nines);
        #[allow(clippy::cast_precision_loss)] // Counts and latencies are far below 2^52.
        let points = steps
            .filter(|&nines| above(nines) * histogram.len() as f64 >= MIN_SAMPLES_ABOVE)
            .map(|nines| (1.0 - above(nines)) * 100.0)
            .map(|percent| (percent, histogram.value_at_percentile(percent) as f64 * unit_ms))
            .collect();
        Self { variant, label: label.into(), dashed: false, points }
    }

    /// Draws the curve dashed.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }
}

/// A percentile with fewer samples above it says more about chance than about the service.
const MIN_SAMPLES_ABOVE: f64 = 5.0;

/// A rate over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Whose rate.
    pub variant: Variant,
    /// (seconds since the phase began, orders per second).
    pub points: Vec<(f64, f64)>,
}

/// One rung of the load ladder: what came of an offered rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// Whose answer.
    pub variant: Variant,
    /// Orders per second offered, open loop.
    pub offered: f64,
    /// Orders per second accepted.
    pub accepted: f64,
    /// 99th percentile from the planned send time, in milliseconds.
    pub p99_ms: f64,
}

/// A figure as a pair of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// The figure and its unit.
    pub title: String,
    /// The naive variant's value.
    pub naive: f64,
    /// The tuned variant's value.
    pub tuned: f64,
}

/// The CPU time of one kind of work, as shares of all.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuShare {
    /// The kind, such as `allocator` or `SQLite`.
    pub kind: String,
    /// The naive variant's share of its CPU samples, 0 to 1.
    pub naive: f64,
    /// The tuned variant's share of its CPU samples, 0 to 1.
    pub tuned: f64,
}

/// Something that must hold after the run, and whether it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invariant {
    /// Whose run.
    pub variant: Variant,
    /// The promise.
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// The figures it was judged by.
    pub detail: String,
}

/// A flame graph, a self-contained SVG.
///
/// ```
/// use orders_report::{FlameGraph, Variant};
///
/// let graph = FlameGraph { variant: Variant::Naive, svg: "<svg/>".into() };
/// assert_eq!(graph.file_name(), "flamegraph-naive.svg");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlameGraph {
    /// Whose CPU time.
    pub variant: Variant,
    /// The picture.
    pub svg: String,
}

impl FlameGraph {
    /// The name of its file, beside the report.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("flamegraph-{}.svg", self.variant.name())
    }
}

/// All that a report shows. An empty list leaves its section out.
///
/// ```
/// use orders_report::{Bars, Report};
///
/// let bars = Bars { title: "Allocations per order".into(), naive: 400.0, tuned: 8.0 };
/// let page = Report { bars: vec![bars], ..Report::default() }.to_html();
/// assert!(page.contains("What an order costs") && !page.contains("Flame graphs"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The table.
    pub comparison: Comparison,
    /// Latency percentiles.
    pub latency: Vec<Curve>,
    /// Throughput while saturated.
    pub throughput: Vec<Steps>,
    /// Figures as bars, one picture each.
    pub bars: Vec<Bars>,
    /// The load ladder.
    pub ladder: Vec<Rung>,
    /// Where the CPU time went.
    pub cpu: Vec<CpuShare>,
    /// What must hold.
    pub invariants: Vec<Invariant>,
    /// The flame graphs.
    pub flame_graphs: Vec<FlameGraph>,
    /// The machine and the build: (name, value).
    pub environment: Vec<(String, String)>,
    /// How to repeat it: (what it does, command).
    pub commands: Vec<(String, String)>,
}
