//! What the tests share: a runtime of a given size, and waiting for a condition with an end.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::thread;
use std::time::{Duration, Instant};

use tidemill_scheduler::{Builder, Procs, Runtime};

pub(crate) fn builder(procs: usize) -> Builder {
    Runtime::builder().procs(Procs::Fixed(procs))
}

pub(crate) fn runtime(procs: usize) -> Runtime {
    builder(procs).build().unwrap()
}

/// Waits until `done`; panics with `what` after ten seconds, far more than a crowded computer needs.
#[track_caller]
pub(crate) fn eventually(what: &str, done: impl Fn() -> bool) {
    assert!(within(Duration::from_secs(10), done), "not within ten seconds: {what}");
}

/// Whether `done` came true within `limit`.
pub(crate) fn within(limit: Duration, done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        thread::yield_now();
    }
    true
}
