//! Jobs that belong together: results in order, and the first failure cancels the rest.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::pending,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, Weak},
};

use tidemill_pools::{JobError, Spawner, SubmitError, WorkerPool};
use worker_support::{on_both_runtimes, poll_once, until};

/// What a job of these tests does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Do {
    Give(u32),
    Fail,
    Panic,
    /// Never ends.
    Wait,
}

type Pool = WorkerPool<Do, Result<u32, &'static str>>;

fn pool(on: Spawner, workers: usize, queue: usize) -> Pool {
    let builder = WorkerPool::builder().workers(workers).queue(queue).on(on).failed_when(Result::is_err);
    builder
        .build(|job| async move {
            tokio::task::yield_now().await;
            match job {
                Do::Give(number) => Ok(number),
                Do::Fail => Err("failed"),
                Do::Panic => panic!("panicked"),
                Do::Wait => pending().await,
            }
        })
        .unwrap()
}

on_both_runtimes! {
    async fn results_keep_the_order_of_submission(on) {
        let pool = pool(on, 3, 4);
        let mut group = pool.group();
        for number in 0..100 {
            group.submit(Do::Give(number)).await.unwrap();
        }
        let results = group.join().await.unwrap();
        assert_eq!(results, (0..100).map(Ok).collect::<Vec<_>>());
        assert!(pool.group().join().await.unwrap().is_empty());
    }

    // alitto/pond#29 and sourcegraph/conc#115: the first error stops the rest, and each result is matched to its job.
    async fn pond_29_the_first_failure_cancels_the_rest(on) {
        let pool = pool(on, 2, 10);
        let bystander = pool.submit(Do::Give(9)).await.unwrap();
        let mut group = pool.group();
        for job in [Do::Give(0), Do::Wait, Do::Fail, Do::Wait, Do::Give(4)] {
            group.submit(job).await.unwrap();
        }
        let failure = group.join().await.unwrap_err();
        assert_eq!(failure.index, 2);
        assert!(matches!(failure.results[0], Ok(Ok(0))));
        assert!(matches!(failure.results[1], Err(JobError::Cancelled)), "it ran, and was dropped");
        assert!(matches!(failure.results[2], Ok(Err("failed"))));
        assert!(matches!(failure.results[3], Err(JobError::Cancelled)));
        assert_eq!(failure.results.len(), 5);
        assert_eq!(bystander.await.unwrap(), Ok(9), "who is no member is not touched");
        until(|| pool.stats().running == 0).await;
        assert_eq!(pool.stats().queued, 0);
    }

    // sourcegraph/conc#106: a panic must cancel the siblings like an error.
    async fn conc_106_a_panic_cancels_like_an_error(on) {
        let pool = pool(on, 2, 10);
        let mut group = pool.group();
        group.submit(Do::Wait).await.unwrap();
        group.submit(Do::Panic).await.unwrap();
        let failure = group.join().await.unwrap_err();
        assert_eq!(failure.index, 1);
        assert!(matches!(failure.results[1], Err(JobError::Panicked(_))));
        assert_eq!(failure.to_string(), "job 1 of the group: the job panicked: panicked");
    }

    // sourcegraph/conc#107: a wait for a slot must end when the group has failed or the caller goes away.
    async fn conc_107_a_submit_that_waits_can_be_dropped_and_a_failed_group_takes_no_more(on) {
        let pool = pool(on, 1, 1);
        let mut group = pool.group();
        group.submit(Do::Wait).await.unwrap();
        until(|| pool.stats().running == 1).await;
        group.submit(Do::Fail).await.unwrap();
        {
            let mut waits = pin!(group.submit(Do::Give(1)));
            assert!(poll_once(waits.as_mut()).is_pending());
        }
        assert_eq!(pool.stats().waiting, 0);
        pool.resize(2).unwrap();
        until(|| pool.stats().running == 0).await;
        assert_eq!(group.submit(Do::Give(2)).await.unwrap_err(), SubmitError::Unwanted(Do::Give(2)));
        let failure = group.join().await.unwrap_err();
        assert_eq!((failure.index, failure.results.len()), (1, 2), "the dropped submit left no member");
    }

    async fn a_dropped_group_cancels_its_jobs_and_no_others(on) {
        let pool = pool(on, 1, 50);
        let mut group = pool.group();
        group.submit(Do::Wait).await.unwrap();
        until(|| pool.stats().running == 1).await;
        for _ in 0..40 {
            group.submit(Do::Give(1)).await.unwrap();
        }
        let other = pool.submit(Do::Give(2)).await.unwrap();
        drop(Box::pin(group.join()));
        assert_eq!(other.await.unwrap(), Ok(2));
        until(|| pool.stats().running == 0).await;
        assert_eq!((pool.stats().done, pool.stats().cancelled), (1, 41));
    }

    // A member that is cancelled while others are queued frees a worker for one of those.
    async fn the_queued_jobs_of_a_dropped_group_leave_in_one_step(on) {
        let here = Arc::new(OnceLock::<Weak<WorkerPool<u32, ()>>>::new());
        let queued = Arc::new(Mutex::new(Vec::new()));
        let builder = WorkerPool::builder().workers(1).queue(50).on(on).on_shed({
            let (here, queued) = (Arc::clone(&here), Arc::clone(&queued));
            move |_, _| queued.lock().unwrap().extend(here.get().and_then(Weak::upgrade).map(|pool| pool.stats().queued))
        });
        let pool = Arc::new(builder.build(|_| pending()).unwrap());
        here.set(Arc::downgrade(&pool)).unwrap();
        let mut group = pool.group();
        for number in 0..10 {
            group.submit(number).await.unwrap();
        }
        until(|| pool.stats().running == 1).await;
        drop(group);
        assert_eq!(*queued.lock().unwrap(), [0; 9], "queued jobs as each of the nine is handed out");
    }

    async fn a_pool_that_ends_ends_the_group(on) {
        let pool = pool(on, 1, 10);
        let mut group = pool.group();
        group.submit(Do::Give(1)).await.unwrap();
        group.submit(Do::Wait).await.unwrap();
        group.submit(Do::Give(3)).await.unwrap();
        until(|| pool.stats().done == 1 && pool.stats().running == 1).await;
        assert_eq!(pool.drain_until(std::future::ready(())).await.unstarted, [Do::Give(3)]);
        let mut join = pin!(group.join());
        assert!(poll_once(join.as_mut()).is_pending(), "one runs still");
        assert_eq!(pool.stats().running, 1);
    }
}
