//! The open loop against a service that stalls, refuses, hangs up and keeps silent.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use common::{ACCEPT, MS, Reaction, plan, serve};
use orders_load::{Arrivals, Class, LoadError, LoadReport, Mode, Schedule, Step, run};

fn constant(rate: f64, duration: Duration) -> Schedule {
    Schedule::new(Arrivals::Constant, rate, duration, 0).unwrap()
}

fn quantile(histogram: &hdrhistogram::Histogram<u64>, q: f64) -> Duration {
    Duration::from_micros(histogram.value_at_quantile(q))
}

/// Each planned request is found again exactly once.
fn assert_complete(report: &LoadReport) {
    assert_eq!(report.counts().total() + report.dropped(), report.planned());
    assert_eq!(report.seconds.iter().map(|s| s.sent).sum::<u64>(), report.counts().total());
    let accepted = report.accepted.len() as u64 + report.unidentified;
    assert_eq!(accepted, report.counts().of(Class::Accepted));
}

#[test]
fn the_planned_rate_is_kept_and_every_order_is_known() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let report = common::run(async {
            let addr = serve(|_| ACCEPT).await;
            let schedule = Schedule::new(arrivals, 2000.0, 300 * MS, 7).unwrap();
            run(plan(addr).build().unwrap(), schedule).await.unwrap()
        });
        assert_complete(&report);
        let mut orders = report.accepted.clone();
        orders.sort_unstable();
        assert_eq!(orders, (0..report.planned()).collect::<Vec<_>>());
        let (offered, achieved) = (report.offered_rate(), report.achieved_rate());
        assert!((offered / 2000.0 - 1.0).abs() < 0.15, "offered {offered}");
        assert!(achieved / offered > 0.8, "achieved {achieved} of {offered}");
        assert_eq!((report.mode, report.dropped()), (Mode::Open, 0));
    }
}

#[test]
fn a_stall_that_a_closed_loop_hides_shows_from_the_planned_time() {
    const STALL: Duration = Duration::from_millis(200);
    let report = common::run(async {
        // The service stands still once: whatever arrives while it does is answered at its end.
        let stalled = Arc::new(std::sync::Mutex::new(None::<Instant>));
        let addr = serve(move |n| {
            let mut end = stalled.lock().unwrap();
            if n == 100 {
                *end = Some(Instant::now() + STALL);
            }
            let left = end.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
            Reaction { after: left, ..ACCEPT }
        })
        .await;
        run(plan(addr).connections(2).build().unwrap(), constant(1000.0, 600 * MS)).await.unwrap()
    });
    assert_complete(&report);
    let latency = report.latency();
    // From the sending only the two requests on the wire were slow, fewer than one in a hundred ...
    assert!(quantile(&latency.sent, 0.99) < STALL / 2, "{report}");
    // ... but a third of all users waited for them.
    assert!(quantile(&latency.planned, 0.99) > STALL * 8 / 10, "{report}");
    assert!(quantile(&latency.planned, 0.80) > STALL / 4, "{report}");
    // The wait is the server's, not the generator's.
    assert!(quantile(&report.lag, 0.9) < STALL / 4, "{report}");
}

#[test]
fn beyond_the_limit_in_flight_requests_are_dropped_and_counted() {
    let report = common::run(async {
        let addr = serve(|_| Reaction { after: 100 * MS, ..ACCEPT }).await;
        let plan = plan(addr).connections(2).in_flight(10).build().unwrap();
        run(plan, constant(1000.0, 200 * MS)).await.unwrap()
    });
    assert_complete(&report);
    assert_eq!(report.planned(), 200);
    // Two connections take about one request each in 100 ms; ten may wait, the rest has no place.
    let sent = report.counts().total();
    assert!((10..=20).contains(&sent), "{report}");
    assert_eq!(report.dropped(), 200 - sent);
    assert!(report.to_string().contains(&format!("dropped {}", report.dropped())));
}

#[test]
fn each_end_is_counted_in_its_class() {
    let reactions = [
        (ACCEPT, Class::Accepted),
        (Reaction { status: 201, ..ACCEPT }, Class::Accepted),
        (Reaction { status: 409, ..ACCEPT }, Class::Conflict),
        (Reaction { status: 422, ..ACCEPT }, Class::Conflict),
        (Reaction { status: 429, ..ACCEPT }, Class::Throttled),
        (Reaction { status: 503, ..ACCEPT }, Class::Unavailable),
        (Reaction { status: 400, ..ACCEPT }, Class::ClientError),
        (Reaction { status: 500, ..ACCEPT }, Class::ServerError),
        (Reaction { status: 302, ..ACCEPT }, Class::Other),
        (Reaction { reset: true, ..ACCEPT }, Class::Io),
        (Reaction { after: 5000 * MS, ..ACCEPT }, Class::TimedOut),
    ];
    let rounds = 5;
    let planned = reactions.len() as u64 * rounds;
    let report = common::run(async {
        let addr = serve(move |n| reactions[n as usize % reactions.len()].0).await;
        let plan = plan(addr).connections(16).timeout(150 * MS).build().unwrap();
        run(plan, constant(500.0, 2 * MS * planned as u32)).await.unwrap()
    });
    assert_complete(&report);
    for class in Class::ALL {
        let expected = reactions.iter().filter(|(_, c)| *c == class).count() as u64 * rounds;
        assert_eq!(report.counts().of(class), expected, "{class} in {report}");
    }
    assert_eq!(report.accepted.len() as u64, 2 * rounds);
    assert_eq!(report.counts().answered(), 9 * rounds);
    // Time-outs are measured at the time they were given up.
    assert!(quantile(&report.latency().planned, 1.0) >= 150 * MS, "{report}");
}

