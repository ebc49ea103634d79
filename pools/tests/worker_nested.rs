//! Jobs that submit to their own pool and wait for it: nothing dead-locks, and no more run at once than may.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tidemill_pools::{JobError, Spawner, WorkerBuilder, WorkerPool};
use worker_support::{on_both_runtimes, until};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A pool whose handler can reach it.
fn knows_itself<T: Send + 'static>(
    builder: WorkerBuilder<u32, T>,
    handler: impl Fn(Arc<WorkerPool<u32, T>>, u32) -> Boxed<T> + Send + Sync + 'static,
) -> Arc<WorkerPool<u32, T>> {
    let own: Arc<OnceLock<Weak<WorkerPool<u32, T>>>> = Arc::default();
    let inside = Arc::clone(&own);
    let pool = builder.build(move |job| handler(inside.get().unwrap().upgrade().unwrap(), job)).unwrap();
    let pool = Arc::new(pool);
    own.set(Arc::downgrade(&pool)).unwrap();
    pool
}

/// The number of directories in a tree `depth` deep with three branches at each: every directory is a job that submits
/// one for each branch, then waits for all of them.
fn walk(pool: Arc<WorkerPool<u32, u32>>, depth: u32) -> Boxed<u32> {
    Box::pin(async move {
        let mut below = Vec::new();
        for _ in 0..if depth == 0 { 0 } else { 3 } {
            below.push(pool.submit(depth - 1).await.unwrap());
        }
        let mut sum = 1;
        for ticket in below {
            sum += ticket.await.unwrap();
        }
        sum
    })
}

fn builder<T: Send + 'static>(on: &Spawner, workers: usize, queue: usize) -> WorkerBuilder<u32, T> {
    WorkerPool::builder().workers(workers).queue(queue).on(on.clone())
}

on_both_runtimes! {
    // panjf2000/ants#56 and #197: a recursive walk, and a submit inside of a submit, dead-lock a full pool.
    async fn ants_56_a_recursive_walk_ends_on_the_smallest_pool(on) {
        for (workers, queue) in [(1, 1), (2, 1), (1, 7), (3, 2)] {
            let pool = knows_itself(builder(&on, workers, queue), walk);
            assert_eq!(pool.submit(5).await.unwrap().await.unwrap(), 364, "{workers} workers, {queue} places");
            until(|| pool.stats().running == 0).await;
            assert_eq!((pool.stats().done, pool.stats().lent), (364, 0));
        }
    }

    async fn a_walk_of_threads_that_block_ends_too(on) {
        let own: Arc<OnceLock<Weak<WorkerPool<u32, u32>>>> = Arc::default();
        let inside = Arc::clone(&own);
        let pool = builder(&on, 1, 1).build_blocking(move |depth: u32| {
            let pool = inside.get().unwrap().upgrade().unwrap();
            let branches = if depth == 0 { 0 } else { 2 };
            let below: Vec<_> = (0..branches).map(|_| pool.submit_blocking(depth - 1).unwrap()).collect();
            below.into_iter().map(|ticket| ticket.wait().unwrap()).sum::<u32>() + 1
        }).unwrap();
        let pool = Arc::new(pool);
        own.set(Arc::downgrade(&pool)).unwrap();
        assert_eq!(pool.submit(4).await.unwrap().await.unwrap(), 31);
    }

    async fn no_more_jobs_make_progress_than_there_are_slots(on) {
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (inside, highest) = (Arc::clone(&running), Arc::clone(&peak));
        let pool = knows_itself(builder(&on, 2, 1), move |pool, depth| {
            let (running, peak) = (Arc::clone(&inside), Arc::clone(&highest));
            Box::pin(async move {
                let enter = || peak.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                enter();
                for _ in 0..if depth == 0 { 0 } else { 2 } {
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, SeqCst);
                    let ticket = pool.submit(depth - 1).await.unwrap();
                    ticket.await.unwrap();
                    enter();
                }
                running.fetch_sub(1, SeqCst);
            })
        });
        let walks = [pool.submit(4).await.unwrap(), pool.submit(4).await.unwrap(), pool.submit(4).await.unwrap()];
        for walk in walks {
            walk.await.unwrap();
        }
        assert!(peak.load(SeqCst) <= 2, "{} at once", peak.load(SeqCst));
    }

    async fn a_job_that_waits_for_something_else_keeps_its_slot(on) {
        let other = Arc::new(WorkerPool::builder().workers(1).on(on.clone()).build(|()| pending::<()>()).unwrap());
        let foreign = Arc::clone(&other);
        let pool = WorkerPool::builder().workers(1).on(on).build(move |other: bool| {
            let foreign = Arc::clone(&foreign);
            async move {
                if other {
                    drop(foreign.submit(()).await.unwrap().await);
                } else {
                    pending::<()>().await;
                }
            }
        }).unwrap();
        for other in [true, false] {
            let waits = pool.submit(other).await.unwrap();
            until(|| pool.stats().running == 1).await;
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!((pool.stats().lent, pool.stats().workers), (0, 1));
            pool.cancel(&waits);
            assert!(matches!(waits.await, Err(JobError::Cancelled)));
            until(|| pool.stats().running == 0).await;
        }
    }

    async fn a_group_and_a_batch_inside_of_a_job_lend_too(on) {
        let pool = knows_itself(builder(&on, 1, 2), |pool, depth: u32| Box::pin(async move {
            if depth == 0 {
                return 1;
            }
            let batch = pool.submit_batch([depth - 1; 3]).await.unwrap().await;
            let mut sum: u32 = batch.into_iter().map(Result::unwrap).sum();
            let mut group = pool.group();
            for _ in 0..3 {
                group.submit(depth - 1).await.unwrap();
            }
            sum += group.join().await.unwrap().into_iter().sum::<u32>();
            sum
        }));
        assert_eq!(pool.submit(3).await.unwrap().await.unwrap(), 216);
    }

    async fn a_parent_that_is_cancelled_while_it_waits_leaves_the_pool_whole(on) {
        let pool = knows_itself(builder(&on, 1, 4), |pool, depth: u32| Box::pin(async move {
            match depth {
                0 => {}
                1 => pending().await,
                _ => drop(pool.submit(depth - 1).await.unwrap().await),
            }
        }));
        let parent = pool.submit(3).await.unwrap();
        until(|| pool.stats().lent == 2).await;
        pool.cancel(&parent);
        assert!(matches!(parent.await, Err(JobError::Cancelled)));
        until(|| pool.stats().lent == 1).await;
        assert_eq!(pool.stats().running, 2, "its children go on");
        let next = pool.submit(0).await.unwrap();
        pool.resize(2).unwrap();
        next.await.unwrap();
    }
}
