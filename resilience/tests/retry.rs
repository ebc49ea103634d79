//! Retry on plain tokio with paused time, and blocking on the manual clock: what is told, when it waits, why it ends.
#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    future::pending,
    time::Duration,
};

use tidemill_resilience::{Attempt, Decision, Jitter, ManualClock, Reason, Retry, RetryBudget, RetryBuilder};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

/// Waits of exactly 10, 20, 40 ... ms.
const DOUBLING: RetryBuilder = Retry::exponential(Duration::from_millis(10)).jitter(Jitter::None);

/// A policy can be a constant.
const FIVE: Retry = match DOUBLING.max_attempts(5).build() {
    Ok(policy) => policy,
    Err(_) => panic!("the policy is sound"),
};

fn policy(builder: RetryBuilder) -> Retry {
    builder.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_tries_until_it_succeeds_and_waits_in_between() {
    let start = Instant::now();
    let done = FIVE.run(async |attempt| if attempt.number < 4 { Err("no") } else { Ok(attempt.number) }).await;
    assert_eq!(done, Ok(4));
    assert_eq!(start.elapsed(), (10 + 20 + 40) * MS);
}

#[tokio::test(start_paused = true)]
async fn it_gives_the_last_error_when_attempts_are_used_up() {
    let failed = FIVE.run(async |attempt| Err::<(), _>(attempt.number)).await.unwrap_err();
    let text = failed.to_string();
    assert_eq!((failed.last, failed.attempts, failed.reason), (Some(5), 5, Reason::Exhausted));
    assert_eq!(failed.elapsed, (10 + 20 + 40 + 80) * MS);
    assert!(text.contains("5 attempts") && text.contains("attempts exhausted: 5"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn one_policy_serves_many_runs_at_once() {
    let run = || FIVE.run(async |attempt| if attempt.number < 3 { Err(()) } else { Ok(()) });
    let start = Instant::now();
    let (a, b) = tokio::join!(run(), run());
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(start.elapsed(), 30 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_final_error_ends_it_at_once() {
    let failed = FIVE
        .classify(|&error: &u32| if error == 2 { Decision::Stop } else { Decision::Retry })
        .run(async |attempt| Err::<(), _>(attempt.number))
        .await
        .unwrap_err();
    assert_eq!((failed.last, failed.attempts, failed.reason), (Some(2), 2, Reason::Stopped));
}

#[tokio::test(start_paused = true)]
async fn the_hook_hears_of_each_retry_before_its_wait() {
    let heard = RefCell::new(vec![]);
    let _ = FIVE
        .plain()
        .on_retry(|Attempt { number, elapsed, delay, error, .. }: Attempt<'_, u32>| {
            heard.borrow_mut().push((number, elapsed, delay, error.copied()));
        })
        .run(async |attempt| Err::<(), _>(attempt.number * 100))
        .await;
    let ms = |n: u32| n * MS;
    assert_eq!(
        heard.into_inner(),
        [
            (1, ms(0), ms(10), Some(100)),
            (2, ms(10), ms(20), Some(200)),
            (3, ms(30), ms(40), Some(300)),
            (4, ms(70), ms(80), Some(400)),
        ],
        "and of the fifth, which is not followed by another, nothing"
    );
}

/// linkerd#2369, backon#43: the limit owns the loop; a wait that does not fit is not begun.
#[tokio::test(start_paused = true)]
async fn no_wait_is_begun_that_would_pass_the_deadline() {
    let start = Instant::now();
    let failed = policy(DOUBLING.within(70 * MS)).run(async |_| Err::<(), _>("no")).await.unwrap_err();
    assert_eq!((failed.last, failed.attempts, failed.reason), (Some("no"), 3, Reason::Deadline));
    assert_eq!(start.elapsed(), 30 * MS, "the wait of 40 ms would end on the deadline");
}

#[tokio::test(start_paused = true)]
async fn slow_attempts_count_against_the_deadline_and_are_cut_at_it() {
    let start = Instant::now();
    let told = RefCell::new(vec![]);
    let failed = policy(DOUBLING.within(100 * MS))
        .run(async |attempt| {
            told.borrow_mut().push(attempt.time_left.unwrap());
            sleep(60 * MS).await;
            Err::<(), _>("slow")
        })
        .await
        .unwrap_err();
    assert_eq!((failed.last, failed.attempts, failed.reason), (Some("slow"), 2, Reason::Deadline));
    assert_eq!(start.elapsed(), 100 * MS);
    assert_eq!(told.into_inner(), [100 * MS, 30 * MS]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_cut_and_tried_again() {
    let start = Instant::now();
    let done = policy(DOUBLING.attempt_timeout(50 * MS))
        .run(async |attempt| {
            if attempt.number == 1 {
                pending::<()>().await;
            }
            Ok::<_, ()>(attempt.number)
        })
        .await;
    assert_eq!(done, Ok(2));
    assert_eq!(start.elapsed(), 60 * MS);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_all_hang_end_as_timed_out_without_an_error() {
    let heard = Cell::new(0);
    let failed = policy(DOUBLING.attempt_timeout(50 * MS).max_attempts(2))
        .plain()
        .on_retry(|attempt: Attempt<'_, ()>| {
            assert_eq!(attempt.error, None);
            heard.set(heard.get() + 1);
        })
        .run(|_| pending::<Result<(), ()>>())
        .await
        .unwrap_err();
    assert_eq!((failed.last, failed.attempts, failed.reason), (None, 2, Reason::TimedOut));
    assert_eq!((failed.elapsed, heard.get()), (110 * MS, 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_is_cut_to_what_is_left() {
    let start = Instant::now();
    let told = RefCell::new(vec![]);
    let failed = policy(DOUBLING.attempt_timeout(80 * MS).within(100 * MS))
        .run(|attempt| {
            told.borrow_mut().push(attempt.time_left.unwrap());
            pending::<Result<(), ()>>()
        })
        .await
        .unwrap_err();
    assert_eq!((failed.last, failed.attempts, failed.reason), (None, 2, Reason::Deadline));
    assert_eq!((start.elapsed(), told.into_inner()), (100 * MS, vec![80 * MS, 10 * MS]));
}

#[tokio::test(start_paused = true)]
async fn a_server_is_given_the_time_it_asks_for_up_to_the_cap() {
    for (asked, waited) in [(70 * MS, 70 * MS), (Duration::MAX, 200 * MS), (Duration::ZERO, Duration::ZERO)] {
        let start = Instant::now();
        let done = policy(DOUBLING.max_retry_after(200 * MS))
            .classify(|&asked: &Duration| Decision::RetryAfter(asked))
            .run(async |attempt| if attempt.number == 1 { Err(asked) } else { Ok(()) })
            .await;
        assert_eq!((done, start.elapsed()), (Ok(()), waited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_more_than_is_left_is_not_waited_for() {
    let start = Instant::now();
    let failed = policy(DOUBLING.within(100 * MS))
        .classify(|_: &()| Decision::RetryAfter(150 * MS))
        .run(async |_| Err::<(), _>(()))
        .await
        .unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (1, Reason::Deadline));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_holds_if_it_is_the_earlier() {
    for (within, until, ended) in [(500, 35, 30), (35, 500, 30), (500, 0, 0)] {
        let start = Instant::now();
        let failed = policy(DOUBLING.within(within * MS))
            .plain()
            .until(start + until * MS)
            .run(async |_| Err::<(), _>(()))
            .await
            .unwrap_err();
        assert_eq!((failed.reason, start.elapsed()), (Reason::Deadline, ended * MS));
        assert_eq!(failed.attempts, if until == 0 { 0 } else { 3 }, "no time, no attempt");
    }
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_ends_it_and_success_refills_it() {
    let budget = RetryBudget::new(3, 50).unwrap();
    let retrying = FIVE.plain().budget(&budget);
    let failed = retrying.run(async |_| Err::<(), _>("down")).await.unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (4, Reason::BudgetSpent));
    for _ in 0..2 {
        retrying.run(async |_| Ok::<_, ()>(())).await.unwrap();
    }
    let failed = retrying.run(async |_| Err::<(), _>("down")).await.unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (2, Reason::BudgetSpent));
}

/// A retry that is not made is not paid for.
#[tokio::test(start_paused = true)]
async fn the_budget_pays_only_for_retries_that_are_made() {
    let budget = RetryBudget::new(3, 50).unwrap();
    let once = policy(DOUBLING.max_attempts(1));
    once.plain().budget(&budget).run(async |_| Err::<(), _>(())).await.unwrap_err();
    let short = policy(DOUBLING.within(5 * MS));
    short.plain().budget(&budget).run(async |_| Err::<(), _>(())).await.unwrap_err();
    assert_eq!(budget.left(), 3);
}

#[test]
fn blocking_obeys_the_same_rules() {
    let clock = ManualClock::new();
    let heard = RefCell::new(vec![]);
    let failed = policy(DOUBLING.within(75 * MS))
        .clock(&clock)
        .on_retry(|attempt: Attempt<'_, u32>| heard.borrow_mut().push((attempt.number, attempt.elapsed)))
        .run_blocking(|attempt| {
            clock.advance(2 * MS);
            Err::<(), _>(attempt.number)
        })
        .unwrap_err();
    assert_eq!((failed.last, failed.attempts, failed.reason), (Some(3), 3, Reason::Deadline));
    assert_eq!(failed.elapsed, 36 * MS);
    assert_eq!(heard.into_inner(), [(1, 2 * MS), (2, 14 * MS)]);
}

#[test]
fn blocking_returns_the_first_success() {
    let clock = ManualClock::new();
    let done = FIVE.clock(clock).run_blocking(|attempt| if attempt.number < 3 { Err(()) } else { Ok(attempt.number) });
    assert_eq!(done, Ok(3));
}

/// Futures of a run can be spawned.
#[tokio::test(start_paused = true)]
async fn a_run_can_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    is_send(FIVE.run(|_| async { Ok::<_, ()>(()) })).await.unwrap();
}