#[test]
fn a_silent_server_ends_the_run_one_time_out_after_its_last_request() {
    let start = Instant::now();
    let report = common::run(async {
        let addr = serve(|_| Reaction { after: 60_000 * MS, ..ACCEPT }).await;
        let plan = plan(addr).connections(1).timeout(100 * MS).build().unwrap();
        run(plan, constant(200.0, 200 * MS)).await.unwrap()
    });
    assert_complete(&report);
    assert_eq!(report.counts().of(Class::TimedOut), 40);
    assert!(start.elapsed() < 2000 * MS, "{:?}", start.elapsed());
}

#[test]
fn a_ladder_is_reported_step_by_step() {
    let report = common::run(async {
        let addr = serve(|_| ACCEPT).await;
        let steps = [200.0, 1000.0].map(|rate| Step { rate, duration: 100 * MS });
        let schedule = Schedule::ladder(Arrivals::Constant, &steps, 0).unwrap();
        run(plan(addr).build().unwrap(), schedule).await.unwrap()
    });
    assert_complete(&report);
    let planned: Vec<_> = report.steps.iter().map(|step| (step.step.rate, step.planned)).collect();
    assert_eq!(planned, [(200.0, 20), (1000.0, 100)]);
    assert!(report.steps.iter().all(|step| step.counts.of(Class::Accepted) == step.planned));
    assert!(report.to_string().contains("steps"));
}

#[test]
fn the_id_parser_and_the_progress_are_the_plan_s() {
    let told = Arc::new(AtomicU64::new(0));
    let teller = Arc::clone(&told);
    let report = common::run(async {
        let addr = serve(|_| ACCEPT).await;
        let plan = plan(addr)
            .id_parser(|answer| (answer.body().len() > 11).then_some(answer.body().len() as u64))
            .on_progress(move |progress| {
                assert_eq!(progress.planned, 55);
                teller.store(progress.counts.total(), Ordering::Relaxed);
            })
            .build()
            .unwrap();
        run(plan, constant(50.0, 1100 * MS)).await.unwrap()
    });
    assert_complete(&report);
    assert_eq!(report.unidentified, 10, "{{\"order\":0}} to {{\"order\":9}} are too short for this parser");
    assert!(report.accepted.iter().all(|&length| length == 12));
    assert!(told.load(Ordering::Relaxed) >= 40);
    assert_eq!(report.seconds.len(), 2);
    assert_eq!(report.seconds[0].sent, 50);
}

#[test]
fn no_server_and_a_panicking_source_are_errors() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    common::run(async {
        let error = run(plan(nobody).build().unwrap(), constant(10.0, MS)).await.unwrap_err();
        assert!(matches!(error, LoadError::Connect { addr, .. } if addr == nobody));

        let addr = serve(|_| ACCEPT).await;
        let plan = plan(addr).source(|_| panic!("no more orders")).build().unwrap();
        let error = run(plan, constant(1000.0, 10 * MS)).await.unwrap_err();
        assert!(matches!(error, LoadError::Source));
    });
}

#[test]
fn a_dropped_run_stops_sending() {
    common::run(async {
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        let dropped = Arc::new(AtomicBool::new(false));
        let late = Arc::clone(&dropped);
        let addr = serve(move |_| {
            // One request may be on its way when the run is dropped, per connection.
            counter.fetch_add(u64::from(late.load(Ordering::Relaxed)), Ordering::Relaxed);
            ACCEPT
        })
        .await;
        let plan = plan(addr).build().unwrap();
        let running = run(plan, constant(500.0, 60_000 * MS));
        assert!(tokio::time::timeout(50 * MS, running).await.is_err());
        dropped.store(true, Ordering::Relaxed);
        tokio::time::sleep(150 * MS).await;
        // The pacer looks every 20 ms: about ten more requests at most.
        assert!(seen.load(Ordering::Relaxed) < 40, "{}", seen.load(Ordering::Relaxed));
    });
}
