//! One test body, two runtimes; and small tools for tests that wait for events and never for time.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use tidemill_spawner::Spawner;

/// Runs the body on both runtimes, with two threads each.
pub(crate) fn on_both<F: Future<Output = ()> + Send + 'static>(body: impl Fn(Spawner) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio.block_on(tokio.spawn(body(tokio.handle().clone().into()))).unwrap();
    let tidemill = tidemill_scheduler::Runtime::builder().procs(tidemill_scheduler::Procs::Fixed(2)).build().unwrap();
    tidemill.block_on(tidemill.spawn(body(tidemill.handle().into()))).unwrap();
}

/// One test per body, named after it.
#[macro_export]
macro_rules! on_both_runtimes {
    ($($(#[$meta:meta])* async fn $name:ident($($on:ident)?) $body:block)*) => {$(
        $(#[$meta])*
        #[test]
        fn $name() {
            $crate::common::on_both(|_on: tidemill_spawner::Spawner| async move { $(let $on = _on;)? $body });
        }
    )*};
}

/// Lets others run until it is so.
pub(crate) async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::task::yield_now().await;
    }
}

/// Lets others run a few times: for what must *not* happen meanwhile.
pub(crate) async fn a_while() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Polls once, as a task that is woken by nobody.
pub(crate) fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts up while it lives.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn count(&self) -> usize {
        self.0.load(SeqCst)
    }

    pub(crate) fn enter(&self) -> Inside {
        self.0.fetch_add(1, SeqCst);
        Inside(Arc::clone(&self.0))
    }
}

/// One that is counted.
#[derive(Debug)]
pub(crate) struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
