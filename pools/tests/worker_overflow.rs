//! What each overflow policy does with a job that finds the queue full, for every way to submit one.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Mutex},
};

use tidemill_pools::{JobError, Overflow, Priority, Shed, Spawner, SubmitError, Ticket, WorkerPool};
use tokio::sync::Semaphore;
use worker_support::{gated, on_both_runtimes, poll_once, until};

/// What the hook was told.
type Heap = Arc<Mutex<Vec<(u32, Shed)>>>;

/// A pool with one worker that is busy with job 0, and a full queue: 1 and 2.
async fn full(on: Spawner, policy: Overflow) -> (Arc<Semaphore>, WorkerPool<u32, u32>, Vec<Ticket<u32>>, Heap) {
    let heap = Heap::default();
    let hook = Arc::clone(&heap);
    let builder = WorkerPool::builder().workers(1).queue(2).overflow(policy).on(on);
    let (gate, pool) = gated(builder.on_shed(move |job, why| hook.lock().unwrap().push((job, why))));
    let mut tickets = vec![pool.submit(0).await.unwrap()];
    until(|| pool.stats().running == 1).await;
    tickets.push(pool.submit(1).await.unwrap());
    tickets.push(pool.submit(2).await.unwrap());
    (gate, pool, tickets, heap)
}

/// The numbers of the jobs that had a result, once all may run.
async fn results(gate: &Semaphore, tickets: Vec<Ticket<u32>>) -> Vec<Result<u32, &'static str>> {
    gate.add_permits(100);
    let mut results = Vec::new();
    for ticket in tickets {
        results.push(match ticket.await {
            Ok(number) => Ok(number),
            Err(JobError::Displaced) => Err("displaced"),
            Err(_) => Err("something else"),
        });
    }
    results
}

