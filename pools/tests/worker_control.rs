//! A pool that is resized, paused and drained while it runs, and single jobs that are cancelled.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::{pending, ready},
    pin::pin,
    sync::{Arc, Mutex},
};

use tidemill_pools::{BuildError, Cancelled, JobError, SubmitError, WorkerPool};
use worker_support::{HandClock, SECOND, gated, on_both_runtimes, poll_once, spawn, until};

on_both_runtimes! {
    async fn resize_lets_more_jobs_run_at_once_and_then_fewer(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).on(on));
        for number in 0..6 {
            pool.execute(number).await.unwrap();
        }
        until(|| pool.stats().running == 1).await;
        pool.resize(3).unwrap();
        assert_eq!(pool.workers(), 3);
        until(|| pool.stats().running == 3).await;
        pool.resize(1).unwrap();
        gate.add_permits(2);
        until(|| pool.stats().done == 2).await;
        until(|| pool.stats().running == 1).await;
        assert_eq!(pool.stats().queued, 3, "nobody took the place of the two that ended");
        assert_eq!(pool.resize(0), Err(BuildError::NoWorkers));
        gate.add_permits(4);
        assert_eq!(pool.drain_until(pending()).await.unstarted, []);
        assert_eq!(pool.stats().done, 6);
    }

    // ThreadPoolExecutor queues first and grows only when the queue is full, so a long queue makes its maximum dead.
    async fn tpe_trap_a_range_grows_before_its_queue_is_full(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1..=3).queue(1_000).on(on));
        for number in 0..5 {
            pool.execute(number).await.unwrap();
        }
        until(|| pool.stats().running == 3).await;
        assert_eq!(pool.stats().queued, 2);
        gate.add_permits(5);
        pool.drain_until(pending()).await;
    }

    async fn idle_workers_above_the_lower_end_go_after_their_time(on) {
        let clock = HandClock::default();
        let builder = WorkerPool::builder().workers(0..=3).on(on).clock(clock.clone()).idle_expiry(10 * SECOND);
        let (gate, pool) = gated(builder);
        assert_eq!(pool.stats().workers, 0);
        let tickets = [pool.submit(0).await.unwrap(), pool.submit(1).await.unwrap(), pool.submit(2).await.unwrap()];
        until(|| pool.stats().running == 3).await;
        gate.add_permits(3);
        for ticket in tickets {
            ticket.await.unwrap();
        }
        until(|| clock.sleepers() == 3).await;
        clock.advance(9 * SECOND);
        assert_eq!(pool.stats().workers, 3);
        clock.advance(SECOND);
        until(|| pool.stats().workers == 0).await;
        gate.add_permits(1);
        assert_eq!(pool.submit(7).await.unwrap().await.unwrap(), 7, "and come back");
        assert_eq!(pool.stats().done, 4, "no count went with them");
    }

    async fn pause_starts_nothing_and_resume_everything(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(2).queue(2).on(on));
        let running = pool.submit(0).await.unwrap();
        until(|| pool.stats().running == 1).await;
        pool.pause();
        gate.add_permits(10);
        assert_eq!(running.await.unwrap(), 0, "what runs goes on");
        let queued = [pool.submit(1).await.unwrap(), pool.submit(2).await.unwrap()];
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(pool.is_paused());
        assert_eq!((pool.stats().queued, pool.stats().running), (2, 0));
        assert_eq!(pool.try_submit(3).unwrap_err(), SubmitError::Full(3), "the queue fills as before");
        pool.resume();
        for ticket in queued {
            ticket.await.unwrap();
        }
    }

    async fn a_drain_lifts_a_pause(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(2).on(on));
        pool.pause();
        for number in 0..5 {
            pool.execute(number).await.unwrap();
        }
        pool.close();
        until(|| pool.stats().workers == 0).await;
        gate.add_permits(5);
        assert_eq!(pool.drain_until(pending()).await.finished, 5);
    }

    async fn one_job_is_cancelled_by_its_ticket(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(on.clone()));
        let running = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let queued = pool.submit(2).await.unwrap();
        let mut waits = pin!(pool.submit(3));
        assert!(poll_once(waits.as_mut()).is_pending());
        assert_eq!(pool.cancel(&queued), Cancelled::Unstarted(2), "the job comes back");
        let third = waits.await.unwrap();
        assert!(matches!(queued.await, Err(JobError::Cancelled)));
        assert_eq!(pool.cancel(&running), Cancelled::Running);
        assert!(matches!(running.await, Err(JobError::Cancelled)), "dropped at its await");
        gate.add_permits(2);
        let mut ended = pin!(third);
        let mut result = None;
        until(|| {
            result = match poll_once(ended.as_mut()) {
                std::task::Poll::Ready(result) => Some(result),
                std::task::Poll::Pending => None,
            };
            result.is_some()
        }).await;
        assert_eq!(result.unwrap().unwrap(), 3);
        let (gone, other) = (pool.submit(4).await.unwrap(), gated(WorkerPool::builder().workers(1).on(on)).1);
        assert_eq!(other.cancel(&gone), Cancelled::Gone, "not its job");
        until(|| pool.stats().done == 2 && pool.stats().running == 0).await;
        assert_eq!(pool.cancel(&gone), Cancelled::Gone);
        assert_eq!(pool.stats().cancelled, 2);
    }

    async fn a_cancel_hits_no_later_job_of_the_same_worker(on) {
        let pool = Arc::new(WorkerPool::builder().workers(1).on(on.clone()).build(|n: u32| async move {
            tokio::task::yield_now().await;
            n
        }).unwrap());
        // Cancels race with ends; whatever they hit, every other job has its result.
        for round in 0..200 {
            let victim = pool.submit(round).await.unwrap();
            let next = pool.submit(round + 1).await.unwrap();
            let both = Arc::clone(&pool);
            let ended = spawn(&on, async move {
                match both.cancel(&victim) {
                    Cancelled::Gone => assert!(victim.await.is_ok()),
                    _ => assert!(matches!(victim.await, Ok(_) | Err(JobError::Cancelled))),
                }
            });
            assert_eq!(next.await.unwrap(), round + 1);
            ended.notified().await;
        }
        until(|| pool.stats().running == 0).await;
        assert_eq!(pool.stats().done + pool.stats().cancelled, 400);
    }

    // panjf2000/ants#146: after panics had killed all workers, waiters slept for a whole expiry period.
    async fn ants_146_a_panic_wakes_the_next_waiter(on) {
        let pool = WorkerPool::builder().workers(1).queue(1).on(on).build_sync(|n: u32| assert_eq!(n, 0, "odd")).unwrap();
        let results = pool.submit_batch((0..50).map(|n| n % 2)).await.unwrap().await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 25);
    }

    // panjf2000/ants#259: a release returned while workers still lived.
    async fn ants_259_a_drain_ends_with_the_last_worker(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(4).on(on));
        gate.add_permits(10);
        for number in 0..10 {
            pool.execute(number).await.unwrap();
        }
        pool.drain_until(pending()).await;
        assert_eq!((pool.stats().workers, pool.stats().running), (0, 0));
    }

    // alitto/pond#5, #20, #49: a submit after the stop panicked.
    async fn pond_5_a_submit_after_the_end_is_an_error(on) {
        let (_gate, pool) = gated(WorkerPool::builder().workers(1).on(on));
        pool.drain_until(pending()).await;
        assert_eq!(pool.submit(1).await.unwrap_err(), SubmitError::Closed(1));
        assert_eq!(pool.try_submit(2).unwrap_err(), SubmitError::Closed(2));
        assert_eq!(pool.submit_blocking(3).unwrap_err(), SubmitError::Closed(3));
        pool.resize(5).unwrap();
        pool.resume();
        assert_eq!(pool.stats().workers, 0);
    }

    // alitto/pond#61, PR#62, #108: a stop with jobs in the queue dead-locked those who waited for them.
    async fn pond_61_closing_resolves_every_ticket_and_every_waiter(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(2).on(on.clone()));
        let pool = Arc::new(pool);
        let mut tickets = vec![pool.submit(0).await.unwrap()];
        until(|| pool.stats().running == 1).await;
        tickets.push(pool.submit(1).await.unwrap());
        tickets.push(pool.submit(2).await.unwrap());
        let refused = Arc::new(Mutex::new(0));
        let waiters: Vec<_> = (3..8).map(|number| {
            let (pool, refused) = (Arc::clone(&pool), Arc::clone(&refused));
            spawn(&on, async move {
                assert!(matches!(pool.submit(number).await, Err(SubmitError::Closed(_))));
                *refused.lock().unwrap() += 1;
            })
        }).collect();
        until(|| pool.stats().waiting == 5).await;
        pool.drain_until(ready(())).await;
        for waiter in waiters {
            waiter.notified().await;
        }
        assert_eq!(*refused.lock().unwrap(), 5);
        gate.add_permits(1);
        let results: Vec<bool> = {
            let mut results = Vec::new();
            for ticket in tickets {
                results.push(ticket.await.is_ok());
            }
            results
        };
        assert_eq!(results, [true, false, false]);
    }
}

#[test]
fn plain_threads_submit_and_wait_outside_of_every_runtime() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let pool = WorkerPool::builder().workers(1).queue(1).on(tokio.handle().clone()).build_sync(|n: u64| n * n).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pool = &pool;
            scope.spawn(move || {
                for n in 0..50 {
                    assert_eq!(pool.submit_blocking(thread * n).unwrap().wait().unwrap(), thread * thread * n * n);
                    pool.execute_blocking(n).unwrap();
                }
            });
        }
    });
    futures_lite::future::block_on(pool.drain_until(pending()));
    assert_eq!(pool.stats().done, 400);
}

#[test]
fn a_thread_gives_up_its_wait_for_a_place_in_time() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(tokio.handle().clone()));
    pool.execute_blocking(1).unwrap();
    tokio.block_on(until(|| pool.stats().running == 1));
    pool.execute_blocking(2).unwrap();
    let late = pool.job(3).start_within(std::time::Duration::from_millis(5)).submit_blocking();
    assert_eq!(late.unwrap_err(), SubmitError::Expired(3));
    assert_eq!(pool.stats().waiting, 0);
    gate.add_permits(2);
}
