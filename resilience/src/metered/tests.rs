//! The stated bound of each meter over random histories, exact refusals, and waiters in order.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;

use super::*;
use crate::{ManualClock, Rate};

const PERIOD: Duration = Duration::from_nanos(1_000);

fn limiter<M: Meter>(meter: M) -> (Metered<M, ManualClock>, ManualClock) {
    let clock = ManualClock::new();
    (Metered::builder(meter).clock(clock.clone()).build().unwrap(), clock)
}

/// What is admitted of calls at these steps for these tokens: (time, tokens).
fn history<M: Meter>(meter: M, calls: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let (limiter, clock) = limiter(meter);
    let mut admitted = vec![];
    for &(step, n) in calls {
        clock.advance(Duration::from_nanos(step));
        if limiter.try_acquire(n).is_ok() {
            admitted.push((saturating_nanos(clock.now()), n));
        }
    }
    admitted
}

/// The most tokens in any window of `length` that begins with an admission; its end counts if `closed`.
fn most_in_a_window(admitted: &[(u64, u64)], length: u64, closed: bool) -> u64 {
    let inside = |from: u64, to: u64| to - from < length || closed && to - from == length;
    let sum = |from| admitted.iter().filter(|(at, _)| *at >= from && inside(from, *at)).map(|(_, n)| n).sum();
    admitted.iter().map(|&(from, _)| sum(from)).max().unwrap_or(0)
}

