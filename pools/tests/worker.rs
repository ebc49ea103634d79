//! The worker pool from outside. Each body runs on tidemill and on plain tokio; nothing here waits for real time.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::{pending, ready},
    ops::RangeInclusive,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use tidemill_pools::{BuildError, Job, JobError, SubmitError, WorkerPool};
use worker_support::{gated, on_both_runtimes, poll_once, spawn, until};

on_both_runtimes! {
    async fn every_job_runs_once_and_its_ticket_says_so(on) {
        let pool = WorkerPool::builder().workers(3).queue(4).on(on).build(|n: u64| async move {
            tokio::task::yield_now().await;
            n * 2
        }).unwrap();
        let mut tickets = Vec::new();
        for number in 0..500 {
            tickets.push(pool.submit(number).await.unwrap());
        }
        for (number, ticket) in (0..500).zip(tickets) {
            assert_eq!(ticket.await.unwrap(), number * 2);
        }
        until(|| pool.stats().running == 0).await;
        assert_eq!(pool.stats().done, 500);
    }

    async fn many_submitters_share_a_short_queue(on) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let builder = WorkerPool::builder().workers(2).queue(1).on(on.clone());
        let pool = Arc::new(builder.build_sync(move |n: u32| sink.lock().unwrap().push(n)).unwrap());
        let submitters: Vec<_> = (0..8_u32).map(|submitter| {
            let pool = Arc::clone(&pool);
            let task = async move {
                for number in 0..200 {
                    pool.execute(submitter * 1000 + number).await.unwrap();
                }
            };
            spawn(&on, task)
        }).collect();
        for submitter in submitters {
            submitter.notified().await;
        }
        let drained = pool.drain_until(pending()).await;
        assert!(drained.unstarted.is_empty());
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        seen.sort_unstable();
        let expected: Vec<u32> = (0..8).flat_map(|submitter| (0..200).map(move |number| submitter * 1000 + number)).collect();
        assert_eq!(seen, expected);
    }

    async fn a_full_queue_gives_the_job_back(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(2).on(on));
        let running = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let queued = [pool.try_submit(2).unwrap(), pool.try_submit(3).unwrap()];
        assert!(matches!(pool.try_submit(4), Err(SubmitError::Full(4))));
        assert_eq!(pool.try_execute(5).unwrap_err().into_job(), 5);
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.running, stats.rejected), (2, 1, 2));
        gate.add_permits(3);
        assert_eq!(running.await.unwrap(), 1);
        for (ticket, number) in queued.into_iter().zip([2, 3]) {
            assert_eq!(ticket.await.unwrap(), number);
        }
    }

    async fn waiting_submitters_enter_in_order_and_newcomers_do_not_overtake(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(on));
        let first = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        pool.execute(2).await.unwrap();
        let (mut third, mut fourth) = (pin!(pool.submit(3)), pin!(pool.submit(4)));
        assert!(poll_once(third.as_mut()).is_pending());
        assert!(poll_once(fourth.as_mut()).is_pending());
        gate.add_permits(1);
        first.await.unwrap();
        until(|| pool.stats().waiting == 1).await;
        assert!(matches!(pool.try_submit(9), Err(SubmitError::Full(9))), "the place is promised");
        assert!(poll_once(fourth.as_mut()).is_pending(), "it is the third's");
        let third = match poll_once(third.as_mut()) {
            Poll::Ready(ticket) => ticket.unwrap(),
            Poll::Pending => panic!("the third owns a place"),
        };
        gate.add_permits(3);
        assert_eq!(third.await.unwrap(), 3);
        assert_eq!(fourth.await.unwrap().await.unwrap(), 4);
    }

    async fn a_dropped_submit_leaves_no_job_and_loses_no_place(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(on));
        let first = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        pool.execute(2).await.unwrap();
        let mut waiting: Vec<_> = (3..7).map(|number| Box::pin(pool.submit(number))).collect();
        waiting.iter_mut().for_each(|submit| assert!(poll_once(submit.as_mut()).is_pending()));
        drop(waiting.remove(1)); // it only waits
        gate.add_permits(1);
        first.await.unwrap();
        until(|| pool.stats().waiting == 2).await;
        drop(waiting.remove(0)); // it owns a place, which goes to the next
        until(|| pool.stats().waiting == 1).await;
        assert!(poll_once(waiting[0].as_mut()).is_ready());
        drop(waiting);
        gate.add_permits(2);
        let drained = pool.drain_until(pending()).await;
        assert_eq!((drained.unstarted, pool.stats().done), (vec![], 3), "1, 2, and 5 ran");
    }

    async fn a_panic_is_the_jobs_and_the_worker_goes_on(on) {
        struct PanicsOnDrop;
        impl Drop for PanicsOnDrop {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        let pool = WorkerPool::builder().workers(1).on(on).build_jobs().unwrap();
        let cases: [(Job<Option<PanicsOnDrop>>, &str); 5] = [
            (Job::closure(|| panic!("in closure")), "in closure"),
            (Job::blocking(|| panic!("in {}", "blocking")), "in blocking"),
            (Job::future(async { tokio::task::yield_now().await; panic!("in future") }), "in future"),
            (Job::future(async { let _guard = PanicsOnDrop; None }), "in drop"),
            (Job::closure(|| std::panic::panic_any(7)), "(the payload is not text)"),
        ];
        for (job, message) in cases {
            match pool.submit(job).await.unwrap().await {
                Err(JobError::Panicked(panic)) => assert_eq!(panic.message(), message),
                _ => panic!("{message}: no panic seen"),
            }
        }
        // A result nobody waits for panics as it is dropped: on the worker, or here if the worker was faster.
        let unwanted = pool.submit(Job::closure(|| Some(PanicsOnDrop))).await.unwrap();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(unwanted)));
        assert!(pool.submit(Job::closure(|| None)).await.unwrap().await.unwrap().is_none());
        until(|| pool.stats().running == 0).await;
        let stats = pool.stats();
        assert_eq!((stats.panicked, stats.done), (5, 2));
    }

    async fn a_closed_pool_refuses_and_still_runs_what_it_has(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(on));
        let first = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let second = pool.submit(2).await.unwrap();
        let mut third = pin!(pool.submit(3));
        assert!(poll_once(third.as_mut()).is_pending());
        pool.close();
        assert!(matches!(third.await, Err(SubmitError::Closed(3))));
        assert!(matches!(pool.submit(4).await, Err(SubmitError::Closed(4))));
        assert!(matches!(pool.try_submit(5), Err(SubmitError::Closed(5))));
        assert_eq!(pool.submit_batch([6, 7]).await.unwrap_err().refused, SubmitError::Closed(vec![6, 7]));
        assert_eq!(pool.stats().rejected, 4);
        gate.add_permits(2);
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
        assert!(pool.is_closed());
    }

    async fn drain_waits_for_all_or_hands_back_the_unstarted(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).on(on));
        let running = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let queued = pool.submit(2).await.unwrap();
        pool.execute(3).await.unwrap();
        let drained = pool.drain_until(ready(())).await;
        assert_eq!((drained.finished, drained.running, drained.unstarted), (0, 1, vec![2, 3]));
        assert!(matches!(queued.await, Err(JobError::Cancelled)));
        gate.add_permits(1);
        let drained = pool.drain_until(pending()).await;
        assert_eq!((drained.finished, drained.running), (1, 0));
        assert_eq!(running.await.unwrap(), 1, "what ran was let to its end");
        // Once more on a pool that has ended: at once.
        assert_eq!(pool.drain_until(pending()).await.finished, 0);
    }

    async fn dropping_the_pool_cancels_the_queue_but_no_running_job(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).on(on));
        let running = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let queued = pool.submit(2).await.unwrap();
        drop(pool);
        assert!(matches!(queued.await, Err(JobError::Cancelled)));
        gate.add_permits(1);
        assert_eq!(running.await.unwrap(), 1);
    }

    async fn a_batch_longer_than_the_queue_keeps_its_order(on) {
        let pool = WorkerPool::builder().workers(3).queue(5).on(on).build(|n: u32| async move {
            if n.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            assert_ne!(n, 50);
            n
        }).unwrap();
        let results = pool.submit_batch(0..100).await.unwrap().await;
        for (number, result) in (0..).zip(&results) {
            match result {
                Ok(value) => assert_eq!(*value, number),
                Err(_) => assert_eq!(number, 50),
            }
        }
        assert_eq!(results.len(), 100);
        assert!(pool.submit_batch([]).await.unwrap().await.is_empty());
    }

    async fn jobs_run_beside_each_other_up_to_the_number_of_workers(on) {
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (inside, highest) = (Arc::clone(&running), Arc::clone(&peak));
        let pool = WorkerPool::builder().workers(4).queue(64).on(on).build(move |()| {
            let (running, peak) = (Arc::clone(&inside), Arc::clone(&highest));
            async move {
                let now = running.fetch_add(1, SeqCst) + 1;
                peak.fetch_max(now, SeqCst);
                // Nobody goes on before all four are in: a pool that wakes too few workers hangs here.
                until(|| peak.load(SeqCst) == 4).await;
                running.fetch_sub(1, SeqCst);
            }
        }).unwrap();
        let results = pool.submit_batch([(); 40]).await.unwrap().await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(peak.load(SeqCst), 4);
    }

    async fn a_job_that_blocks_its_thread_holds_up_no_other(on) {
        let (sender, receiver) = std::sync::mpsc::sync_channel::<()>(0);
        let receiver = Mutex::new(receiver);
        let pool = WorkerPool::builder().workers(2).on(on).build_blocking(move |wait: bool| {
            if wait {
                receiver.lock().unwrap().recv().unwrap();
            }
            wait
        }).unwrap();
        let blocked = pool.submit(true).await.unwrap();
        for _ in 0..10 {
            assert!(!pool.submit(false).await.unwrap().await.unwrap());
        }
        sender.send(()).unwrap();
        assert!(blocked.await.unwrap());
    }

    async fn failures_are_told_from_successes(on) {
        let pool = WorkerPool::builder().failed_when(|n: &u32| match n {
            13 => panic!("no number"),
            n => n % 2 == 1,
        }).on(on).build_sync(|n: u32| n).unwrap();
        pool.submit_batch([1, 2, 4, 13]).await.unwrap().await;
        until(|| pool.stats().running == 0).await;
        let stats = pool.stats();
        assert_eq!((stats.done, stats.failed, stats.panicked), (2, 2, 0));
    }
}

