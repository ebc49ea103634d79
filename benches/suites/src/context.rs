//! Cancellation: the check on every way, and a child for every request.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use tidemill::Context;
use tokio_util::sync::CancellationToken;

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "context",
    measures: "asking whether one is cancelled, and making and dropping a child",
    leaves_out: "cancelling, deadlines and values",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

fn benches() -> Vec<Bench> {
    vec![Bench::counted("check", 1_000_000, checks()), Bench::counted("child: make + drop", 200_000, children())]
}

fn checks() -> Vec<Case> {
    vec![
        case("tidemill", || Context::background().child(), |context| black_box(context).check().is_ok()),
        case("CancellationToken", CancellationToken::new, |token| !black_box(token).is_cancelled()),
        Case::floor("floor: a load", || {
            let cancelled = AtomicBool::new(false);
            // Relaxed: what it costs does not depend on it here.
            move |ops| Lap::of(|| (0..ops).map(|_| u64::from(!black_box(&cancelled).load(Ordering::Relaxed))).sum())
        }),
    ]
}

fn children() -> Vec<Case> {
    vec![
        case("tidemill", || Context::background().child(), |context| !black_box(context.child()).is_cancelled()),
        case("CancellationToken", CancellationToken::new, |token| !black_box(token.child_token()).is_cancelled()),
        Case::floor("floor: malloc + free", || {
            |ops| Lap::of(|| (0..ops).map(|_| u64::from(black_box(Vec::<u8>::with_capacity(64)).is_empty())).sum())
        }),
    ]
}

fn case<C: 'static>(
    name: &'static str,
    start: impl Fn() -> C + 'static,
    ask: impl Fn(&C) -> bool + Copy + 'static,
) -> Case {
    Case::new(name, move || {
        let context = start();
        move |ops| Lap::of(|| (0..ops).map(|_| u64::from(ask(&context))).sum())
    })
}
