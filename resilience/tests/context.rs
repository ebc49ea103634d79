//! The ambient context: what each wait refuses, how it ends when the context does, and that a loser's context is nobody else's.
#![allow(clippy::unwrap_used)]

use std::{cell::Cell, future::pending, time::Duration};

use tidemill_context::{Cause, Context, ManualClock as ContextClock};
use tidemill_resilience::{
    FlightError, Hedge, HedgeError, Jitter, ManualClock, Reason, Retry, RetryBudget, SingleFlight, TimedOut, timeout,
};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

const RETRY: Retry = match Retry::exponential(Duration::from_millis(10)).jitter(Jitter::None).max_attempts(5).build() {
    Ok(policy) => policy,
    Err(_) => panic!("the policy is sound"),
};

/// A context whose deadline is told by a clock that stands still.
fn with_left(left: Duration) -> Context {
    Context::on(&ContextClock::new()).with_timeout(left)
}

#[tokio::test(start_paused = true)]
async fn a_retry_does_not_begin_a_wait_that_would_reach_the_deadline() {
    let budget = RetryBudget::new(9, 0).unwrap();
    for (left, attempts, waited) in [(10, 1, 0), (11, 2, 10), (20, 2, 10), (21, 3, 10 + 20)] {
        let start = Instant::now();
        let retrying = RETRY.plain().budget(&budget);
        let failed = with_left(left * MS).scope(retrying.run(async |_| Err::<(), _>("down"))).await.unwrap_err();
        assert_eq!(failed.reason, Reason::Cancelled(Cause::DeadlineExceeded));
        assert_eq!((failed.last, failed.attempts), (Some("down"), attempts), "{left} ms left");
        assert_eq!(start.elapsed(), waited * MS, "the context's clock stands, so each wait is compared with all of it");
    }
    assert_eq!(budget.left(), 9 - 4, "four retries were made; a wait that was not begun is refunded");
}

#[test]
fn a_blocking_retry_does_not_either() {
    let failed = with_left(15 * MS)
        .enter(|| RETRY.clock(ManualClock::new()).run_blocking(|_| Err::<(), _>("down")))
        .unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (2, Reason::Cancelled(Cause::DeadlineExceeded)));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_retry_ends_with_the_cause() {
    let ctx = Context::background();
    let start = Instant::now();
    let cancel = async {
        sleep(15 * MS).await;
        ctx.cancel(Cause::Shutdown);
    };
    let (failed, ()) = tokio::join!(ctx.scope(RETRY.run(async |_| Err::<(), _>("down"))), cancel);
    let failed = failed.unwrap_err();
    assert_eq!((failed.attempts, failed.last, failed.reason), (2, Some("down"), Reason::Cancelled(Cause::Shutdown)));
    assert_eq!(start.elapsed(), 15 * MS);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_at_most_what_the_context_has_left() {
    let policy = Retry::constant(MS).jitter(Jitter::None).attempt_timeout(80 * MS).max_attempts(3).build().unwrap();
    let told = Cell::new(None);
    let start = Instant::now();
    let failed = with_left(50 * MS)
        .scope(policy.run(|attempt| {
            told.set(attempt.time_left);
            pending::<Result<(), ()>>()
        }))
        .await
        .unwrap_err();
    // The context's clock stands, so the cut attempts are each followed by another.
    assert_eq!((told.get(), start.elapsed(), failed.attempts), (Some(50 * MS), 152 * MS, 3));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_context_starts_no_run_with_limits() {
    let ctx = Context::background();
    ctx.cancel(Cause::Shutdown);
    let policy = Retry::constant(MS).within(MS).build().unwrap();
    let failed = ctx.scope(policy.run(async |_| Ok::<_, ()>(()))).await.unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (0, Reason::Cancelled(Cause::Shutdown)));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_ends_with_the_cause_and_is_not_sent_too_late() {
    let hedge = Hedge::after(10 * MS).max_hedges(3).build().unwrap();
    for (left, attempts) in [(10, 1), (11, 4)] {
        let ctx = with_left(left * MS);
        let cancel = async {
            sleep(100 * MS).await;
            ctx.cancel(Cause::Shutdown);
        };
        let (failed, ()) = tokio::join!(ctx.scope(hedge.run(async |_| pending::<Result<(), ()>>().await)), cancel);
        assert_eq!(failed, Err(HedgeError::Cancelled { cause: Cause::Shutdown, attempts }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_and_a_flight_end_with_the_cause() {
    let ctx = Context::background();
    let flights = SingleFlight::new(10).unwrap();
    let fetch = |who: u32| {
        flights.run(1, move || async move {
            sleep(50 * MS).await;
            who
        })
    };
    let cancel = async {
        sleep(20 * MS).await;
        ctx.cancel(Cause::Shutdown);
    };
    let (timed, leader, next, ()) =
        tokio::join!(ctx.scope(timeout(50 * MS, pending::<()>())), ctx.scope(fetch(1)), fetch(2), cancel);
    assert_eq!(timed, Err(TimedOut::Cancelled(Cause::Shutdown)));
    assert_eq!((leader, next), (Err(FlightError::Cancelled(Cause::Shutdown)), Ok(2)));
}

/// What succeeds at once does so in a context that has ended, too: nothing waited.
#[tokio::test(start_paused = true)]
async fn what_does_not_wait_does_not_ask() {
    let ctx = Context::background();
    ctx.cancel(Cause::Shutdown);
    let hedge = Hedge::after(MS).build().unwrap();
    assert_eq!(ctx.scope(RETRY.run(async |_| Ok::<_, ()>(1))).await, Ok(1));
    assert_eq!(ctx.scope(hedge.run(async |_| Ok::<_, ()>(2))).await, Ok(2));
    assert_eq!(ctx.scope(timeout(MS, async { 3 })).await, Ok(3));
}
