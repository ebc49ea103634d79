//! What a context costs, beside tokio-util's `CancellationToken` and the floor: `cargo run --release --example context_speed`.
//!
//! In each round all contenders run in turn, so that a machine that changes pace changes it for all of them. A line shows
//! the best round, the median round, and the median of the rounds' ratios to the first line of its part.

use std::{
    future::{Future, ready},
    hint::black_box,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Waker},
    time::{Duration, Instant},
};

use tidemill_context::{Cause, Context, ManualClock};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 101;
const CALLS: u32 = 20_000;

/// Something to measure: a name and the call, repeated.
type Contender<'a> = (&'static str, &'a dyn Fn());

/// Nanoseconds per call.
fn round(call: &dyn Fn()) -> f64 {
    let began = Instant::now();
    call();
    began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs all contenders in turn and prints each beside the first.
fn compare(title: &str, contenders: &[Contender<'_>]) {
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for ((_, call), times) in contenders.iter().zip(&mut times) {
            times.push(round(call));
        }
    }
    println!("{title:<46} {:>8} {:>8}", "best", "median");
    for ((name, _), own) in contenders.iter().zip(&times) {
        let ratios = times[0].iter().zip(own).map(|(first, own)| own / first).collect();
        let best = own.iter().copied().fold(f64::INFINITY, f64::min);
        println!("  {name:<44} {best:>8.2} {:>8.2} ns  x {:.2}", median(own.clone()), median(ratios));
    }
}

/// A loop the compiler cannot fold, around `call`.
fn repeat<T>(call: impl Fn() -> T) -> impl Fn() {
    move || {
        for _ in 0..CALLS {
            black_box(call());
        }
    }
}

fn check() {
    let flag = black_box(AtomicBool::new(false));
    let token = CancellationToken::new().child_token();
    let root = Context::background();
    let fresh = root.child();
    let shared = root.with_timeout(Duration::from_secs(3600)).clone();
    let ambient = root.child();
    compare(
        "check",
        &[
            ("floor: one atomic load", &repeat(|| black_box(&flag).load(Ordering::Acquire))),
            ("CancellationToken::is_cancelled", &repeat(|| black_box(&token).is_cancelled())),
            ("a fresh child", &repeat(|| black_box(&fresh).is_cancelled())),
            ("with a deadline, cloned", &repeat(|| black_box(&shared).is_cancelled())),
            ("check()", &repeat(|| black_box(&shared).check().is_ok())),
            ("check_current()", &|| ambient.enter(repeat(|| Context::check_current().is_ok()))),
            ("check_current(), no ambient context", &repeat(|| Context::check_current().is_ok())),
        ],
    );
}

fn child() {
    let counted = Arc::new([0_u8; 64]);
    let token = CancellationToken::new();
    let root = Context::background();
    let keep = root.clone();
    let manual = Context::on(&ManualClock::new());
    compare(
        "create + drop",
        &[
            ("floor: Arc clone + drop", &repeat(|| Arc::clone(black_box(&counted)))),
            ("floor: Arc alloc + free, 128 bytes", &repeat(|| Arc::new(black_box([0_u8; 112])))),
            ("CancellationToken::child_token", &repeat(|| token.child_token())),
            ("child", &repeat(|| root.child())),
            ("child, cloned once", &repeat(|| root.child().clone())),
            ("child, cancelled", &repeat(|| root.child().cancel(Cause::Cancelled))),
            ("with_value", &repeat(|| root.with_value(7_u64))),
            ("with_timeout (clock read, deadline in and out)", &repeat(|| root.with_timeout(Duration::from_secs(2)))),
            ("with_deadline, manual clock", &repeat(|| manual.with_timeout(Duration::from_secs(2)))),
            ("merge", &repeat(|| Context::merge(&root, &manual))),
        ],
    );
    drop(keep);
}

fn poll<F: Future>(future: F) -> bool {
    pin!(future).poll(&mut task::Context::from_waker(Waker::noop())).is_ready()
}

fn run() {
    let token = CancellationToken::new();
    let ctx = Context::background().clone();
    compare(
        "a future that is ready at once",
        &[
            ("floor: bare", &repeat(|| poll(ready(black_box(1))))),
            ("run_until_cancelled of CancellationToken", &repeat(|| poll(token.run_until_cancelled(ready(1))))),
            ("scope", &repeat(|| poll(ctx.scope(ready(1))))),
            ("run", &repeat(|| poll(ctx.run(ready(1))))),
        ],
    );
}

fn main() {
    check();
    child();
    run();
}
