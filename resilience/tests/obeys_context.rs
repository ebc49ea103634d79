//! Whoever waits for a breaker, a bulkhead or an adaptive limit obeys the ambient context.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tidemill_context::{Cause, Context};
use tidemill_resilience::{
    AdaptiveLimit, Aimd, BreakerWait, Bulkhead, BulkheadFull, CircuitBreaker, Forced, LimitReached,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_breaker_that_stays_open_for_too_long_is_not_waited_for() {
    let breaker = CircuitBreaker::builder().failures_in_a_row(1).open_for(60 * SECOND).build().unwrap();
    breaker.trip();
    let hurried = Context::background().with_timeout(10 * SECOND);
    let refused = hurried.scope(breaker.acquire()).await.unwrap_err();
    assert!(matches!(refused, BreakerWait::TooLong(_)), "{refused}");
    assert!(matches!(hurried.scope(breaker.wait_ready()).await, Err(BreakerWait::TooLong(_))));
}

#[tokio::test]
async fn waiting_ends_with_the_context() {
    let breaker = CircuitBreaker::builder().failures_in_a_row(1).build().unwrap();
    breaker.force(Forced::Open);
    let bulkhead = Bulkhead::builder(1).build().unwrap();
    let _held = bulkhead.try_acquire().unwrap();
    let limit = AdaptiveLimit::builder(Aimd::default()).initial(1).max_waiters(9).build().unwrap();
    let _also_held = limit.try_acquire().unwrap();
    let context = Context::background();
    let all = context.scope(async {
        let waiting = tokio::join!(breaker.acquire(), bulkhead.acquire(), limit.acquire(), async {
            tokio::task::yield_now().await;
            context.cancel(Cause::Shutdown);
        });
        (waiting.0.map(drop), waiting.1.map(drop), waiting.2.map(drop))
    });
    let (breaker_said, bulkhead_said, limit_said) = all.await;
    assert_eq!(breaker_said, Err(BreakerWait::Cancelled(Cause::Shutdown)));
    assert_eq!(bulkhead_said, Err(BulkheadFull::Cancelled(Cause::Shutdown)));
    assert_eq!(limit_said, Err(LimitReached::Full(BulkheadFull::Cancelled(Cause::Shutdown))));
    assert_eq!(bulkhead.stats().waiting, 0);
}

#[tokio::test]
async fn what_is_free_is_given_to_a_cancelled_context_too() {
    let bulkhead = Bulkhead::builder(1).build().unwrap();
    let context = Context::background();
    context.cancel(Cause::Shutdown);
    let permit = context.scope(bulkhead.acquire()).await.unwrap();
    let refused = context.scope(bulkhead.acquire()).await.unwrap_err();
    assert_eq!(refused, BulkheadFull::Cancelled(Cause::Shutdown), "but it does not wait");
    drop(permit);
}
