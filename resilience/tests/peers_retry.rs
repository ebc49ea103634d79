//! What went wrong in other libraries' retries and budgets, re-created against these.
#![allow(clippy::unwrap_used)]

use std::{cell::Cell, time::Duration};

use tidemill_resilience::{Decision, Jitter, Reason, Retry, RetryBudget};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// litl/backoff#48: with full jitter a number of attempts says nothing about the time, so the time must be a bound of its own; and it
/// is used, not cut short by a number nobody asked for.
#[tokio::test(start_paused = true)]
async fn litl_backoff_48_time_alone_bounds_a_run() {
    for seed in 0..50 {
        let policy = Retry::exponential(10 * MS).max_delay(100 * MS).within(SECOND).seed(seed).build().unwrap();
        let start = Instant::now();
        let failed = policy.run(async |_| Err::<(), _>(())).await.unwrap_err();
        assert_eq!(failed.reason, Reason::Deadline);
        assert!((900 * MS..SECOND).contains(&start.elapsed()), "{seed}: {:?}", start.elapsed());
        assert!(failed.attempts > 10, "{seed}: {}", failed.attempts);
    }
}

/// linkerd#2369: five hours of retries under a limit of five seconds, because only the waits were counted.
#[tokio::test(start_paused = true)]
async fn linkerd_2369_attempts_count_against_the_limit() {
    let policy = Retry::constant(Duration::ZERO).within(5 * SECOND).build().unwrap();
    let start = Instant::now();
    let failed = policy
        .run(async |_| {
            sleep(900 * MS).await;
            Err::<(), _>(())
        })
        .await
        .unwrap_err();
    assert_eq!((start.elapsed(), failed.reason), (5 * SECOND, Reason::Deadline));
}

/// backon#43: a limit in time, the number of the attempt in the hook, and a check before the sleep.
#[tokio::test(start_paused = true)]
async fn backon_43_the_check_is_before_the_sleep() {
    let policy = Retry::constant(600 * MS).jitter(Jitter::None).within(SECOND).build().unwrap();
    let (start, heard) = (Instant::now(), Cell::new(0));
    let failed = policy
        .plain()
        .on_retry(|attempt: tidemill_resilience::Attempt<'_, ()>| heard.set(attempt.number))
        .run(async |_| Err::<(), _>(()))
        .await
        .unwrap_err();
    assert_eq!((start.elapsed(), failed.attempts, heard.get()), (600 * MS, 2, 1));
}

/// failsafe-go#139, failsafe-go#106: the floor was ignored, and a client with few calls at a time never had a retry.
#[tokio::test(start_paused = true)]
async fn failsafe_go_139_106_a_quiet_client_has_its_reserve_from_the_start() {
    let budget = RetryBudget::new(3, 1).unwrap();
    let policy = Retry::constant(MS).max_attempts(2).build().unwrap();
    for calls in 1..=3 {
        let failed = policy.plain().budget(&budget).run(async |_| Err::<(), _>(())).await.unwrap_err();
        assert_eq!((failed.attempts, failed.reason), (2, Reason::Exhausted), "call {calls}");
    }
}

/// Polly#2348, tower#705, tower#857, tower#863: a server that fails altogether sees the usual load and the reserve, not three times
/// the load; one that fails half the time sees a tenth of the successes on top.
#[tokio::test(start_paused = true)]
async fn polly_2348_tower_705_a_budget_bounds_the_load() {
    const CALLS: u64 = 1000;
    let policy = Retry::constant(Duration::ZERO).max_attempts(3).build().unwrap();
    for (fails, most) in [(1, CALLS + 10), (2, CALLS + 10 + CALLS / 10)] {
        let budget = RetryBudget::new(10, 10).unwrap();
        let sent = Cell::new(0u64);
        for call in 0..CALLS {
            let _ = policy
                .plain()
                .budget(&budget)
                .run(async |_| {
                    sent.set(sent.get() + 1);
                    if call.is_multiple_of(fails) { Err(()) } else { Ok(()) }
                })
                .await;
        }
        assert!((CALLS + 10..=most).contains(&sent.get()), "{} of {most}", sent.get());
    }
}

/// The same number of requests, whoever refuses: what a breaker holds back is not charged (resilience and Polly users hit this when a
/// breaker inside a retry opens).
#[tokio::test(start_paused = true)]
async fn rejections_of_a_breaker_do_not_eat_the_budget() {
    let budget = RetryBudget::new(5, 0).unwrap();
    let policy = Retry::constant(MS).max_attempts(4).build().unwrap();
    for _ in 0..100 {
        let refused = policy.classify(|_: &()| Decision::NotSent(None)).budget(&budget);
        refused.run(async |_| Err::<(), _>(())).await.unwrap_err();
    }
    assert_eq!(budget.left(), 5);
}
