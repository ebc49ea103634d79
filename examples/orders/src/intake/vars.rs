//! The counts and gauges of the service, as JSON and in the text format of Prometheus.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidemill::profiling::{AllocStats, ProcessStats};

use crate::Pipeline;

/// Every count under its name, then the gauges, then what the process has used.
pub(super) fn json(pipeline: &Pipeline) -> Value {
    let counts = pipeline.counters().list().into_iter().chain(gauges(pipeline));
    let mut vars: Map<String, Value> = counts.map(|(name, n)| (name, n.into())).collect();
    vars.insert("process".into(), process());
    vars.insert("allocator".into(), allocator());
    Value::Object(vars)
}

/// Counts as `orders_<name>_total`, gauges as `orders_<name>`.
pub(super) fn prometheus(pipeline: &Pipeline) -> String {
    let mut text = String::new();
    for (name, n) in pipeline.counters().list() {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "# TYPE orders_{name}_total counter\norders_{name}_total {n}");
    }
    for (name, n) in gauges(pipeline) {
        let _ = writeln!(text, "# TYPE orders_{name} gauge\norders_{name} {n}");
    }
    text
}

fn gauges(pipeline: &Pipeline) -> [(String, u64); 3] {
    let progress = pipeline.store().progress();
    [
        ("outbox_depth".to_owned(), progress.outbox_depth()),
        ("unpaid".to_owned(), progress.unpaid()),
        ("log_head".to_owned(), progress.head()),
    ]
}

fn process() -> Value {
    ProcessStats::read().map_or(Value::Null, |stats| {
        json!({
            "cpu_seconds": stats.cpu().as_secs_f64(),
            "user_seconds": stats.user.as_secs_f64(),
            "system_seconds": stats.system.as_secs_f64(),
            "rss_bytes": stats.rss_bytes,
            "peak_rss_bytes": stats.peak_rss_bytes,
            "voluntary_switches": stats.voluntary_switches,
            "involuntary_switches": stats.involuntary_switches,
        })
    })
}

fn allocator() -> Value {
    let stats = AllocStats::read();
    json!({
        "allocations": stats.allocations,
        "deallocations": stats.deallocations,
        "allocated_bytes": stats.allocated_bytes,
        "deallocated_bytes": stats.deallocated_bytes,
    })
}
