//! Queue time-outs and run time-outs, on a clock that is moved by hand.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use tidemill_pools::{JobError, Shed, SubmitError, WorkerPool};
use worker_support::{HandClock, SECOND, gated, on_both_runtimes, poll_once, until};

on_both_runtimes! {
    async fn a_job_that_is_late_never_starts(on) {
        let (clock, shed) = (HandClock::default(), Arc::new(Mutex::new(Vec::new())));
        let hook = Arc::clone(&shed);
        let builder = WorkerPool::builder().workers(1).on(on).clock(clock.clone()).start_within(10 * SECOND);
        let (gate, pool) = gated(builder.on_shed(move |job, why| hook.lock().unwrap().push((job, why))));
        let running = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let late = pool.submit(2).await.unwrap();
        let patient = pool.job(3).start_within(11 * SECOND).submit().await.unwrap();
        clock.advance(10 * SECOND);
        gate.add_permits(2);
        assert_eq!(running.await.unwrap(), 1, "what runs has started in time");
        assert!(matches!(late.await, Err(JobError::Expired)), "at the deadline is too late");
        assert_eq!(patient.await.unwrap(), 3);
        assert_eq!(*shed.lock().unwrap(), [(2, Shed::Expired)]);
        until(|| pool.stats().running == 0).await;
        assert_eq!((pool.stats().expired, pool.stats().done), (1, 2));
    }

    async fn a_late_job_gives_its_place_to_a_newcomer(on) {
        let clock = HandClock::default();
        let builder = WorkerPool::builder().workers(1).queue(1).on(on).clock(clock.clone());
        let (gate, pool) = gated(builder);
        let running = pool.submit(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        let late = pool.job(2).start_within(SECOND).submit().await.unwrap();
        assert_eq!(pool.try_submit(3).unwrap_err(), SubmitError::Full(3));
        clock.advance(SECOND);
        let next = pool.try_submit(4).unwrap();
        assert!(matches!(late.await, Err(JobError::Expired)));
        gate.add_permits(2);
        assert_eq!((running.await.unwrap(), next.await.unwrap()), (1, 4));
    }

    async fn a_submit_that_waits_gives_up_in_time(on) {
        let clock = HandClock::default();
        let (gate, pool) = gated(WorkerPool::builder().workers(1).queue(1).on(on).clock(clock.clone()));
        pool.execute(1).await.unwrap();
        until(|| pool.stats().running == 1).await;
        pool.execute(2).await.unwrap();
        let mut waits = pin!(pool.job(3).start_within(SECOND).submit());
        assert!(poll_once(waits.as_mut()).is_pending());
        clock.advance(SECOND / 2);
        assert!(poll_once(waits.as_mut()).is_pending());
        clock.advance(SECOND / 2);
        assert!(matches!(poll_once(waits.as_mut()), Poll::Ready(Err(SubmitError::Expired(3)))));
        assert_eq!(pool.stats().waiting, 0, "it stands in line no more");
        assert_eq!(pool.job(4).start_within(Duration::ZERO).submit().await.unwrap_err(), SubmitError::Expired(4));
        assert_eq!(pool.job(5).start_within(Duration::ZERO).try_submit().unwrap_err(), SubmitError::Expired(5));
        assert_eq!(pool.stats().rejected, 3);
        gate.add_permits(2);
        pool.drain_until(pending()).await;
    }

    async fn a_job_that_runs_too_long_is_dropped(on) {
        struct Told(Arc<Mutex<bool>>);
        impl Drop for Told {
            fn drop(&mut self) {
                *self.0.lock().unwrap() = true;
            }
        }
        let (clock, dropped) = (HandClock::default(), Arc::new(Mutex::new(false)));
        let inside = Arc::clone(&dropped);
        let builder = WorkerPool::builder().workers(1).on(on).clock(clock.clone()).run_within(5 * SECOND);
        let pool = builder.build(move |endless: bool| {
            let told = Told(Arc::clone(&inside));
            async move {
                let _told = told;
                if endless {
                    pending::<()>().await;
                }
            }
        }).unwrap();
        let quick = pool.submit(false).await.unwrap();
        assert!(quick.await.is_ok());
        *dropped.lock().unwrap() = false;
        let endless = pool.submit(true).await.unwrap();
        let after = pool.submit(false).await.unwrap();
        until(|| clock.sleepers() == 1).await;
        clock.advance(5 * SECOND);
        assert!(matches!(endless.await, Err(JobError::TimedOut)));
        assert!(*dropped.lock().unwrap());
        assert!(after.await.is_ok(), "the worker goes on");
        let own = pool.job(true).run_within(SECOND).submit().await.unwrap();
        until(|| clock.sleepers() == 1).await;
        clock.advance(SECOND);
        assert!(matches!(own.await, Err(JobError::TimedOut)), "the job's own time counts");
        until(|| pool.stats().running == 0).await;
        assert_eq!(pool.stats().timed_out, 2);
    }

    async fn a_pool_without_time_outs_reads_the_clock_for_one_job_in_64(on) {
        let clock = HandClock::default();
        let pool = WorkerPool::builder().workers(1).on(on).clock(clock.clone()).build_sync(|n: u32| n).unwrap();
        for number in 0..640 {
            pool.execute(number).await.unwrap();
        }
        pool.drain_until(pending()).await;
        assert_eq!(clock.reads(), 1 + 3 * 640 / 64, "one for the beginning of its time");
        assert_eq!((pool.waits().count(), pool.runs().count()), (10, 10));
    }

    async fn waits_and_runs_are_measured_apart(on) {
        let clock = HandClock::default();
        let (gate, pool) = gated(WorkerPool::builder().workers(1).on(on).clock(clock.clone()));
        pool.execute(0).await.unwrap();
        until(|| pool.stats().running == 1).await;
        // The sixty-fourth job is the one that is measured: two seconds in the queue, three at work.
        for number in 1..64 {
            pool.execute(number).await.unwrap();
        }
        clock.advance(2 * SECOND);
        gate.add_permits(63);
        until(|| pool.stats().done == 63 && pool.stats().running == 1).await;
        until(|| clock.reads() == 3).await;
        clock.advance(3 * SECOND);
        gate.add_permits(1);
        pool.drain_until(pending()).await;
        assert_eq!((pool.waits().count(), pool.waits().max(), pool.runs().max()), (1, 2 * SECOND, 3 * SECOND));
    }
}
