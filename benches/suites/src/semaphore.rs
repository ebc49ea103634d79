//! Semaphores and bulkheads: a permit taken and given back while there are enough.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use tidemill::resilience::{AdaptiveLimit, AdaptivePermit, Bulkhead, Gradient2};
use tokio::sync::Semaphore;

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "semaphore",
    measures: "taking and giving back a permit that is free; the same of a limit that finds itself; one thread, and two on one object",
    leaves_out: "waiting for a permit, and in which order those who wait get it; how well the limit is found",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const PERMITS: usize = 64;

fn benches() -> Vec<Bench> {
    [1, 2].map(bench).into_iter().chain([1, 2].map(adaptive)).collect()
}

/// Beside the floor alone: tower-resilience's, the one peer, is a layer around a service and gives out no permits.
fn adaptive(threads: u64) -> Bench {
    let cases = vec![
        case(
            "tidemill AdaptiveLimit",
            threads,
            || {
                let builder = AdaptiveLimit::builder(Gradient2::default()).initial(PERMITS as u32);
                builder.range(PERMITS as u32, PERMITS as u32).build().expect("the options are valid")
            },
            |limit| limit.try_acquire().map(AdaptivePermit::success).is_ok(),
        ),
        Case::floor("floor: two clock reads", move || {
            // Of times that do not go back one is not later than the other.
            let both = || black_box(Instant::now()) <= black_box(Instant::now());
            move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(both())).sum())
        }),
    ];
    Bench::counted(format!("adaptive limit, a call, {threads} thread(s)"), 500_000, cases)
}

fn bench(threads: u64) -> Bench {
    let cases = vec![
        case(
            "tidemill Bulkhead",
            threads,
            || Bulkhead::builder(PERMITS as u32).build().expect("the options are valid"),
            |bulkhead| bulkhead.try_acquire().is_ok(),
        ),
        case("tokio Semaphore", threads, || Semaphore::new(PERMITS), |semaphore| semaphore.try_acquire().is_ok()),
        Case::floor("floor: two atomic writes", move || {
            let word = AtomicU64::new(0);
            let both = move || {
                // Relaxed: what it costs does not depend on it here.
                let before = black_box(word.fetch_add(1, Ordering::Relaxed));
                before < black_box(word.fetch_sub(1, Ordering::Relaxed)) + PERMITS as u64
            };
            move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(both())).sum())
        }),
    ];
    Bench::counted(format!("acquire + release, {threads} thread(s)"), 500_000, cases)
}

fn case<S: Sync + 'static>(
    name: &'static str,
    threads: u64,
    start: impl Fn() -> S + 'static,
    permit: impl Fn(&S) -> bool + Copy + Sync + 'static,
) -> Case {
    Case::new(name, move || {
        let semaphore = start();
        move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(permit(&semaphore))).sum())
    })
}
