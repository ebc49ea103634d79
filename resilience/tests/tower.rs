//! The tower layers: reservations in `poll_ready`, what becomes of them, and a whole stack around a service of HTTP answers.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use tidemill_resilience::{
    AdaptiveLimit, Aimd, Bulkhead, BulkheadFull, CircuitBreaker, Decision, Hedge, HedgeError, Jitter, LimitReached,
    Outcome, Rate, RateLimiter, Reason, Refused, Retry, RetryBudget, TimedOut,
    tower::{
        AdaptiveLayer, BreakerLayer, BulkheadLayer, Guarded, HedgeLayer, RateLimitLayer, RetryLayer, TimeoutLayer,
    },
};
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

fn limiter(burst: u64) -> Arc<RateLimiter> {
    Arc::new(RateLimiter::builder().rate(Rate::per_second(100)).burst(burst).build().unwrap())
}

fn bulkhead(places: u32) -> Arc<Bulkhead> {
    Arc::new(Bulkhead::builder(places).build().unwrap())
}

fn free(bulkhead: &Bulkhead) -> u32 {
    let held: Vec<_> = std::iter::from_fn(|| bulkhead.try_acquire().ok()).collect();
    u32::try_from(held.len()).unwrap()
}

/// Answers after as many ms.
async fn sleepy(millis: u64) -> Result<u64, Infallible> {
    sleep(Duration::from_millis(millis)).await;
    Ok(millis)
}

async fn ready<S: Service<R>, R>(service: &mut S) -> Result<(), S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await
}

/// Polls readiness once.
async fn is_ready<S: Service<R>, R>(service: &mut S) -> bool {
    poll_fn(|cx| Poll::Ready(service.poll_ready(cx).is_ready())).await
}