on_both_runtimes! {
    async fn wait_waits_and_try_does_not(on) {
        let (gate, pool, mut tickets, heap) = full(on, Overflow::Wait).await;
        assert_eq!(pool.try_submit(3).unwrap_err(), SubmitError::Full(3));
        assert_eq!(pool.try_execute(4).unwrap_err(), SubmitError::Full(4));
        let mut waits = pin!(pool.submit(5));
        assert!(poll_once(waits.as_mut()).is_pending());
        gate.add_permits(1);
        tickets.push(waits.await.unwrap());
        assert_eq!(results(&gate, tickets).await, [Ok(0), Ok(1), Ok(2), Ok(5)]);
        assert!(heap.lock().unwrap().is_empty());
    }

    async fn reject_gives_the_job_back_at_once(on) {
        let (gate, pool, tickets, heap) = full(on, Overflow::Reject).await;
        assert_eq!(pool.submit(3).await.unwrap_err(), SubmitError::Full(3));
        assert_eq!(pool.execute(4).await.unwrap_err(), SubmitError::Full(4));
        assert_eq!(pool.try_submit(5).unwrap_err(), SubmitError::Full(5));
        assert_eq!(pool.submit_blocking(6).unwrap_err(), SubmitError::Full(6));
        assert_eq!(pool.stats().rejected, 4);
        assert_eq!(results(&gate, tickets).await, [Ok(0), Ok(1), Ok(2)]);
        assert!(heap.lock().unwrap().is_empty());
        until(|| pool.stats().running == 0).await;
    }

    async fn a_batch_that_is_refused_keeps_what_was_accepted(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(2).overflow(Overflow::Reject).on(on));
        pool.execute(0).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let error = pool.submit_batch(1..=5).await.unwrap_err();
        assert_eq!(error.refused, SubmitError::Full(vec![3, 4, 5]));
        gate.add_permits(3);
        assert_eq!(error.accepted.await.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    }

    async fn drop_oldest_keeps_the_latest(on) {
        let (gate, pool, mut tickets, heap) = full(on, Overflow::DropOldest).await;
        tickets.push(pool.submit(3).await.unwrap());
        tickets.push(pool.try_submit(4).unwrap());
        pool.execute(5).await.unwrap();
        tickets.push(pool.submit_blocking(6).unwrap());
        let results = results(&gate, tickets).await;
        let gone = Err("displaced");
        assert_eq!(results, [Ok(0), gone, gone, gone, gone, Ok(6)], "5 has no ticket");
        let displaced: Vec<u32> = heap.lock().unwrap().iter().map(|(job, _)| *job).collect();
        assert_eq!(displaced, [1, 2, 3, 4]);
        let drained = pool.drain_until(pending()).await;
        let stats = pool.stats();
        assert_eq!((drained.unstarted, stats.displaced, stats.done, stats.rejected), (vec![], 4, 3, 0));
    }

    async fn drop_oldest_displaces_within_one_batch(on) {
        let (gate, pool, tickets, heap) = full(on, Overflow::DropOldest).await;
        let batch = pool.submit_batch(3..=6).await.unwrap();
        gate.add_permits(10);
        let done: Vec<_> = batch.await.into_iter().map(Result::ok).collect();
        assert_eq!(done, [None, None, Some(5), Some(6)]);
        assert_eq!(heap.lock().unwrap().iter().map(|(job, _)| *job).collect::<Vec<_>>(), [1, 2, 3, 4]);
        drop(tickets);
    }

    async fn drop_lowest_displaces_only_what_is_below(on) {
        let (gate, pool, mut tickets, heap) = full(on, Overflow::DropLowest).await;
        let normal = pool.submit(3).await.unwrap_err();
        assert_eq!(normal, SubmitError::Full(3), "nothing below it waits");
        assert_eq!(pool.job(4).priority(Priority::Low).try_submit().unwrap_err(), SubmitError::Full(4));
        tickets.push(pool.job(5).priority(Priority::High).submit().await.unwrap());
        tickets.push(pool.job(6).priority(Priority::Urgent).try_submit().unwrap());
        pool.job(7).priority(Priority::Urgent).execute().await.unwrap();
        let order = results(&gate, tickets).await;
        let gone = Err("displaced");
        assert_eq!(order, [Ok(0), gone, gone, gone, Ok(6)]);
        let displaced: Vec<u32> = heap.lock().unwrap().iter().map(|(job, _)| *job).collect();
        assert_eq!(displaced, [2, 1, 5], "the youngest of the lowest first");
        until(|| pool.stats().running == 0).await;
    }

    async fn caller_runs_does_the_work_in_the_submitters_place(on) {
        let heap = Heap::default();
        let (inside, peak) = (Arc::new(Semaphore::new(0)), Arc::clone(&heap));
        let gate = Arc::clone(&inside);
        let builder = WorkerPool::builder().workers(1).queue(1).overflow(Overflow::CallerRuns).on(on);
        let pool = builder.build(move |number: u32| {
            let gate = Arc::clone(&gate);
            async move {
                if number < 2 {
                    gate.acquire().await.unwrap().forget();
                }
                assert_ne!(number, 4, "four");
                number
            }
        }).unwrap();
        let mut tickets = vec![pool.submit(0).await.unwrap()];
        until(|| pool.stats().running == 1).await;
        tickets.push(pool.submit(1).await.unwrap());
        // The worker is busy and the queue full: these run here, and are done as the call returns.
        let mut third = pool.submit(2).await.unwrap();
        assert!(poll_once(pin!(&mut third)).is_ready());
        pool.execute(3).await.unwrap();
        let panicked = pool.submit(4).await.unwrap();
        assert!(matches!(panicked.await, Err(JobError::Panicked(_))), "the caller is no less protected");
        assert_eq!(pool.submit_blocking(5).unwrap().await.unwrap(), 5);
        assert_eq!(pool.try_submit(6).unwrap_err(), SubmitError::Full(6), "this call does not wait, nor work");
        let batch = pool.submit_batch([7, 8]).await.unwrap();
        assert_eq!(batch.await.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(pool.stats().caller_ran, 6);
        assert_eq!(results(&inside, tickets).await, [Ok(0), Ok(1)]);
        assert!(peak.lock().unwrap().is_empty());
    }

    async fn a_hook_that_panics_harms_nobody(on) {
        let builder = WorkerPool::builder().workers(1).queue(1).overflow(Overflow::DropOldest).on(on);
        let (gate, pool) = gated(builder.on_shed(|_, _| panic!("in the hook")));
        pool.execute(0).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let displaced = pool.submit(1).await.unwrap();
        let last = pool.submit(2).await.unwrap();
        assert!(matches!(displaced.await, Err(JobError::Displaced)));
        gate.add_permits(2);
        assert_eq!(last.await.unwrap(), 2);
    }
}
