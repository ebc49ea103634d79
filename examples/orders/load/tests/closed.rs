//! The closed loop: throughput, and why its latencies are no ones to judge by.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{ACCEPT, MS, Reaction, plan, serve};
use orders_load::{Class, LoadReport, Mode, saturate};

fn saturated(
    connections: usize,
    duration: Duration,
    react: impl Fn(u64) -> Reaction + Send + Sync + 'static,
) -> LoadReport {
    common::run(async {
        let addr = serve(react).await;
        saturate(plan(addr).connections(connections).build().unwrap(), duration).await.unwrap()
    })
}

#[test]
fn the_throughput_is_what_the_server_allows() {
    let report = saturated(4, 300 * MS, |_| Reaction { after: 10 * MS, ..ACCEPT });
    // Four connections, each at most one request in 10 ms.
    assert!((150.0..=400.0).contains(&report.goodput()), "{report}");
    assert_eq!(report.mode, Mode::Closed);
    assert_eq!(report.counts().of(Class::Accepted), report.counts().total());
    assert_eq!(report.accepted.len() as u64, report.counts().total());
    assert_eq!((report.dropped(), report.planned()), (0, report.counts().total()));
}

#[test]
fn every_request_has_its_own_number() {
    let report = saturated(8, 50 * MS, |_| ACCEPT);
    let mut orders = report.accepted.clone();
    orders.sort_unstable();
    assert_eq!(orders, (0..report.counts().total()).collect::<Vec<_>>());
}

#[test]
fn a_lost_connection_is_opened_again() {
    let report = saturated(2, 100 * MS, |n| Reaction { reset: n % 2 == 1, ..ACCEPT });
    assert!(report.counts().of(Class::Io) > 5, "{report}");
    assert!(report.counts().of(Class::Accepted) > 5, "{report}");
}

#[test]
fn the_summary_warns_of_coordinated_omission() {
    let text = saturated(1, 20 * MS, |_| ACCEPT).to_string();
    assert!(text.starts_with("closed loop, 1 connections, 0.0 s\n"), "{text}");
    assert!(text.contains("no latencies to judge by"), "{text}");
    assert!(!text.contains("offered"), "{text}");
}
