//! What the pool does with the context that a job is submitted in, and with that of those who wait.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use tidemill_context::{Cause, Context, ManualClock};
use tidemill_pools::{JobError, Shed, SubmitError, WorkerPool};
use worker_support::{gated, on_both_runtimes, poll_once, until};

on_both_runtimes! {
    async fn a_job_runs_in_the_context_of_its_submitter(on) {
        let pool = WorkerPool::builder().workers(1).on(on).build(|suspends: bool| async move {
            if suspends {
                tokio::task::yield_now().await;
            }
            Context::try_current().and_then(|context| context.value::<u32>().copied())
        }).unwrap();
        for suspends in [true, false] {
            let inside = Context::background().with_value(7_u32);
            let ticket = inside.scope(pool.submit(suspends)).await.unwrap();
            assert_eq!(ticket.await.unwrap(), Some(7));
            let batch = inside.scope(pool.submit_batch([suspends; 2])).await.unwrap();
            assert!(batch.await.iter().all(|seen| matches!(seen, Ok(Some(7)))));
            assert_eq!(pool.submit(suspends).await.unwrap().await.unwrap(), None, "the next one has nothing of it");
        }
    }

    async fn a_job_that_blocks_has_the_context_too(on) {
        let pool = WorkerPool::builder().workers(0..=1).on(on).build_blocking(|()| {
            Context::try_current().and_then(|context| context.value::<u32>().copied())
        }).unwrap();
        let inside = Context::background().with_value(7_u32);
        assert_eq!(inside.enter(|| pool.try_submit(())).unwrap().await.unwrap(), Some(7));
        // That submit hired the worker, which yet belongs to the pool.
        assert_eq!(pool.submit(()).await.unwrap().await.unwrap(), None);
    }

    async fn a_cancelled_or_late_caller_submits_nothing(on) {
        let (_gate, pool) = gated(WorkerPool::builder().workers(1).on(on));
        let cancelled = Context::background();
        cancelled.cancel(Cause::Shutdown);
        let late = Context::background().with_timeout(Duration::ZERO);
        for (context, cause) in [(cancelled, Cause::Shutdown), (late, Cause::DeadlineExceeded)] {
            let refused = |job| SubmitError::Interrupted(job, cause.clone());
            assert_eq!(context.scope(pool.submit(1)).await.unwrap_err(), refused(1));
            assert_eq!(context.scope(pool.execute(2)).await.unwrap_err(), refused(2));
            assert_eq!(context.enter(|| pool.try_submit(3)).unwrap_err(), refused(3));
            let batch = context.scope(pool.submit_batch([4, 5])).await.unwrap_err().refused;
            assert_eq!(batch, SubmitError::Interrupted(vec![4, 5], cause.clone()));
        }
        assert_eq!((pool.stats().queued, pool.stats().running, pool.stats().rejected), (0, 0, 8));
    }

    async fn a_wait_for_a_place_ends_with_the_cause(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(on));
        pool.execute(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        pool.execute(2).await.unwrap();
        let clock = ManualClock::new();
        let context = Context::on(&clock).with_timeout(Duration::from_secs(5));
        let mut waits = pin!(context.scope(pool.submit(3)));
        assert!(poll_once(waits.as_mut()).is_pending());
        clock.advance(Duration::from_secs(5));
        let Poll::Ready(Err(error)) = poll_once(waits.as_mut()) else { panic!("it still waits") };
        assert_eq!(error, SubmitError::Interrupted(3, Cause::DeadlineExceeded));
        assert_eq!(pool.stats().waiting, 0);
        gate.add_permits(2);
        pool.drain_until(pending()).await;
        assert_eq!(pool.stats().done, 2);
    }

    async fn a_queued_job_whose_context_is_cancelled_never_starts(on) {
        let shed = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&shed);
        let builder = WorkerPool::builder().workers(1).on(on);
        let (gate, pool) = gated(builder.on_shed(move |job, why| hook.lock().unwrap().push((job, why))));
        let context = Context::background();
        let running = context.scope(pool.submit(1)).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let queued = context.scope(pool.submit(2)).await.unwrap();
        let other = pool.submit(3).await.unwrap();
        context.cancel(Cause::Signal(15));
        gate.add_permits(2);
        assert_eq!(running.await.unwrap(), 1, "what runs finds out by itself");
        match queued.await {
            Err(JobError::Interrupted(cause)) => assert_eq!(cause, Cause::Signal(15)),
            other => panic!("{other:?}"),
        }
        assert_eq!(other.await.unwrap(), 3);
        assert_eq!(*shed.lock().unwrap(), [(2, Shed::Interrupted(Cause::Signal(15)))]);
    }

    async fn a_wait_for_a_ticket_or_a_group_ends_with_the_callers_context(on) {
        let (gate, pool) = gated(WorkerPool::builder().workers(1).on(on));
        let ticket = pool.submit(1).await.unwrap();
        let context = Context::background();
        let mut waits = pin!(context.scope(ticket));
        assert!(poll_once(waits.as_mut()).is_pending());
        context.cancel(Cause::Cancelled);
        assert!(matches!(poll_once(waits.as_mut()), Poll::Ready(Err(JobError::Interrupted(Cause::Cancelled)))));
        gate.add_permits(1);
        until(|| pool.stats().done == 1).await;

        let context = Context::background();
        let mut group = pool.group();
        group.submit(2).await.unwrap();
        group.submit(3).await.unwrap();
        let mut waits = Box::pin(context.scope(group.join()));
        assert!(poll_once(waits.as_mut()).is_pending());
        context.cancel(Cause::Shutdown);
        let failure = waits.await.unwrap_err();
        assert!(failure.results.iter().all(|result| matches!(result, Err(JobError::Cancelled))));
        until(|| pool.stats().cancelled == 2).await;
    }
}
