//! A report of made-up numbers, to see the layout: `cargo run -p orders-report --example sample -- FOLDER`.

use std::path::Path;

use hdrhistogram::Histogram;
use orders_report::{Bars, Comparison, CpuShare, Curve, FlameGraph, Invariant, Report, Row, Rung, Steps, Variant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: sample FOLDER")?;
    let report = sample()?;
    print!("{}", report.comparison);
    println!("{}", report.write_html(Path::new(&folder))?.display());
    Ok(())
}

fn sample() -> Result<Report, Box<dyn std::error::Error>> {
    Ok(Report {
        comparison: comparison(),
        latency: vec![
            Curve::new(Variant::Naive, "560 orders/s", &latencies(9000.0)?, 1e-3),
            Curve::new(Variant::Tuned, "560 orders/s", &latencies(700.0)?, 1e-3),
            Curve::new(Variant::Tuned, "14,700 orders/s", &latencies(2100.0)?, 1e-3).dashed(),
        ],
        throughput: vec![steps(Variant::Naive, 812.0), steps(Variant::Tuned, 21_000.0)],
        bars: vec![
            Bars { title: "allocations per order".into(), naive: 1234.0, tuned: 9.5 },
            Bars { title: "kilobytes allocated per order".into(), naive: 210.0, tuned: 1.3 },
        ],
        ladder: [(0.25, 1.0), (0.5, 1.1), (1.0, 4.0), (2.0, 60.0)]
            .iter()
            .flat_map(|&(load, slow)| {
                [rung(Variant::Naive, 812.0, load, slow), rung(Variant::Tuned, 21_000.0, load, slow)]
            })
            .collect(),
        cpu: vec![
            CpuShare { kind: "allocator".into(), naive: 0.31, tuned: 0.02 },
            CpuShare { kind: "SQLite".into(), naive: 0.22, tuned: 0.41 },
        ],
        invariants: vec![
            invariant(Variant::Naive, true, "nothing lost"),
            invariant(Variant::Tuned, false, "nothing charged twice"),
        ],
        flame_graphs: vec![graph(Variant::Naive), graph(Variant::Tuned)],
        environment: vec![("CPU".into(), "a made-up one, 2 cores".into()), ("kernel".into(), "Linux 6.18".into())],
        commands: vec![("The whole comparison".into(), "cargo run --release -p orders".into())],
    })
}

fn comparison() -> Comparison {
    Comparison {
        rows: vec![
            Row::higher("accepted = committed, saturated", "orders/s", 812.0, 21_000.0).headline("throughput"),
            Row::lower("p99 at 560 orders/s", "ms", 41.0, 3.2).headline("p99 latency"),
            Row::lower("allocations per order", "", 1234.0, 9.5).headline("allocations"),
            Row::lower("peak memory", "MiB", 96.0, 104.0),
        ],
        notes: vec!["latency is counted from the planned send time".into()],
    }
}

/// Waits of a queue: exponential, by inversion over an even grid.
fn latencies(mean_us: f64) -> Result<Histogram<u64>, Box<dyn std::error::Error>> {
    const ORDERS: u32 = 20_000;
    let mut histogram = Histogram::new(3)?;
    for order in 0..ORDERS {
        let rank = (f64::from(order) + 0.5) / f64::from(ORDERS);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // Microseconds, rounded.
        histogram.record((mean_us * (0.3 - (1.0 - rank).ln())) as u64)?;
    }
    Ok(histogram)
}

fn steps(variant: Variant, rate: f64) -> Steps {
    let wobble = |second: u32| rate * (1.0 + 0.06 * f64::from(second).sin());
    Steps { variant, points: (0..8).map(|second| (f64::from(second), wobble(second))).collect() }
}

fn rung(variant: Variant, capacity: f64, load: f64, slow: f64) -> Rung {
    let offered = capacity * load;
    Rung { variant, offered, accepted: offered.min(capacity * 0.96), p99_ms: slow * 1500.0 / capacity }
}

fn invariant(variant: Variant, held: bool, name: &str) -> Invariant {
    Invariant { variant, name: name.into(), held, detail: "12,345 orders".into() }
}

fn graph(variant: Variant) -> FlameGraph {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"80\">\
               <rect width=\"600\" height=\"80\" fill=\"#fc8\"/><text x=\"20\" y=\"50\">main</text></svg>";
    FlameGraph { variant, svg: svg.into() }
}