fn calls(most: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((prop_oneof![0u64..30, 0u64..700], 1..=most), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sliding_window_never_passes_its_limit(calls in calls(5), parts in 1u32..40) {
        let admitted = history(SlidingWindow::of(10, PERIOD, parts), &calls);
        prop_assert!(most_in_a_window(&admitted, 1_000, true) <= 10);
    }

    /// The log decides as one who counts the calls of the last period by hand.
    #[test]
    fn a_log_admits_all_that_the_limit_allows_and_no_more(calls in calls(5)) {
        let (limiter, clock) = limiter(SlidingLog::of(10, PERIOD));
        let mut admitted: Vec<(u64, u64)> = vec![];
        for (step, n) in calls {
            clock.advance(Duration::from_nanos(step));
            let now = saturating_nanos(clock.now());
            let used: u64 = admitted.iter().filter(|(at, _)| at + 1_000 > now).map(|(_, n)| n).sum();
            let allowed = limiter.try_acquire(n);
            prop_assert_eq!(allowed.is_ok(), used + n <= 10);
            if allowed.is_ok() {
                admitted.push((now, n));
            }
        }
        prop_assert!(most_in_a_window(&admitted, 1_000, false) <= 10);
    }

    #[test]
    fn a_fixed_window_stays_below_twice_its_limit(calls in calls(5)) {
        let admitted = history(FixedWindow::of(10, PERIOD), &calls);
        prop_assert!(most_in_a_window(&admitted, 1_000, false) <= 20);
        for window in admitted.chunk_by(|a, b| a.0 / 1_000 == b.0 / 1_000) {
            prop_assert!(window.iter().map(|(_, n)| n).sum::<u64>() <= 10);
        }
    }

    #[test]
    fn a_warm_up_never_passes_its_rate(calls in calls(3), warm_up in 1u64..5_000) {
        let meter = WarmUp::of(Rate::per(3, Duration::from_nanos(100)), Duration::from_nanos(warm_up)).largest(3);
        let admitted = history(meter, &calls);
        for (i, &(from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for &(to, n) in &admitted[i..] {
                sum += n;
                prop_assert!(sum * 100 <= 3 * 100 + 3 * (to - from), "{} in {} ns", sum, to - from);
            }
        }
    }

    /// The time that a refusal tells is exact: one nanosecond before it is refused still, and then it passes.
    #[test]
    fn a_refusal_tells_the_first_instant_that_would_do(calls in calls(5), parts in 1u32..9, n in 1u64..5) {
        fn probe<M: Meter + Clone>(meter: M, calls: &[(u64, u64)], n: u64) {
            let (limiter, clock) = limiter(meter);
            for &(step, tokens) in calls {
                clock.advance(Duration::from_nanos(step));
                let _ = limiter.try_acquire(tokens);
            }
            if let Err(Refused::Later { retry_after }) = limiter.try_acquire(n) {
                clock.advance(retry_after - Duration::from_nanos(1));
                assert!(limiter.try_acquire(n).is_err());
                clock.advance(Duration::from_nanos(1));
                assert_eq!(limiter.try_acquire(n), Ok(()));
            }
        }
        probe(SlidingWindow::of(10, PERIOD, parts), &calls, n);
        probe(SlidingLog::of(10, PERIOD), &calls, n);
        probe(FixedWindow::of(10, PERIOD), &calls, n);
        probe(WarmUp::of(Rate::every(Duration::from_nanos(90)), PERIOD).largest(5), &calls, n);
    }
}

/// google/guava#3552, #6475: cold after a pause, warm after the warm-up time, and never faster than the rate.
#[test]
fn a_warm_up_begins_with_a_third_of_the_rate_and_reaches_all_of_it() {
    let (limiter, clock) = limiter(WarmUp::of(Rate::per_second(100), Duration::from_secs(4)));
    let mut per_second = vec![];
    for _ in 0..2 {
        let start = clock.now();
        let mut taken = [0u64; 7];
        while clock.now() - start < Duration::from_secs(7) {
            if let Err(refused) = limiter.try_acquire(1) {
                clock.advance(refused.retry_after().unwrap());
            } else if let Some(count) = taken.get_mut((clock.now() - start).as_secs() as usize) {
                *count += 1;
            }
        }
        per_second.push(taken);
        clock.advance(Duration::from_secs(60));
    }
    for taken in per_second {
        assert!((34..=45).contains(&taken[0]), "{taken:?}");
        assert!(taken.is_sorted(), "{taken:?}");
        assert!((99..=101).contains(&taken[6]), "{taken:?}");
    }
}

/// uber-go/ratelimit#119: a rewritten slack let everything through. Here idle time is never worth more than the limit.
#[test]
fn an_idle_year_is_worth_one_window() {
    fn burst_after_a_year<M: Meter>(meter: M) -> usize {
        let (limiter, clock) = limiter(meter);
        clock.advance(Duration::from_secs(366 * 86_400));
        (0..1_000).filter(|_| limiter.try_acquire(1).is_ok()).count()
    }
    assert_eq!(burst_after_a_year(FixedWindow::of(10, PERIOD)), 10);
    assert_eq!(burst_after_a_year(SlidingWindow::of(10, PERIOD, 4)), 10);
    assert_eq!(burst_after_a_year(SlidingLog::of(10, PERIOD)), 10);
    assert_eq!(burst_after_a_year(WarmUp::of(Rate::every(PERIOD), PERIOD)), 1);
}

#[test]
fn waiters_go_in_order_and_are_not_overtaken() {
    let (limiter, clock) = limiter(SlidingLog::of(2, PERIOD));
    limiter.try_acquire(2).unwrap();
    let (mut first, mut second) = (pin!(limiter.acquire(2)), pin!(limiter.acquire(1)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut cx).is_pending() && second.as_mut().poll(&mut cx).is_pending());
    assert_eq!(limiter.waiters(), 2);
    clock.advance(PERIOD);
    assert!(limiter.try_acquire(1).is_err(), "it is the first one's");
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    assert!(second.as_mut().poll(&mut cx).is_pending());
    clock.advance(PERIOD);
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(limiter.waiters(), 0);
}

#[test]
fn a_line_is_bounded_and_a_deadline_obeyed() {
    let clock = ManualClock::new();
    let limiter = Metered::builder(FixedWindow::of(1, PERIOD)).max_waiters(1).clock(clock.clone()).build().unwrap();
    limiter.try_acquire(1).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut hopeless = pin!(limiter.acquire_within(1, Duration::from_nanos(999)));
    assert_eq!(hopeless.as_mut().poll(&mut cx), Poll::Ready(Err(Refused::Later { retry_after: PERIOD })));
    {
        let (mut first, mut second) = (pin!(limiter.acquire(1)), pin!(limiter.acquire(1)));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(Err(Refused::QueueFull { waiters: 1 })));
    }
    assert_eq!(limiter.waiters(), 0, "who is dropped leaves the line");
    let more = Refused::ExceedsBurst { asked: 2, burst: 1 };
    assert_eq!(limiter.try_acquire(2), Err(more));
}

#[test]
fn a_clock_that_steps_back_mints_nothing() {
    let (limiter, clock) = limiter(SlidingLog::of(5, PERIOD));
    let mut taken = 0;
    for step in 0..100 {
        clock.set(if step % 2 == 0 { PERIOD / 2 } else { Duration::ZERO });
        taken += (0..10).filter(|_| limiter.try_acquire(1).is_ok()).count();
    }
    assert_eq!(taken, 5);
}

#[test]
fn senseless_options_are_named() {
    let wrong = |meter: SlidingWindow| Metered::builder(meter).build().unwrap_err();
    assert_eq!(wrong(SlidingWindow::of(0, PERIOD, 1)), InvalidMeter::NoLimit);
    assert_eq!(wrong(SlidingWindow::of(1, Duration::ZERO, 1)), InvalidMeter::Period(Duration::ZERO));
    assert_eq!(wrong(SlidingWindow::of(1, PERIOD, 0)), InvalidMeter::Parts(0));
    assert_eq!(wrong(SlidingWindow::of(1, PERIOD, 1_001)), InvalidMeter::Parts(1_001));
    let rate = Rate::per_second(0);
    let why = Metered::builder(WarmUp::of(rate, PERIOD)).build().unwrap_err();
    assert_eq!(why, InvalidMeter::Rate(InvalidLimiter::Rate(rate)));
}