#[test]
fn a_runtime_that_shuts_down_resolves_every_ticket() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let pool = WorkerPool::builder().workers(2).on(tokio.handle().clone()).build(|()| pending::<()>()).unwrap();
    let tickets: Vec<_> = (0..5).map(|_| pool.try_submit(()).unwrap()).collect();
    drop(tokio);
    for ticket in tickets {
        assert!(matches!(futures_lite::future::block_on(ticket), Err(JobError::Cancelled)));
    }
    assert!(matches!(pool.try_submit(()), Err(SubmitError::Closed(()))));
    futures_lite::future::block_on(pool.drain_until(pending()));
}

#[test]
fn a_pool_without_workers_learns_of_the_shutdown_when_it_needs_one() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let pool = WorkerPool::builder().workers(0..=2).on(tokio.handle().clone()).build_sync(|()| ()).unwrap();
    drop(tokio);
    assert!(matches!(pool.submit_blocking(()).unwrap().wait(), Err(JobError::Cancelled)));
    assert!(matches!(pool.try_submit(()), Err(SubmitError::Closed(()))));
    futures_lite::future::block_on(pool.drain_until(pending()));
}

#[test]
fn the_patience_of_a_drain_is_kept() {
    let clocked = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    clocked.block_on(async {
        let (_gate, pool) = gated(WorkerPool::builder().workers(1).on(tokio::runtime::Handle::current()));
        pool.execute(1).await.unwrap();
        pool.execute(2).await.unwrap();
        let begin = tokio::time::Instant::now();
        let drained = pool.drain(std::time::Duration::from_secs(60)).await;
        assert_eq!(begin.elapsed().as_secs(), 60);
        assert_eq!((drained.running, drained.unstarted), (1, vec![2]));
    });
}

#[test]
fn a_pool_that_cannot_be_built_says_why() {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let builder = || WorkerPool::<(), ()>::builder().on(tokio.handle().clone());
    let cases = [
        (builder().workers(0), BuildError::NoWorkers, "workers(0)"),
        (builder().workers(0..=0), BuildError::NoWorkers, "workers(0)"),
        (builder().workers(RangeInclusive::new(3, 2)), BuildError::WorkersBackwards, "workers(min..=max)"),
        (builder().queue(0), BuildError::NoQueue, "queue(0)"),
        (WorkerPool::builder(), BuildError::NoRuntime, "no runtime"),
    ];
    for (builder, expected, named) in cases {
        let error = builder.build_sync(|()| ()).unwrap_err();
        assert_eq!(error, expected);
        assert!(error.to_string().starts_with(named), "{error}");
    }
}
