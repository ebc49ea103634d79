//! What a retry makes of each outcome: values that are not good enough, pushback, requests that were not sent, and who pays.
#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use tidemill_resilience::{
    Attempt, Decision, Jitter, ManualClock, Reason, Retry, RetryBudget, RetryBuilder, RetryError,
};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

/// Waits of exactly 10, 20, 40 ... ms.
const DOUBLING: RetryBuilder = Retry::exponential(Duration::from_millis(10)).jitter(Jitter::None);

fn policy(builder: RetryBuilder) -> Retry {
    builder.build().unwrap()
}

fn five() -> Retry {
    policy(DOUBLING.max_attempts(5))
}

/// A status below 500 is an answer.
fn by_status(outcome: Result<&u16, &&str>) -> Decision {
    match outcome {
        Ok(500..) | Err(_) => Decision::Retry,
        Ok(_) => Decision::Stop,
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_can_be_worth_another_attempt() {
    let heard = RefCell::new(vec![]);
    let start = Instant::now();
    let status = five()
        .plain()
        .classify_outcome(by_status)
        .on_retry(|attempt: Attempt<'_, &str>| heard.borrow_mut().push((attempt.number, attempt.error.copied())))
        .run(async |attempt| match attempt.number {
            1 => Ok(503),
            2 => Err("reset"),
            3 => Ok(500),
            _ => Ok(200),
        })
        .await;
    assert_eq!((status, start.elapsed()), (Ok(200), 70 * MS));
    assert_eq!(heard.into_inner(), [(1, None), (2, Some("reset")), (3, None)]);
}

/// Also when the deadline or the budget ends it: the value is not lost.
#[tokio::test(start_paused = true)]
async fn a_run_that_gives_up_on_a_value_returns_it() {
    let budget = RetryBudget::new(1, 0).unwrap();
    for (policy, budget, attempts) in
        [(five(), None, 5), (policy(DOUBLING.within(25 * MS)), None, 2), (five(), Some(&budget), 2)]
    {
        let retrying = policy.plain().classify_outcome(by_status);
        let run = async |number: u32| Ok::<_, &str>(500 + u16::try_from(number).unwrap());
        let last = match budget {
            Some(budget) => retrying.budget(budget).run(|attempt| run(attempt.number)).await,
            None => retrying.run(|attempt| run(attempt.number)).await,
        };
        assert_eq!(last, Ok(500 + attempts));
    }
}

/// gRPC A6: the wait after a pushback begins anew.
#[tokio::test(start_paused = true)]
async fn after_a_pushback_the_waits_begin_anew() {
    let delays = RefCell::new(vec![]);
    let _ = policy(DOUBLING.max_attempts(6))
        .classify(|&millis: &Option<&str>| Decision::from_pushback(millis))
        .on_retry(|attempt: Attempt<'_, _>| delays.borrow_mut().push(attempt.delay))
        .run(async |attempt| Err::<(), _>((attempt.number == 3).then_some("7")))
        .await;
    assert_eq!(delays.into_inner(), [10 * MS, 20 * MS, 7 * MS, 10 * MS, 20 * MS]);
}

#[tokio::test(start_paused = true)]
async fn a_negative_pushback_means_never() {
    let failed = five()
        .classify(|_: &()| Decision::from_pushback(Some("-1")))
        .run(async |_| Err::<(), _>(()))
        .await
        .unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (1, Reason::Stopped));
}

#[test]
fn waits_of_an_iterator_end_the_run_when_they_end() {
    let clock = ManualClock::new();
    let failed =
        five().clock(&clock).delays(|| (1..=3).map(|n| n * n * MS)).run_blocking(|_| Err::<(), _>(())).unwrap_err();
    assert_eq!((failed.attempts, failed.reason, failed.elapsed), (4, Reason::Exhausted, 14 * MS));
}

/// A breaker inside a retry: what it refuses was not sent and costs nothing.
#[tokio::test(start_paused = true)]
async fn requests_that_were_not_sent_are_not_paid_for() {
    let budget = RetryBudget::new(2, 0).unwrap();
    let sent = RefCell::new(vec![]);
    let failed = policy(DOUBLING.max_attempts(7))
        .classify(|&sent: &bool| if sent { Decision::Retry } else { Decision::NotSent(Some(5 * MS)) })
        .budget(&budget)
        .run(async |attempt| {
            let open = [1, 2, 4, 5].contains(&attempt.number);
            if !open {
                sent.borrow_mut().push(attempt.number);
            }
            Err::<(), _>(!open)
        })
        .await
        .unwrap_err();
    assert_eq!(sent.into_inner(), [3, 6, 7], "the first is free and two are paid for");
    assert_eq!((failed.attempts, failed.reason, budget.left()), (7, Reason::Exhausted, 0));
    assert_eq!(failed.elapsed, (5 + 5 + 10 + 5 + 5 + 20) * MS);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_was_never_used_is_refunded() {
    let budget = RetryBudget::new(2, 0).unwrap().max_in_flight(1);
    let failed = five()
        .classify(|&sent: &bool| if sent { Decision::Retry } else { Decision::NotSent(None) })
        .budget(&budget)
        .run(async |attempt| Err::<(), _>(attempt.number == 1))
        .await
        .unwrap_err();
    assert_eq!((failed.attempts, budget.left(), budget.in_flight()), (5, 2, 0));
}

/// gRPC's tokens: each retryable failure costs one, once they are half gone there are no retries, and successes win them back.
#[tokio::test(start_paused = true)]
async fn tokens_throttle_retries() {
    let budget = RetryBudget::tokens(4, 500).unwrap();
    let retrying =
        five().classify(|&fatal: &bool| if fatal { Decision::Stop } else { Decision::Retry }).budget(&budget);
    retrying.run(async |_| Err::<(), _>(true)).await.unwrap_err();
    assert_eq!(budget.left(), 2, "a fatal error is no reason to slow down");
    let failed = retrying.run(async |_| Err::<(), _>(false)).await.unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (2, Reason::BudgetSpent), "4 - 2 = 2 is not more than half");
    retrying.run(async |_| Ok(())).await.unwrap();
    let failed = retrying.run(async |_| Err::<(), _>(false)).await.unwrap_err();
    assert_eq!(failed.attempts, 1, "2.5 - 1 is not either");
}

/// Kevlar#500, Kevlar#507: two layers on one budget charge each further request once.
#[tokio::test(start_paused = true)]
async fn nested_retries_on_one_budget_pay_once_for_each_request() {
    let budget = RetryBudget::new(10, 0).unwrap();
    let (outer, inner) = (policy(DOUBLING.max_attempts(2)), policy(DOUBLING.max_attempts(3)));
    let sent = Cell::new(0);
    let inner = inner.plain().budget(&budget);
    let failed = outer
        .plain()
        .budget(&budget)
        .run(async |_| {
            inner
                .run(async |_| {
                    sent.set(sent.get() + 1);
                    Err::<(), _>(())
                })
                .await
        })
        .await
        .unwrap_err();
    assert_eq!((failed.attempts, sent.get()), (2, 6));
    assert_eq!(budget.left(), 10 - 5);
}

/// One failure costs one token and one success wins one share, however many layers see it.
#[tokio::test(start_paused = true)]
async fn nested_retries_on_one_budget_record_each_answer_once() {
    let budget = RetryBudget::tokens(100, 1000).unwrap();
    let two = policy(DOUBLING.max_attempts(2));
    let (outer, inner) = (two.plain().budget(&budget), two.plain().budget(&budget));
    let call = async |answer: Result<(), ()>| {
        let inner = &inner;
        outer
            .run(async |_| {
                inner
                    .run(async |_| {
                        sleep(MS).await;
                        answer
                    })
                    .await
            })
            .await
    };
    call(Err(())).await.unwrap_err();
    assert_eq!(budget.left(), 50 - 4, "four requests failed");
    call(Ok(())).await.unwrap();
    assert_eq!(budget.left(), 50 - 3, "one succeeded");
    outer.run_blocking(|_| inner.run_blocking(|_| Ok::<_, ()>(()))).unwrap();
    assert_eq!(budget.left(), 50 - 2, "and one on this thread");
}

/// A retry around something that does not know the budget still records.
#[tokio::test(start_paused = true)]
async fn different_budgets_do_not_mix() {
    let (outside, inside) = (RetryBudget::tokens(100, 1000).unwrap(), RetryBudget::tokens(100, 1000).unwrap());
    let two = policy(DOUBLING.max_attempts(2));
    let result: Result<(), RetryError<RetryError<()>>> = two
        .plain()
        .budget(&outside)
        .run(async |_| two.plain().budget(&inside).run(async |_| Err::<(), _>(())).await)
        .await;
    assert!(result.is_err());
    assert_eq!((outside.left(), inside.left()), (50 - 2, 50 - 4));
}

/// Dropped while it waits or runs, a retry ends its place among those under way and keeps what it paid.
#[tokio::test(start_paused = true)]
async fn a_dropped_run_leaves_nothing_under_way() {
    let budget = RetryBudget::new(5, 0).unwrap().max_in_flight(1);
    for cut_after in 1..40 {
        let retrying = five();
        let run = retrying.plain().budget(&budget);
        let run = run.run(async |_| {
            sleep(3 * MS).await;
            Err::<(), _>(())
        });
        let _ = tokio::time::timeout(cut_after * MS, run).await;
        assert_eq!(budget.in_flight(), 0, "cut after {cut_after} ms");
    }
}
