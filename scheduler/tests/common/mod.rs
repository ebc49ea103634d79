//! What the tests share: a runtime of a given size, waiting for a condition with an end, destructors that tell.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tidemill_scheduler::{Builder, JoinHandle, Procs, Runtime};

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

/// Counts its drops.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn guard(&self) -> OnDrop<impl FnMut() + Send + use<>> {
        let drops = Arc::clone(&self.0);
        OnDrop(move || {
            drops.fetch_add(1, Ordering::SeqCst);
        })
    }
}

/// Calls a function at its end.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A task that sleeps with `guard` until the runtime ends.
pub(crate) fn keep<F: FnMut() + Send + 'static>(rt: &Runtime, guard: OnDrop<F>) -> JoinHandle<()> {
    let (asleep, is_asleep) = mpsc::channel();
    let task = rt.spawn(async move {
        let _guard = guard;
        asleep.send(()).unwrap();
        pending::<()>().await;
    });
    is_asleep.recv().unwrap();
    task
}
