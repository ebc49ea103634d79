//! The limiter on plain tokio with paused time: its default clock and timers.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use tidemill_resilience::{Rate, RateLimiter, Refused};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

const MS: Duration = Duration::from_millis(1);

fn limiter(per_second: u64, burst: u64) -> Arc<RateLimiter> {
    Arc::new(RateLimiter::builder().rate(Rate::per_second(per_second)).burst(burst).build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn waiting_takes_exactly_as_long_as_the_rate_says() {
    let limiter = limiter(100, 5);
    let start = Instant::now();
    for _ in 0..25 {
        limiter.acquire(1).await.unwrap();
    }
    assert_eq!(start.elapsed(), 200 * MS);
    limiter.acquire(5).await.unwrap();
    assert_eq!(start.elapsed(), 250 * MS);
}

#[tokio::test(start_paused = true)]
async fn tasks_go_in_the_order_they_came() {
    let limiter = limiter(1000, 10);
    limiter.acquire(10).await.unwrap();
    let mut tasks = JoinSet::new();
    for (index, n) in [10, 1, 5, 1, 10, 1].into_iter().enumerate() {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            limiter.acquire(n).await.unwrap();
            (index, Instant::now())
        });
    }
    let start = Instant::now();
    let mut done = vec![];
    while let Some(task) = tasks.join_next().await {
        let (index, at) = task.unwrap();
        done.push((index, (at - start).as_millis()));
    }
    assert_eq!(done, [(0, 10), (1, 11), (2, 16), (3, 17), (4, 27), (5, 28)]);
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_waiter_costs_nothing() {
    let limiter = limiter(1, 1);
    let start = Instant::now();
    limiter.acquire(1).await.unwrap();
    for _ in 0..900 {
        timeout(MS, limiter.acquire(1)).await.unwrap_err();
    }
    assert_eq!(limiter.waiters(), 0);
    limiter.acquire(1).await.unwrap();
    assert_eq!(start.elapsed(), 1000 * MS, "nobody booked the token meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_hopeless_deadline_is_refused_without_waiting() {
    let limiter = limiter(100, 1);
    limiter.acquire(1).await.unwrap();
    let start = Instant::now();
    let refused = Refused::Later { retry_after: 10 * MS };
    assert_eq!(limiter.acquire_within(1, 9 * MS).await, Err(refused.clone()));
    assert_eq!(limiter.acquire_until(1, start + 9 * MS).await, Err(refused));
    assert_eq!(start.elapsed(), Duration::ZERO);
    limiter.acquire_within(1, 10 * MS).await.unwrap();
    assert_eq!(start.elapsed(), 10 * MS);
    limiter.acquire_within(1, Duration::MAX).await.unwrap();
    assert_eq!(start.elapsed(), 20 * MS);
}

/// A year's wait is a wait like any other.
#[tokio::test(start_paused = true)]
async fn slow_rates_wait_as_long_as_they_must() {
    let limiter = RateLimiter::builder().rate(Rate::per_day(1)).build().unwrap();
    let start = Instant::now();
    for _ in 0..=366 {
        limiter.acquire(1).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::from_secs(366 * 86_400));
}

#[tokio::test(start_paused = true)]
async fn a_wait_can_move_between_threads() {
    let limiter = limiter(100, 1);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { limiter.acquire(1).await });
    assert_eq!(tasks.join_all().await, [Ok(())]);
}
