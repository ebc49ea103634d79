//! What a breaker promises, one test for each promise.

#![allow(clippy::unwrap_used)]

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use tidemill_resilience::{
    BreakerOpen, CallError, CircuitBreaker, CircuitBreakerBuilder, Clock, Forced, InvalidBreaker, ManualClock, Outcome,
    State, TransitionReason as Reason,
};

const SECOND: Duration = Duration::from_secs(1);

fn options() -> CircuitBreakerBuilder {
    CircuitBreaker::builder().min_calls(1).open_for(SECOND).open_jitter(0)
}

fn run(breaker: &CircuitBreaker<impl Clock>, outcomes: &str) {
    for outcome in outcomes.chars() {
        let permit = breaker.try_acquire().unwrap();
        if outcome == '.' { permit.success() } else { permit.failure() }
    }
}

#[test]
fn each_limit_opens_by_itself_and_not_before() {
    let rate = options().failure_rate(50).min_calls(4).last_calls(10);
    let time = options().failure_rate(50).min_calls(4).last_time(10 * SECOND);
    let in_a_row = options().failures_in_a_row(3);
    for (builder, good, bad, why) in [
        (rate.clone(), "xxx", "x", "fewer calls than the minimum say nothing"),
        (rate.clone(), "....xxx", "x", "half of eight"),
        (rate, "xxx.......x.xx.x", "x", "the first three have left the window of ten"),
        (time.clone(), "xxx", "x", "the same over time"),
        (time, "....xxx", "x", "half of eight over time"),
        (in_a_row, "xx.xx", "x", "a success between starts anew"),
    ] {
        let breaker = builder.clock(ManualClock::new()).build().unwrap();
        run(&breaker, good);
        assert_eq!(breaker.state(), State::Closed, "{why}: {good}");
        run(&breaker, bad);
        assert_eq!(breaker.state(), State::Open, "{why}: {good} and {bad}");
    }
}

#[test]
fn slow_calls_open_it_even_if_they_succeed() {
    let clock = ManualClock::new();
    let breaker = options().slow_rate(50, SECOND).min_calls(4).clock(clock.clone()).build().unwrap();
    for (duration, expected) in [(999, State::Closed), (999, State::Closed), (1000, State::Closed), (1000, State::Open)]
    {
        let permit = breaker.try_acquire().unwrap();
        clock.advance(Duration::from_millis(duration));
        permit.success();
        assert_eq!(breaker.state(), expected);
    }
    clock.advance(SECOND);
    let probe = breaker.try_acquire().unwrap();
    probe.end_after(Outcome::Success, 2 * SECOND);
    assert_eq!(breaker.state(), State::Open, "a slow probe shows that it does not work yet");
}

#[test]
fn probes_are_bounded_and_judged_by_their_ratio() {
    for (outcomes, expected) in [
        ("...", State::Closed),
        (".x.x.", State::Closed),
        ("xx..", State::HalfOpen),
        ("xxx", State::Open),
        ("..xxx", State::Open),
    ] {
        let clock = ManualClock::new();
        let builder = options().failures_in_a_row(1).probes(5).close_after(3).clock(clock.clone());
        let breaker = builder.build().unwrap();
        run(&breaker, "x");
        clock.advance(SECOND);
        run(&breaker, outcomes);
        assert_eq!(breaker.state(), expected, "{outcomes}");
    }
}

#[test]
fn only_so_many_probes_run_at_once() {
    let clock = ManualClock::new();
    let builder = options().failures_in_a_row(1).probes(5).probes_at_once(2).clock(clock.clone());
    let breaker = builder.build().unwrap();
    run(&breaker, "x");
    clock.advance(SECOND);
    let (one, two) = (breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap());
    assert!(one.is_probe() && two.is_probe());
    let refused = breaker.try_acquire().unwrap_err();
    assert_eq!((refused.state, refused.retry_after), (State::HalfOpen, None));
    one.success();
    let three = breaker.try_acquire().unwrap();
    assert!(breaker.try_acquire().is_err());
    drop((two, three));
    assert_eq!(breaker.snapshot().probes, 0);
}

