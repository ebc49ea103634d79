//! Bugs that were reported against other breakers, each made again against ours and named after its report.

#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tidemill_resilience::{CircuitBreaker, ManualClock, Outcome, State};

const SECOND: Duration = Duration::from_secs(1);

/// Half-open, after one failure and the open time.
fn probing(probes: u32, close_after: u32) -> (CircuitBreaker<ManualClock>, ManualClock) {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder()
        .failures_in_a_row(1)
        .open_for(SECOND)
        .open_jitter(0)
        .probes(probes)
        .close_after(close_after)
        .clock(clock.clone())
        .build()
        .unwrap();
    breaker.try_acquire().unwrap().failure();
    clock.advance(SECOND);
    (breaker, clock)
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// failsafe-rs and recloser: half-open, everyone passes.
#[test]
fn failsafe_rs_half_open_lets_only_the_probes_pass() {
    let (breaker, _clock) = probing(2, 2);
    let passed: Vec<_> = (0..1000).filter_map(|_| breaker.try_acquire().ok()).collect();
    assert_eq!(passed.len(), 2);
}

/// resilience4j#903, #935, #544, #1432, #1568, #2172 and davenverse/circuit#258: probes that never report (cancelled, ignored
/// error, panic) keep it half-open for ever.
#[test]
fn resilience4j_903_a_probe_that_never_reports_frees_its_place() {
    let (breaker, _clock) = probing(1, 1);
    for _ in 0..100 {
        assert!(poll_once(breaker.call(pending::<Result<(), ()>>())).is_pending(), "cancelled by the drop");
        breaker.try_acquire().unwrap().end(Outcome::Ignored);
        let _ = poll_once(breaker.call_with(async { 404 }, |_| Outcome::Ignored));
        let panicked =
            catch_unwind(AssertUnwindSafe(|| breaker.call_blocking(|| -> Result<(), ()> { panic!("probe") })));
        assert!(panicked.is_err());
    }
    assert_eq!((breaker.state(), breaker.snapshot().probes), (State::HalfOpen, 0));
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

/// Polly#2381: the one probe hangs, and nobody is let through any more. Polly#254, #216: half-open must bound the probes.
#[test]
fn polly_2381_a_hung_probe_is_given_up() {
    let (breaker, clock) = probing(1, 1);
    let hung = breaker.try_acquire().unwrap();
    clock.advance(59 * SECOND);
    assert!(breaker.try_acquire().is_err());
    clock.advance(2 * SECOND);
    let second = breaker.try_acquire().unwrap();
    assert!(breaker.try_acquire().is_err(), "still one at a time");
    hung.failure();
    assert_eq!(breaker.state(), State::HalfOpen, "what the given-up one says does not matter");
    second.success();
    assert_eq!(breaker.state(), State::Closed);
}

/// Polly#239: one good probe of many is no recovery; a ratio has to be reached.
#[test]
fn polly_239_a_ratio_of_probes_must_succeed() {
    let (breaker, _clock) = probing(4, 3);
    breaker.try_acquire().unwrap().success();
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.try_acquire().unwrap().failure();
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

/// Polly#311, #717: an unhandled error used up the only probe.
#[test]
fn polly_311_an_ignored_error_does_not_use_up_the_probe() {
    let (breaker, _clock) = probing(1, 1);
    for _ in 0..10 {
        breaker.try_acquire().unwrap().end(Outcome::Ignored);
    }
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

/// vertx-circuit-breaker#14, failsafe#32: a success that comes late closed an open breaker, or blew up.
#[test]
fn vertx_14_a_late_success_does_not_close_an_open_breaker() {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().failures_in_a_row(2).clock(clock.clone()).build().unwrap();
    let late: Vec<_> = (0..200).map(|_| breaker.try_acquire().unwrap()).collect();
    breaker.try_acquire().unwrap().failure();
    breaker.try_acquire().unwrap().failure();
    for permit in late {
        permit.success();
        assert_eq!(breaker.state(), State::Open);
    }
}

/// recloser and tower-resilience: late results of the state before land in the counters of the present one.
#[test]
fn recloser_late_failures_do_not_count_in_the_next_state() {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().failures_in_a_row(3).probes(1).clock(clock.clone()).build().unwrap();
    let late: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    breaker.trip();
    clock.advance(60 * SECOND);
    let probe = breaker.try_acquire().unwrap();
    late.into_iter().for_each(tidemill_resilience::Permit::failure);
    assert_eq!(breaker.state(), State::HalfOpen);
    probe.success();
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Closed, 0));
}

/// tower-resilience 0.13: totals are cleared only when the state changes, so after a million good calls it takes a million
/// bad ones.
#[test]
fn tower_resilience_the_window_slides() {
    for by_time in [false, true] {
        let clock = ManualClock::new();
        let builder = CircuitBreaker::builder().failure_rate(50).min_calls(10);
        let builder = if by_time { builder.last_time(10 * SECOND) } else { builder.last_calls(100) };
        let breaker = builder.clock(clock.clone()).build().unwrap();
        for _ in 0..1_000_000 {
            breaker.try_acquire().unwrap().success();
        }
        clock.advance(3600 * SECOND);
        let failures = (1..).take_while(|_| breaker.try_acquire().map(tidemill_resilience::Permit::failure).is_ok());
        let failures = failures.count();
        assert!(failures <= 55, "by time: {by_time}, {failures} failures");
    }
}

/// recloser computes no rate before its ring is full.
#[test]
fn recloser_a_rate_needs_only_the_minimum_of_calls() {
    let breaker = CircuitBreaker::builder().failure_rate(50).last_calls(1000).min_calls(5).build().unwrap();
    for _ in 0..5 {
        breaker.try_acquire().unwrap().failure();
    }
    assert_eq!(breaker.state(), State::Open);
}

/// failsafe-rs#41: there is no way to wait until the breaker lets calls pass.
#[tokio::test(start_paused = true)]
async fn failsafe_rs_41_one_can_wait_until_it_is_ready() {
    let breaker = CircuitBreaker::builder().failures_in_a_row(1).open_for(SECOND).probes(1).build().unwrap();
    breaker.try_acquire().unwrap().failure();
    breaker.wait_ready().await.unwrap();
    breaker.acquire().await.unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}
