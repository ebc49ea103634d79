//! Circuit breakers that are closed, around a call that succeeds.

use std::{
    convert::Infallible,
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use failsafe::{CircuitBreaker as _, Config, backoff, failure_policy};
use recloser::Recloser;
use std::time::Duration;
use tidemill::resilience::CircuitBreaker;

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "breaker",
    measures: "a call that succeeds through a breaker that is closed; one thread, and two through one breaker",
    leaves_out: "failures, opening and probing; how soon a breaker sees what it should",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

fn benches() -> Vec<Bench> {
    [1, 2].map(bench).into()
}

/// One `case` per library: `start` makes a breaker, `call` sends one call through it.
fn bench(threads: u64) -> Bench {
    let cases = vec![
        case(
            "tidemill",
            threads,
            || CircuitBreaker::builder().failure_rate(50).last_calls(100).build().expect("the options are valid"),
            |breaker| breaker.call_blocking(call).is_ok(),
        ),
        case("recloser", threads, || Recloser::custom().closed_len(100).build(), |breaker| breaker.call(call).is_ok()),
        case(
            "failsafe",
            threads,
            || {
                let wait = backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
                let window = Duration::from_secs(10);
                let policy = failure_policy::success_rate_over_time_window(0.5, 100, window, wait);
                Config::new().failure_policy(policy).build()
            },
            |breaker| breaker.call(call).is_ok(),
        ),
        Case::floor("floor: a load and the call", move || {
            let open = AtomicBool::new(false);
            // Relaxed: what it costs does not depend on it here.
            let ask = move || !black_box(&open).load(Ordering::Relaxed) && call().is_ok();
            move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(ask())).sum())
        }),
    ];
    Bench::counted(format!("closed, succeeds, {threads} thread(s)"), 500_000, cases)
}

fn case<B: Sync + 'static>(
    name: &'static str,
    threads: u64,
    start: impl Fn() -> B + 'static,
    call: impl Fn(&B) -> bool + Copy + Sync + 'static,
) -> Case {
    Case::new(name, move || {
        let breaker = start();
        move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(call(&breaker))).sum())
    })
}

fn call() -> Result<u64, Infallible> {
    Ok(black_box(1))
}