/// tower-resilience#363: of many waiters each passes with a token of its own, at the rate, in order.
#[tokio::test(start_paused = true)]
async fn tower_resilience_363_nobody_passes_without_a_token() {
    let limiter = limiter(2);
    let service = RateLimitLayer::new(limiter.clone()).layer(service_fn(sleepy));
    let start = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        calls.spawn(service.clone().oneshot(0));
    }
    let mut times = vec![];
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
        times.push(start.elapsed());
    }
    // Two at once, then one every 10 ms, whatever the timer rounds.
    assert!(times[11] >= 100 * MS && times[11] < 125 * MS, "{:?}", times[11]);
    assert_eq!(limiter.available(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ready_service_that_is_dropped_gives_its_token_and_its_place_back() {
    let (limiter, bulkhead) = (limiter(3), bulkhead(2));
    let layers =
        ServiceBuilder::new().layer(RateLimitLayer::new(limiter.clone())).layer(BulkheadLayer::new(bulkhead.clone()));
    let mut service = layers.service(service_fn(sleepy));
    ready(&mut service).await.unwrap();
    ready(&mut service).await.unwrap();
    assert_eq!((limiter.available(), free(&bulkhead)), (2, 1), "asking twice reserves once");
    drop(service);
    assert_eq!((limiter.available(), free(&bulkhead)), (3, 2));
}

/// tower-resilience#365, #367: clones reserve for themselves; a call without readiness is an error.
#[tokio::test(start_paused = true)]
async fn clones_do_not_share_a_reservation() {
    let bulkhead = bulkhead(1);
    let mut first = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(sleepy));
    ready(&mut first).await.unwrap();
    let mut second = first.clone();
    assert!(!is_ready(&mut second).await);
    assert_eq!(second.call(1).await, Err(Guarded::NotReady));
    assert_eq!(first.call(1).await, Ok(1));
    assert_eq!(first.call(1).await, Err(Guarded::NotReady), "one reservation, one call");
    ready(&mut second).await.unwrap();
    assert_eq!(second.call(1).await, Ok(1));
    assert_eq!(free(&bulkhead), 1);
    let mut limited = RateLimitLayer::new(limiter(1)).layer(service_fn(sleepy));
    ready(&mut limited).await.unwrap();
    assert!(!is_ready(&mut limited.clone()).await);
    assert_eq!(limited.clone().call(1).await, Err(Guarded::NotReady));
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_while_the_call_runs_and_no_longer() {
    let bulkhead = bulkhead(1);
    let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(sleepy));
    ready(&mut service).await.unwrap();
    let call = service.call(50);
    assert_eq!(free(&bulkhead), 0);
    let waiting = async {
        let start = Instant::now();
        service.clone().oneshot(0).await.unwrap();
        start.elapsed()
    };
    let (answer, waited) = tokio::join!(call, waiting);
    assert_eq!(answer, Ok(50));
    assert!(waited >= 50 * MS, "{waited:?}");
    ready(&mut service).await.unwrap();
    drop(service.call(50));
    assert_eq!(free(&bulkhead), 1, "a dropped call gives it back");
}

#[tokio::test(start_paused = true)]
async fn servers_can_refuse_instead() {
    let mut limited = RateLimitLayer::refusing(limiter(1)).layer(service_fn(sleepy));
    ready(&mut limited).await.unwrap();
    assert_eq!(limited.call(1).await, Ok(1));
    ready(&mut limited).await.unwrap();
    assert!(matches!(limited.call(1).await, Err(Guarded::Refused(Refused::Later { .. }))));
    let mut full = BulkheadLayer::refusing(bulkhead(1)).layer(service_fn(sleepy));
    ready(&mut full).await.unwrap();
    let (one, other) = (full.call(5), full.call(5));
    assert_eq!(other.await, Err(Guarded::Refused(BulkheadFull::Busy)));
    assert_eq!(one.await, Ok(5));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_ends_the_call() {
    let service = TimeoutLayer::new(10 * MS).layer(service_fn(sleepy));
    assert_eq!(service.clone().oneshot(5).await, Ok(5));
    assert_eq!(service.oneshot(50).await, Err(Guarded::Refused(TimedOut::After(10 * MS))));
}

/// A server that answers 503 a few times, as an axum handler would.
fn flaky(
    failures: u32,
) -> (
    Arc<AtomicU32>,
    impl Service<String, Response = (u16, String), Error = Infallible, Future: Send> + Clone + Send + Sync,
) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let service = service_fn(move |name: String| {
        let number = counted.fetch_add(1, Relaxed);
        async move { Ok((if number < failures { 503 } else { 200 }, name)) }
    });
    (calls, service)
}

fn by_status(outcome: Result<&(u16, String), &Infallible>) -> Decision {
    if outcome.is_ok_and(|(status, _)| *status >= 500) { Decision::Retry } else { Decision::Stop }
}

fn constant(attempts: u32) -> Retry {
    Retry::constant(10 * MS).jitter(Jitter::None).max_attempts(attempts).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_retry_calls_again_by_the_answer() {
    let (calls, service) = flaky(2);
    let budget = Arc::new(RetryBudget::new(10, 0).unwrap());
    let service = RetryLayer::new(constant(5)).classify(by_status).budget(budget.clone()).layer(service);
    let start = Instant::now();
    assert_eq!(service.oneshot("x".into()).await.unwrap().0, 200);
    assert_eq!((calls.load(Relaxed), start.elapsed(), budget.left()), (3, 20 * MS, 8));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_copied_is_sent_once_and_its_answer_returned() {
    let (calls, service) = flaky(9);
    let layer = RetryLayer::new(constant(5)).classify(by_status);
    let once = layer.clone().again(|name: &String| (name != "body").then(|| name.clone())).layer(service.clone());
    assert_eq!(once.oneshot("body".into()).await.unwrap().0, 503);
    assert_eq!(calls.load(Relaxed), 1);
    // Copies run out after the second attempt.
    let twice = layer.again(|name: &String| name.strip_prefix('a').map(str::to_owned)).layer(service);
    assert_eq!(twice.oneshot("ab".into()).await.unwrap(), (503, "b".into()));
    assert_eq!(calls.load(Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn copies_that_run_out_end_a_retry_of_time_outs_too() {
    let policy = Retry::constant(MS).attempt_timeout(10 * MS).max_attempts(5).build().unwrap();
    let hangs = service_fn(|_: u32| pending::<Result<(), Infallible>>());
    let service = RetryLayer::new(policy).again(|left: &u32| left.checked_sub(1)).layer(hangs);
    let failed = service.oneshot(1).await.unwrap_err();
    assert_eq!((failed.attempts, failed.reason), (2, Reason::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_answers_when_the_first_is_late() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let service = service_fn(move |_: ()| {
        let number = counted.fetch_add(1, Relaxed) + 1;
        async move {
            sleep(if number == 1 { 100 * MS } else { 5 * MS }).await;
            if number < 3 { Ok(number) } else { Err("later") }
        }
    });
    let hedge = Arc::new(Hedge::after(10 * MS).build().unwrap());
    let budget = Arc::new(RetryBudget::new(1, 0).unwrap());
    let hedged = HedgeLayer::new(hedge.clone()).budget(budget.clone()).layer(service.clone());
    let start = Instant::now();
    assert_eq!(hedged.clone().oneshot(()).await, Ok(2));
    assert_eq!((start.elapsed(), budget.left()), (15 * MS, 0));
    let never = HedgeLayer::new(hedge).again(|(): &()| None).layer(service);
    assert_eq!(never.oneshot(()).await, Err(HedgeError::Failed { last: "later", attempts: 1 }));
}

/// aws-s3-transfer-manager-rs#57: further inside, a bulkhead holds for hedges as well.
#[tokio::test(start_paused = true)]
async fn hedges_wait_for_a_place_like_everyone() {
    let bulkhead = bulkhead(1);
    let service = ServiceBuilder::new()
        .layer(HedgeLayer::new(Arc::new(Hedge::after(10 * MS).build().unwrap())))
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .service(service_fn(sleepy));
    assert_eq!(service.oneshot(50).await, Ok(50));
    assert_eq!(free(&bulkhead), 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_keeps_calls_away() {
    let breaker = Arc::new(CircuitBreaker::builder().failures_in_a_row(2).build().unwrap());
    let (calls, service) = flaky(9);
    let judge = |result: &Result<(u16, String), Infallible>| match result {
        Ok((500.., _)) => Outcome::Failure,
        _ => Outcome::Success,
    };
    let service = BreakerLayer::new(breaker).judge(judge).layer(service);
    for refused in [false, false, true, true] {
        assert_eq!(matches!(service.clone().oneshot(String::new()).await, Err(Guarded::Refused(_))), refused);
    }
    assert_eq!(calls.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_bounds_calls_and_frees_what_is_dropped() {
    let limit = Arc::new(AdaptiveLimit::builder(Aimd::default()).initial(1).range(1, 1).build().unwrap());
    let service = AdaptiveLayer::new(limit).layer(service_fn(sleepy));
    assert!(timeout(5 * MS, service.clone().oneshot(50)).await.is_err(), "dropped under way");
    let answers = tokio::join!(service.clone().oneshot(5), service.clone().oneshot(5));
    let served = [&answers.0, &answers.1].into_iter().filter(|answer| **answer == Ok(5)).count();
    let refused = matches!(answers.1, Err(Guarded::Refused(LimitReached::Full(_))));
    assert!(served == 2 || served == 1 && refused, "{answers:?}");
}

/// The whole stack, cut at every millisecond: nothing is held afterwards, and it works.
#[tokio::test(start_paused = true)]
async fn a_stack_that_is_dropped_anywhere_holds_nothing() {
    let (limiter, bulkhead) = (limiter(1000), bulkhead(2));
    let budget = Arc::new(RetryBudget::new(1000, 0).unwrap().max_in_flight(3));
    let retry = Retry::constant(3 * MS).jitter(Jitter::None).attempt_timeout(20 * MS).max_attempts(4).build().unwrap();
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(retry).budget(budget.clone()))
        .layer(HedgeLayer::new(Arc::new(Hedge::after(4 * MS).build().unwrap())).budget(budget.clone()))
        .layer(RateLimitLayer::new(limiter))
        .layer(BulkheadLayer::new(bulkhead.clone()))
        .layer(TimeoutLayer::new(7 * MS))
        .service(service_fn(sleepy));
    for cut in 0..60 {
        let _ = timeout(cut * MS, stack.clone().oneshot(50)).await;
        assert_eq!((free(&bulkhead), budget.in_flight()), (2, 0), "cut after {cut} ms");
    }
    assert_eq!(stack.oneshot(2).await.unwrap(), 2);
}
