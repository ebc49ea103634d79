//! Under load a worker is dealt several jobs at once. Nobody may notice: not who counts, cancels, pauses or drains, nor the
//! other workers.
#![allow(clippy::unwrap_used)]

mod worker_support;

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Wake, Waker},
};

use tidemill_pools::{Cancelled, JobError, Overflow, Spawner, SubmitError, WorkerBuilder, WorkerPool};
use tokio::sync::Semaphore;
use worker_support::{HandClock, on_both_runtimes, poll_once, until};

/// A pool of short jobs, but for those with a multiple of 1,000 as their number, which wait for a permit; and the order in
/// which jobs started. Its clock stands still, so that its jobs are known to be short once the sixty-fourth has ended.
async fn dealing(
    builder: WorkerBuilder<u32, u32>,
    on: Spawner,
) -> (Arc<Semaphore>, Arc<Mutex<Vec<u32>>>, WorkerPool<u32, u32>) {
    let (gate, starts) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (inside, noted) = (Arc::clone(&gate), Arc::clone(&starts));
    let handler = move |number: u32| {
        noted.lock().unwrap().push(number);
        let gate = Arc::clone(&inside);
        async move {
            if number.is_multiple_of(1_000) {
                gate.acquire().await.unwrap().forget();
            }
            number
        }
    };
    let pool = builder.on(on).clock(HandClock::default()).build(handler).unwrap();
    for _ in 0..64 {
        pool.submit(1).await.unwrap().await.unwrap();
    }
    starts.lock().unwrap().clear();
    (gate, starts, pool)
}

/// One worker stands in job 2,000, and was dealt some of the twenty jobs that are queued.
async fn stuck(
    on: Spawner,
    overflow: Overflow,
) -> (Arc<Semaphore>, WorkerPool<u32, u32>, Vec<tidemill_pools::Ticket<u32>>) {
    let builder = WorkerPool::builder().workers(1).queue(21).overflow(overflow);
    let (gate, starts, pool) = dealing(builder, on).await;
    pool.execute(1_000).await.unwrap();
    until(|| starts.lock().unwrap().len() == 1).await;
    pool.execute(2_000).await.unwrap();
    let mut tickets = Vec::new();
    for number in 1..=20 {
        tickets.push(pool.submit(number).await.unwrap());
    }
    gate.add_permits(1);
    until(|| starts.lock().unwrap().len() == 2).await;
    assert_eq!(pool.stats().queued, 20);
    (gate, pool, tickets)
}

on_both_runtimes! {
    async fn a_hand_holds_up_nobody(on) {
        let builder = WorkerPool::builder().workers(2).queue(5_000);
        let (gate, starts, pool) = dealing(builder, on).await;
        for number in 2_500..5_500 {
            pool.execute(number).await.unwrap();
        }
        // One worker stands in job 3,000, and the other took its hand from it, before it came to stand in 4,000.
        until(|| pool.stats().done == 64 + 1_499).await;
        assert_eq!((pool.stats().queued, pool.stats().running), (1_499, 2));
        gate.add_permits(3);
        pool.drain_until(pending()).await;
        assert_eq!((starts.lock().unwrap().len(), pool.stats().done), (3_000, 3_064));
    }

    async fn what_was_dealt_is_cancelled_like_all_others(on) {
        let (gate, pool, tickets) = stuck(on, Overflow::Wait).await;
        assert_eq!(pool.cancel(&tickets[0]), Cancelled::Unstarted(1));
        assert_eq!(pool.cancel(&tickets[4]), Cancelled::Unstarted(5));
        assert_eq!(pool.stats().queued, 18);
        gate.add_permits(1);
        pool.drain_until(pending()).await;
        let ends: Vec<bool> = futures_of(tickets).await;
        assert_eq!(ends.iter().filter(|done| **done).count(), 18);
    }

    async fn what_was_dealt_comes_back_in_order(on) {
        let (_gate, pool, _tickets) = stuck(on, Overflow::Wait).await;
        let drained = pool.drain_until(std::future::ready(())).await;
        assert_eq!(drained.unstarted, (1..=20).collect::<Vec<u32>>());
    }

    async fn what_was_dealt_is_paused(on) {
        let (gate, pool, _tickets) = stuck(on, Overflow::Wait).await;
        pool.pause();
        gate.add_permits(1);
        until(|| pool.stats().running == 0).await;
        assert_eq!(pool.stats().queued, 20);
        pool.resume();
        until(|| pool.stats().queued == 0).await;
    }

    async fn what_was_dealt_keeps_its_place(on) {
        let (_gate, pool, _tickets) = stuck(on, Overflow::Reject).await;
        pool.try_execute(21).unwrap();
        assert_eq!(pool.try_execute(22), Err(SubmitError::Full(22)));
        assert_eq!(pool.stats().queued, 21);
    }

    async fn the_oldest_that_gives_way_is_one_that_was_dealt(on) {
        let (_gate, pool, mut tickets) = stuck(on, Overflow::DropOldest).await;
        pool.try_execute(21).unwrap();
        pool.try_execute(22).unwrap();
        assert!(matches!(tickets.remove(0).await, Err(JobError::Displaced)));
        let drained = pool.drain_until(std::future::ready(())).await;
        assert_eq!(drained.unstarted, (2..=22).collect::<Vec<u32>>());
    }

    async fn a_worker_that_is_added_takes_what_was_dealt(on) {
        let (gate, pool, tickets) = stuck(on, Overflow::Wait).await;
        pool.resize(2).unwrap();
        assert!(futures_of(tickets).await.iter().all(|done| *done), "job 2,000 still stands in the way");
        gate.add_permits(1);
    }

    async fn a_waker_may_use_the_pool_as_it_is_dropped(on) {
        let (_gate, starts, pool) = dealing(WorkerPool::builder().workers(1).queue(2), on).await;
        let pool = Arc::new(pool);
        pool.execute(1_000).await.unwrap();
        until(|| starts.lock().unwrap().len() == 1).await;
        let mut group = pool.group();
        group.submit(1).await.unwrap();
        pool.execute(2).await.unwrap();
        // Of a submitter that waits: replaced by another one, and dropped with its submitter.
        let mut waits = Box::pin(pool.execute(3));
        poll_nosily(waits.as_mut(), &pool);
        assert!(poll_once(waits.as_mut()).is_pending());
        poll_nosily(waits.as_mut(), &pool);
        drop(waits);
        // The same of one that waits for a group.
        let mut joins = Box::pin(group.join());
        poll_nosily(joins.as_mut(), &pool);
        assert!(poll_once(joins.as_mut()).is_pending());
    }
}

/// Polls with a waker that is nobody else's.
fn poll_nosily(future: Pin<&mut impl Future>, pool: &Arc<WorkerPool<u32, u32>>) {
    let waker = Waker::from(Arc::new(Nosy(Arc::clone(pool))));
    assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
}

/// Looks at the pool when it is dropped.
struct Nosy(Arc<WorkerPool<u32, u32>>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Nosy {
    fn drop(&mut self) {
        assert!(self.0.stats().workers > 0);
    }
}

/// Which of the jobs came to a result.
async fn futures_of(tickets: Vec<tidemill_pools::Ticket<u32>>) -> Vec<bool> {
    let mut ends = Vec::new();
    for ticket in tickets {
        ends.push(ticket.await.is_ok());
    }
    ends
}
