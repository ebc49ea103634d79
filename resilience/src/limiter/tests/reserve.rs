//! Reservations: what is held, spent, given back, and waited for; and the blocking calls.

use std::{sync::mpsc, thread};

use super::*;
use crate::TokioClock;

/// cross-media-measurement#4444: grant and cancel race there, and tokens are eaten.
#[test]
fn what_is_dropped_comes_back_to_the_last_token_and_only_once() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    for _ in 0..100 {
        let held = limiter.try_reserve(10).unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.available(), 0, "held is held, however long");
        drop(held);
        assert_eq!(limiter.available(), 10, "and not one more, though a second would have brought a thousand");
    }
}

#[test]
fn a_part_is_spent_and_the_rest_given_back() {
    for (spent, left) in [(0, 10), (3, 7), (8, 2), (99, 2)] {
        let (limiter, _) = limiter(Rate::per_second(1_000), 10, LEASE);
        let held = limiter.try_reserve(8).unwrap();
        assert_eq!(held.tokens(), 8);
        held.commit_part(spent);
        assert_eq!(limiter.available(), left, "{spent} of 8 spent");
    }
}

/// golang x/time/rate gives back only what no later reservation counts on; here those behind are re-timed.
#[test]
fn those_who_wait_get_what_is_given_back_at_once() {
    let (limiter, clock) = limiter(Rate::per_day(1), 10, LEASE);
    let held = limiter.try_reserve(10).unwrap();
    let mut world = World::new(&limiter, &clock);
    world.arrive(6, None);
    world.arrive(4, None);
    world.settle();
    drop(held);
    world.settle();
    assert_eq!(world.admitted, [(0, 6), (0, 4)]);
}

#[test]
fn a_reservation_waits_its_turn_and_a_cancelled_one_leaves_no_trace() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(2, None);
    world.settle();
    let mut waiting = Box::pin(limiter.reserve(5));
    let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    clock.set(Duration::from_millis(5));
    world.settle();
    assert!(poll().is_pending(), "two of the five went to the one ahead");
    clock.set(Duration::from_millis(7));
    let Poll::Ready(Ok(held)) = poll() else { panic!("its time has come") };
    clock.set(Duration::from_millis(8));
    assert_eq!(limiter.available(), 1);
    drop(held);
    assert_eq!(limiter.available(), 6);
    let refused = waiting_refused(&limiter);
    assert_eq!(refused, Refused::Later { retry_after: Duration::from_millis(4) });
}

fn waiting_refused(limiter: &Limiter) -> Refused {
    let mut hopeless = Box::pin(limiter.reserve_within(10, Duration::from_millis(3)));
    match hopeless.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocking_calls_take_exactly_as_long_as_the_rate_says() {
    let (limiter, clock) = limiter(Rate::per_second(100), 5, LEASE);
    for _ in 0..25 {
        limiter.acquire_blocking(1).unwrap();
    }
    assert_eq!(clock.now(), Duration::from_millis(200));
    let within = limiter.acquire_blocking_within(5, Duration::from_millis(49));
    assert_eq!(within, Err(Refused::Later { retry_after: Duration::from_millis(50) }));
    limiter.acquire_blocking_within(5, Duration::from_millis(50)).unwrap();
    assert_eq!(clock.now(), Duration::from_millis(250));
}

/// A blocked thread stands in the same line as the tasks, and a change of rate reaches it.
#[test]
fn a_blocked_thread_is_retimed_too() {
    let limiter = RateLimiter::builder().rate(Rate::per_day(1)).burst(2).clock(TokioClock).build().unwrap();
    limiter.try_acquire(2).unwrap();
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel();
        for n in [1, 2] {
            let (limiter, done) = (&limiter, done.clone());
            scope.spawn(move || done.send(limiter.acquire_blocking(n)).unwrap());
        }
        while limiter.waiters() < 2 {
            thread::yield_now();
        }
        limiter.change(Rate::per_second(1_000), 2).unwrap();
        for _ in 0..2 {
            is_done.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
        }
    });
}