#[test]
fn open_times_grow_until_it_closes() {
    let clock = ManualClock::new();
    let builder = options().failures_in_a_row(1).open_growth(3, 20 * SECOND).probes(1).clock(clock.clone());
    let breaker = builder.build().unwrap();
    run(&breaker, "x");
    for expected in [1, 3, 9, 20, 20] {
        assert_eq!(breaker.snapshot().open_for, Some(expected * SECOND));
        assert_eq!(breaker.try_acquire().unwrap_err().retry_after, Some(expected * SECOND));
        clock.advance(expected * SECOND);
        run(&breaker, "x");
    }
    clock.advance(20 * SECOND);
    run(&breaker, ".x");
    assert_eq!(breaker.snapshot().open_for, Some(SECOND), "it worked between");
}

#[test]
fn forced_states_hold_until_reset() {
    let clock = ManualClock::new();
    let breaker = options().failures_in_a_row(2).clock(clock.clone()).build().unwrap();
    breaker.force(Forced::Open);
    clock.advance(1000 * SECOND);
    assert_eq!(breaker.try_acquire().unwrap_err(), forced_open());
    breaker.force(Forced::Closed);
    run(&breaker, "xxxx.");
    let seen = breaker.snapshot();
    assert_eq!((seen.state, seen.calls, seen.failed), (State::ForcedClosed, 5, 4), "counts and does not open");
    breaker.force(Forced::Disabled);
    run(&breaker, "xxxx");
    assert_eq!((breaker.state(), breaker.snapshot().calls), (State::Disabled, 0));
    breaker.trip();
    assert_eq!(breaker.state(), State::Disabled, "an order is above a trip");
    breaker.reset();
    run(&breaker, "x");
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Closed, 1));
    breaker.trip();
    assert_eq!(breaker.state(), State::Open);
}

fn forced_open() -> BreakerOpen {
    let breaker = CircuitBreaker::builder().failures_in_a_row(1).build().unwrap();
    breaker.force(Forced::Open);
    breaker.try_acquire().unwrap_err()
}

#[test]
fn the_hook_hears_of_every_transition_with_its_reason() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let clock = ManualClock::new();
    let hook = {
        let heard = Arc::clone(&heard);
        move |transition: &tidemill_resilience::Transition| {
            heard.lock().unwrap().push((transition.to, transition.reason, transition.open_for));
        }
    };
    let builder = options().failure_rate(100).last_calls(1).probes(1).on_transition(hook).clock(clock.clone());
    let breaker = builder.build().unwrap();
    run(&breaker, "x");
    clock.advance(SECOND);
    run(&breaker, "x");
    clock.advance(2 * SECOND);
    run(&breaker, ".");
    breaker.force(Forced::Open);
    breaker.reset();
    assert_eq!(
        *heard.lock().unwrap(),
        [
            (State::Open, Reason::FailureRate, Some(SECOND)),
            (State::HalfOpen, Reason::TimeOver, None),
            (State::Open, Reason::Relapsed, Some(2 * SECOND)),
            (State::HalfOpen, Reason::TimeOver, None),
            (State::Closed, Reason::Recovered, None),
            (State::ForcedOpen, Reason::Ordered, None),
            (State::Closed, Reason::Ordered, None),
        ]
    );
}

