//! What needs no Redis: the script's whole numbers, and what happens when nobody answers. The rest is in `ecosystem/`.
#![allow(clippy::unwrap_used)]

use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};

use super::*;
use crate::{InvalidLimiter, ManualClock, Rate, Refused};

/// A connection that answers with what it is told to, or fails.
#[derive(Clone)]
struct Told(Option<Reply>);

impl ConnectionLike for Told {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        let answer = self.0.map(|(granted, left, retry, reset)| {
            Value::Array([granted as i64, left as i64, retry, reset as i64].map(Value::Int).into())
        });
        Box::pin(async move { answer.ok_or_else(|| RedisError::from((ErrorKind::Io, "nobody there"))) })
    }

    fn req_packed_commands<'a>(&'a mut self, _: &'a Pipeline, _: usize, _: usize) -> RedisFuture<'a, Vec<Value>> {
        unreachable!("one command at a time")
    }

    fn get_db(&self) -> i64 {
        0
    }
}

fn limiter(told: Option<Reply>, choice: OnFailure) -> (RedisRateLimiter<Told, ManualClock>, ManualClock) {
    let clock = ManualClock::new();
    let builder = RedisRateLimiter::builder(Told(told)).rate(Rate::per_second(10)).burst(10).on_failure(choice);
    (builder.lease(4, Duration::from_secs(1)).clock(clock.clone()).build().unwrap(), clock)
}

#[test]
fn rates_become_whole_numbers_or_are_refused() {
    for (rate, price, pace) in [
        (Rate::per_second(1), 1_000_000, 1),
        (Rate::per_second(3_000_000), 1, 3),
        (Rate::per_second(7), 1_000_000, 7),
        (Rate::per_day(1), 86_400_000_000, 1),
        (Rate::every(Duration::from_nanos(1_500)), 3, 2),
        (Rate::per_second(1_000_000_000), 1, 1_000),
    ] {
        assert_eq!(Bucket::new(rate, 5), Ok(Bucket { price, pace, burst: 5 }), "{rate}");
    }
    let most = (1 << 52) / 86_400_000_000;
    assert_eq!(Bucket::new(Rate::per_day(1), most + 1), Err(InvalidLimiter::Burst { asked: most + 1, most }));
    assert_eq!(Bucket::new(Rate::per_day(1), 0), Err(InvalidLimiter::NoBurst));
    let never = Rate::per_second(0);
    assert_eq!(Bucket::new(never, 1), Err(InvalidLimiter::Rate(never)));
}

#[tokio::test]
async fn an_answer_becomes_a_decision_and_the_rest_of_a_grant_a_lease() {
    let (limiter, clock) = limiter(Some((4, 6, 0, 400_000)), OnFailure::Refuse);
    let first = limiter.try_acquire("a", 1).await.unwrap();
    let reset_after = Some(Duration::from_millis(400));
    assert_eq!(first, Decision { source: Source::Redis, limit: 10, remaining: 6, reset_after });
    for left in [2, 1, 0] {
        let next = limiter.try_acquire("a", 1).await.unwrap();
        assert_eq!((next.source, next.remaining), (Source::Lease, left));
    }
    assert_eq!(limiter.try_acquire("a", 1).await.unwrap().source, Source::Redis);
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.try_acquire("a", 1).await.unwrap().source, Source::Redis, "the lease is forfeited");
    assert_eq!(limiter.try_acquire("a", 11).await, Err(NotAllowed::ExceedsBurst { asked: 11, burst: 10 }));
}

#[tokio::test]
async fn a_refusal_is_told_with_its_times() {
    let (limiter, _) = limiter(Some((0, 2, 300_000, 800_000)), OnFailure::Allow);
    let refused = limiter.try_acquire("a", 5).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_millis(300)));
    assert!(matches!(refused, NotAllowed::Limited { remaining: 2, .. }));
    assert_eq!(limiter.failures(), 0);
}

/// JhaSourav07/commitpulse#6138: each choice is the caller's, and the answer says who decided.
#[tokio::test]
async fn a_failure_is_answered_as_chosen() {
    let (closed, _) = limiter(None, OnFailure::Refuse);
    assert_eq!(closed.try_acquire("a", 1).await, Err(NotAllowed::Unavailable));
    let (open, _) = limiter(None, OnFailure::Allow);
    assert_eq!(open.try_acquire("a", 10).await.unwrap().source, Source::Allowed);
    let (local, _) = limiter(None, OnFailure::Local { rate: Rate::per_day(1), burst: 2 });
    for _ in 0..2 {
        assert_eq!(local.try_acquire("a", 1).await.unwrap().source, Source::Local);
    }
    assert!(matches!(local.try_acquire("a", 1).await, Err(NotAllowed::Locally(Refused::Later { .. }))));
    assert_eq!(local.try_acquire("b", 1).await.unwrap().source, Source::Local, "per key");
}

#[tokio::test]
async fn after_a_failure_one_caller_asks_again_after_a_time() {
    let (limiter, clock) = limiter(None, OnFailure::Allow);
    for _ in 0..100 {
        limiter.try_acquire("a", 1).await.unwrap();
    }
    assert_eq!(limiter.failures(), 1);
    clock.advance(Duration::from_millis(500));
    for _ in 0..100 {
        limiter.try_acquire("a", 1).await.unwrap();
    }
    assert_eq!(limiter.failures(), 2);
}

#[test]
fn senseless_options_are_named() {
    let build = |builder: RedisBuilder<Told>| builder.build().map(drop).unwrap_err();
    let rate = Rate::per_second(1);
    assert_eq!(build(RedisRateLimiter::builder(Told(None))), InvalidRedisLimiter::Limit(InvalidLimiter::NoRate));
    let local = OnFailure::Local { rate, burst: 0 };
    let why = build(RedisRateLimiter::builder(Told(None)).rate(rate).on_failure(local));
    assert_eq!(why, InvalidRedisLimiter::Local(InvalidLimiter::NoBurst));
}
