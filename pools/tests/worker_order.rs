//! Which job starts next: priorities and tenants, on a pool with one worker.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::pending,
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use tidemill_pools::{JobError, Priority, Spawner, WorkerPool};
use worker_support::{on_both_runtimes, until};

type Seen = Arc<Mutex<Vec<u32>>>;

/// A paused pool that writes down what it starts.
fn scribe(on: Spawner) -> (Seen, WorkerPool<u32, ()>) {
    let seen = Seen::default();
    let sink = Arc::clone(&seen);
    let pool = WorkerPool::builder().workers(1).on(on).build_sync(move |n| sink.lock().unwrap().push(n)).unwrap();
    pool.pause();
    (seen, pool)
}

async fn order(seen: &Seen, pool: &WorkerPool<u32, ()>) -> Vec<u32> {
    pool.drain_until(pending()).await;
    std::mem::take(&mut *seen.lock().unwrap())
}

on_both_runtimes! {
    async fn higher_priorities_start_first_and_equals_in_order(on) {
        let (seen, pool) = scribe(on);
        pool.execute(10).await.unwrap();
        for (job, priority) in [(0, Priority::Low), (20, Priority::High), (11, Priority::Normal), (30, Priority::Urgent)] {
            pool.job(job).priority(priority).execute().await.unwrap();
        }
        pool.job(21).priority(Priority::High).execute().await.unwrap();
        assert_eq!(order(&seen, &pool).await, [30, 20, 21, 10, 11, 0]);
    }

    async fn a_low_job_starts_within_64_starts_under_urgent_load(on) {
        let (seen, pool) = scribe(on);
        pool.job(0).priority(Priority::Low).execute().await.unwrap();
        for _ in 0..500 {
            pool.job(1).priority(Priority::Urgent).execute().await.unwrap();
        }
        let started = order(&seen, &pool).await;
        let low = started.iter().position(|job| *job == 0).unwrap();
        assert!((1..64).contains(&low), "started as number {low}");
    }

    async fn tenants_take_turns_however_much_one_has_queued(on) {
        let (seen, pool) = scribe(on);
        for job in 0..50 {
            pool.job(100 + job).tenant("hog").execute().await.unwrap();
        }
        for job in 0..3 {
            pool.job(200 + job).tenant("small").execute().await.unwrap();
            pool.job(300 + job).weighted_tenant("double", NonZeroU32::new(2).unwrap()).execute().await.unwrap();
        }
        let started = order(&seen, &pool).await;
        assert_eq!(started[..9], [100, 200, 300, 301, 101, 201, 302, 102, 202]);
        assert_eq!(started.len(), 56);
    }

    async fn what_never_started_comes_back_oldest_first_whatever_its_priority(on) {
        let (_, pool) = scribe(on);
        for (job, priority) in [(1, Priority::Low), (2, Priority::Urgent), (3, Priority::Normal)] {
            pool.job(job).priority(priority).tenant(job).execute().await.unwrap();
        }
        assert_eq!(pool.drain_until(std::future::ready(())).await.unstarted, [1, 2, 3]);
    }

    async fn a_job_is_cancelled_out_of_any_line(on) {
        let (seen, pool) = scribe(on);
        let mut tickets = Vec::new();
        for job in 0..6 {
            let priority = if job % 2 == 0 { Priority::High } else { Priority::Normal };
            tickets.push(pool.job(job).priority(priority).tenant(job % 3).submit().await.unwrap());
        }
        for job in [2, 3] {
            assert_eq!(pool.cancel(&tickets[job]), tidemill_pools::Cancelled::Unstarted(job as u32));
        }
        until(|| pool.stats().queued == 4).await;
        let mut started = order(&seen, &pool).await;
        started.sort_unstable();
        assert_eq!(started, [0, 1, 4, 5]);
        assert!(matches!(tickets.swap_remove(2).await, Err(JobError::Cancelled)));
    }
}
