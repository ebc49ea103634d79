//! Breaker, bulkhead and adaptive limit under tasks of both runtimes, tidemill's and tokio's: the same bodies.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tidemill_context::{Cause, Context};
use tidemill_resilience::{AdaptiveLimit, Aimd, Bulkhead, BulkheadFull, CircuitBreaker, State};
use tidemill_spawner::Spawner;

const MS: Duration = Duration::from_millis(1);

/// Runs the body on both runtimes, with two threads each.
fn on_both<F: Future<Output = ()> + Send + 'static>(body: impl Fn(Spawner) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio.block_on(Spawner::from(tokio.handle().clone()).spawn_task(body(tokio.handle().clone().into()))).unwrap();
    let tidemill = tidemill_scheduler::Runtime::builder().procs(tidemill_scheduler::Procs::Fixed(2)).build().unwrap();
    tidemill.block_on(Spawner::from(tidemill.handle()).spawn_task(body(tidemill.handle().into()))).unwrap();
}

#[test]
fn a_bulkhead_keeps_its_limit_and_forgets_nobody() {
    on_both(|on| async move {
        const LIMIT: u32 = 3;
        let bulkhead = Arc::new(Bulkhead::builder(LIMIT).build().unwrap());
        let inside = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (bulkhead, inside) = (Arc::clone(&bulkhead), Arc::clone(&inside));
                on.spawn_task(async move {
                    for _ in 0..20 {
                        let permit = bulkhead.acquire_owned().await.unwrap();
                        assert!(inside.fetch_add(1, Relaxed) < LIMIT);
                        tokio::task::yield_now().await;
                        inside.fetch_sub(1, Relaxed);
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((bulkhead.stats().in_use, bulkhead.stats().waiting), (0, 0));
    });
}

#[test]
fn a_wait_for_a_bulkhead_is_cut_from_another_task() {
    on_both(|on| async move {
        let bulkhead = Bulkhead::builder(1).build().unwrap();
        let _held = bulkhead.try_acquire().unwrap();
        let context = Context::background();
        let cancel = context.clone();
        let canceller = on.spawn_task(async move { cancel.cancel(Cause::Shutdown) });
        let refused = context.scope(bulkhead.acquire()).await.unwrap_err();
        assert_eq!(refused, BulkheadFull::Cancelled(Cause::Shutdown));
        assert!(canceller.await.unwrap());
    });
}

#[test]
fn a_longest_wait_ends_on_the_timer_of_the_runtime() {
    on_both(|_| async move {
        let bulkhead = Bulkhead::builder(1).max_wait(MS).build().unwrap();
        let _held = bulkhead.try_acquire().unwrap();
        assert_eq!(bulkhead.acquire().await.unwrap_err(), BulkheadFull::TimedOut { waited: MS });
    });
}

#[test]
fn tasks_wait_for_an_open_breaker_and_close_it() {
    on_both(|on| async move {
        let breaker = CircuitBreaker::builder().failures_in_a_row(1).open_for(5 * MS).probes(2).probes_at_once(1);
        let breaker = Arc::new(breaker.build().unwrap());
        breaker.trip();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let breaker = Arc::clone(&breaker);
                on.spawn_task(async move { breaker.acquire().await.unwrap().success() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn tasks_in_the_line_of_an_adaptive_limit_all_get_their_turn() {
    on_both(|on| async move {
        let limit = AdaptiveLimit::builder(Aimd::default()).initial(2).range(1, 4).max_waiters(100).window(5, MS);
        let limit = Arc::new(limit.build().unwrap());
        let tasks: Vec<_> = (0..30)
            .map(|number| {
                let limit = Arc::clone(&limit);
                on.spawn_task(async move {
                    let permit = limit.acquire().await.unwrap();
                    tokio::task::yield_now().await;
                    if number % 10 == 0 {
                        permit.dropped();
                    } else {
                        permit.success();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(limit.in_flight(), 0);
    });
}