#[tokio::test]
async fn calls_are_judged_by_their_results() {
    let breaker = options().failures_in_a_row(2).build().unwrap();
    assert_eq!(breaker.call(async { Ok::<_, &str>(1) }).await, Ok(1));
    assert_eq!(breaker.call(async { Err::<u32, _>("down") }).await, Err(CallError::Failed("down")));
    let not_found = |status: &u32| if *status == 404 { Outcome::Ignored } else { Outcome::Failure };
    assert_eq!(breaker.call_with(async { 404 }, not_found).await, Ok(404));
    assert_eq!(breaker.state(), State::Closed, "ignored");
    assert_eq!(breaker.call_with(async { 503 }, not_found).await, Ok(503), "a value that tells of a failure");
    assert_eq!(breaker.state(), State::Open);
    let mut begun = false;
    let refused = breaker.call(async { Ok::<bool, &str>(std::mem::replace(&mut begun, true)) }).await;
    assert!(matches!(refused, Err(CallError::Open(_))));
    assert!(!begun);
    assert!(matches!(breaker.call_blocking(|| Ok::<_, &str>(())), Err(CallError::Open(_))));
}

#[tokio::test(start_paused = true)]
async fn who_waits_passes_when_the_time_is_over_or_a_probe_ends() {
    let breaker = options().failures_in_a_row(1).probes(2).probes_at_once(1).build().unwrap();
    run(&breaker, "x");
    let began = tokio::time::Instant::now();
    breaker.wait_ready().await.unwrap();
    assert!(began.elapsed() >= SECOND && began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
    let first = breaker.acquire().await.unwrap();
    let mut second = pin!(breaker.acquire());
    assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    first.success();
    second.await.unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_go_by_a_reset() {
    let breaker = options().failures_in_a_row(1).build().unwrap();
    breaker.force(Forced::Open);
    let mut waiting = pin!(breaker.wait_ready());
    assert_eq!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    breaker.reset();
    waiting.await.unwrap();
}

#[test]
fn no_count_is_lost_between_threads() {
    const EACH: u64 = 20_000;
    // More threads than there may be places, so that some share one.
    for per_thread in [true, false] {
        let builder = options().failure_rate(100).last_calls(10_000_000).per_thread(per_thread);
        let breaker = builder.build().unwrap();
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| (0..EACH).for_each(|i| run(&breaker, if i % 100 == 7 { "x" } else { "." })));
            }
        });
        let seen = breaker.snapshot();
        assert_eq!((seen.calls, seen.failed), (10 * EACH, EACH / 10));
    }
}

#[test]
fn a_thousand_threads_race_for_two_probes() {
    let clock = ManualClock::new();
    let builder = options().failures_in_a_row(1).probes(2).clock(clock.clone());
    let breaker = builder.build().unwrap();
    run(&breaker, "x");
    clock.advance(SECOND);
    let passed = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..125).filter_map(|_| breaker.try_acquire().ok()).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(passed.len(), 2);
}

#[test]
fn senseless_options_are_named() {
    let reason = || CircuitBreaker::builder().failure_rate(50);
    for (builder, expected) in [
        (CircuitBreaker::builder(), InvalidBreaker::NoReason),
        (CircuitBreaker::builder().failure_rate(0), InvalidBreaker::Rate(0)),
        (CircuitBreaker::builder().slow_rate(101, SECOND), InvalidBreaker::Rate(101)),
        (CircuitBreaker::builder().failures_in_a_row(0), InvalidBreaker::InARow),
        (reason().last_time(Duration::ZERO), InvalidBreaker::NoWindow),
        (reason().last_calls(10), InvalidBreaker::MinCalls { asked: 20, window: 10 }),
        (reason().open_for(Duration::ZERO), InvalidBreaker::OpenFor(Duration::ZERO)),
        (reason().open_for(Duration::MAX), InvalidBreaker::OpenFor(Duration::MAX)),
        (reason().open_jitter(101), InvalidBreaker::Jitter(101)),
        (reason().probes(128), InvalidBreaker::Probes { probes: 128, at_once: 128, successes: 128 }),
        (reason().probes(3).close_after(4), InvalidBreaker::Probes { probes: 3, at_once: 3, successes: 4 }),
        (reason().probes_at_once(0), InvalidBreaker::Probes { probes: 3, at_once: 0, successes: 3 }),
        (reason().probe_patience(Duration::ZERO), InvalidBreaker::Patience(Duration::ZERO)),
    ] {
        assert_eq!(builder.build().unwrap_err(), expected);
    }
}
