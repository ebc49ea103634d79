//! The page as a reader gets it: whole, self-contained, and without a section that has no data.
#![allow(clippy::unwrap_used)]

use hdrhistogram::Histogram;
use orders_report::{Comparison, Curve, FlameGraph, Invariant, Report, Row, Rung, Steps, Variant};

fn report() -> Report {
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    (1..=10_000_u64).for_each(|us| histogram.record(us).unwrap());
    Report {
        comparison: Comparison {
            rows: vec![Row::higher("a <rate>", "orders/s", 10.0, 250.0).headline("throughput")],
            notes: vec!["one & all".into()],
        },
        latency: Variant::ALL.map(|variant| Curve::new(variant, "10/s", &histogram, 1e-3)).to_vec(),
        throughput: vec![Steps { variant: Variant::Naive, points: vec![(0.0, 9.0), (1.0, 11.0)] }],
        ladder: vec![Rung { variant: Variant::Tuned, offered: 100.0, accepted: 99.0, p99_ms: 2.0 }],
        invariants: vec![Invariant {
            variant: Variant::Naive,
            name: "nothing lost".into(),
            held: false,
            detail: "2 orders".into(),
        }],
        flame_graphs: vec![FlameGraph {
            variant: Variant::Tuned,
            svg: "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>1 < 2 # %</script></svg>".into(),
        }],
        ..Report::default()
    }
}

#[test]
fn every_section_with_data_is_there() {
    let page = report().to_html();
    for wanted in
        ["25.0x", "a &lt;rate&gt;", "one &amp; all", "Latency", "Throughput", "p99 over offered", "broken", "<iframe"]
    {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
    for absent in ["What an order costs", "Machine and build", "Repeat it"] {
        assert!(!page.contains(absent), "{absent} has no data");
    }
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = report().to_html();
    let without_namespaces = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "@import", "url(", "<link", "<script"] {
        assert!(!without_namespaces.contains(outside), "{outside}");
    }
}

#[test]
fn charts_follow_the_theme() {
    let page = report().to_html();
    assert!(page.contains("stroke=\"var(--naive)\"") && page.contains("stroke=\"var(--tuned)\""));
    assert!(!page.contains("\"#0"), "a marker colour is left");
}

#[test]
fn files_are_written_side_by_side() {
    let folder = std::env::temp_dir().join(format!("orders-report-{}", std::process::id()));
    let path = report().write_html(&folder).unwrap();
    assert_eq!(path, folder.join("report.html"));
    assert!(folder.join("flamegraph-tuned.svg").is_file());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_curve_ends_where_samples_are_few() {
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    (1..=1000_u64).for_each(|us| histogram.record(us).unwrap());
    let curve = Curve::new(Variant::Naive, "", &histogram, 1e-3);
    let (last, ms) = *curve.points.last().unwrap();
    assert!((99.0..=99.5).contains(&last), "ends at {last} %");
    assert!((0.98..=1.0).contains(&ms), "{ms} ms");
    assert!(curve.points.is_sorted());
    assert!(Curve::new(Variant::Naive, "", &Histogram::new(3).unwrap(), 1.0).points.is_empty());
}

#[test]
fn an_empty_report_is_still_a_page() {
    let page = Report::default().to_html();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("<figure>"));
}
