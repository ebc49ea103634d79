//! All or nothing: no partial charge, no ring of waiters, nothing lost by those who give up.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;

use super::*;
use crate::{ManualClock, Rate};

const MS: Duration = Duration::from_millis(1);

type Limiter = Arc<RateLimiter<ManualClock>>;
type Waiting<'a> = dyn Future<Output = Result<(), RefusedBy>> + 'a;

fn limiter(clock: &ManualClock, per_second: u64, burst: u64) -> Limiter {
    let builder = RateLimiter::builder().rate(Rate::per_second(per_second)).burst(burst).clock(clock.clone());
    Arc::new(builder.build().unwrap())
}

fn all_of(limits: &[&Limiter]) -> AllOf<ManualClock> {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let builder =
        limits.iter().zip(NAMES).fold(AllOf::builder(), |all, (limit, name)| all.limit(name, Arc::clone(limit)));
    builder.build()
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// envoyproxy/ratelimit#185, #440, #443 and dotnet/runtime#113314: denied calls are charged there, or charged twice.
#[test]
fn a_refused_call_charges_no_limit_however_often_it_is_tried() {
    let clock = ManualClock::new();
    let (wide, narrow, last) = (limiter(&clock, 1, 100), limiter(&clock, 1, 2), limiter(&clock, 1, 100));
    let all = all_of(&[&wide, &narrow, &last]);
    for _ in 0..1_000 {
        let refused = all.try_acquire(3).unwrap_err();
        assert_eq!((refused.index, refused.name), (1, "b"), "dotnet/runtime#130114: which one refused?");
        assert_eq!(refused.refused, Refused::ExceedsBurst { asked: 3, burst: 2 });
    }
    assert_eq!([&wide, &narrow, &last].map(|limit| limit.available()), [100, 2, 100]);
    all.try_acquire(2).unwrap();
    assert_eq!([&wide, &narrow, &last].map(|limit| limit.available()), [98, 0, 98], "charged once each");
}

#[test]
fn each_limit_has_its_own_price() {
    let clock = ManualClock::new();
    let (calls, bytes) = (limiter(&clock, 1, 10), limiter(&clock, 1, 10_000));
    let all = all_of(&[&calls, &bytes]);
    all.try_acquire_each(&[1, 4_000]).unwrap();
    assert_eq!((calls.available(), bytes.available()), (9, 6_000));
    assert_eq!(all.try_acquire_each(&[1, 7_000]).unwrap_err().name, "b");
    all.try_acquire_each(&[2]).unwrap();
    assert_eq!((calls.available(), bytes.available()), (7, 6_000), "none asked of the other");
}

#[test]
fn who_waits_for_one_limit_holds_nothing_of_the_other() {
    let clock = ManualClock::new();
    let (shared, own) = (limiter(&clock, 1_000, 10), limiter(&clock, 10, 1));
    let tenant = all_of(&[&shared, &own]);
    tenant.try_acquire(1).unwrap();
    clock.advance(MS);
    let mut waits = pin!(tenant.acquire(1));
    assert!(poll(waits.as_mut()).is_pending());
    assert_eq!(shared.available(), 10, "all of it, for other tenants");
    clock.advance(99 * MS);
    assert_eq!(poll(waits.as_mut()), Poll::Ready(Ok(())));
    assert_eq!((shared.available(), own.available()), (9, 0));
}

/// Two that list the same limits in opposite order, each wanting all of both.
#[test]
fn opposite_orders_do_not_lock_each_other_out() {
    let clock = ManualClock::new();
    let (a, b) = (limiter(&clock, 1_000, 5), limiter(&clock, 1_000, 5));
    let (forth, back) = (all_of(&[&a, &b]), all_of(&[&b, &a]));
    let mut done = 0;
    let mut waits: Vec<Pin<Box<Waiting>>> = vec![];
    for _ in 0..10 {
        waits.push(Box::pin(forth.acquire(5)));
        waits.push(Box::pin(back.acquire(5)));
    }
    for _ in 0..10_000 {
        waits.retain_mut(|wait| {
            let ready = wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            done += usize::from(ready);
            !ready
        });
        clock.advance(MS / 4);
        if waits.is_empty() {
            break;
        }
    }
    assert_eq!(done, 20);
}

#[test]
fn one_who_is_refused_again_and_again_gets_through_in_the_end() {
    let clock = ManualClock::new();
    let (a, b) = (limiter(&clock, 1_000, 2), limiter(&clock, 1_000, 2));
    let all = all_of(&[&a, &b]);
    a.try_acquire(2).unwrap();
    let mut waits = pin!(all.acquire(2));
    let mut through = false;
    for step in 0..200 {
        through = through || poll(waits.as_mut()).is_ready();
        // Someone who empties, in turn, the limit that is not waited for.
        let _ = if step % 2 == 0 { a.try_acquire(1) } else { b.try_acquire(1) };
        clock.advance(MS / 2);
        if through {
            break;
        }
    }
    assert!(through);
}

#[test]
fn a_deadline_is_refused_at_once_or_obeyed_at_its_time() {
    let clock = ManualClock::new();
    let (a, b) = (limiter(&clock, 1_000, 1), limiter(&clock, 10, 1));
    let all = all_of(&[&a, &b]);
    all.try_acquire(1).unwrap();
    clock.advance(MS);
    let Poll::Ready(Err(refused)) = poll(pin!(all.acquire_within(1, 98 * MS))) else { panic!("it cannot suffice") };
    assert_eq!((refused.name, refused.refused), ("b", Refused::Later { retry_after: 99 * MS }));
    let (mut first, mut second) = (pin!(all.acquire(1)), pin!(all.acquire_within(1, 150 * MS)));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    assert_eq!(all.waiters(), 2);
    clock.advance(99 * MS);
    assert!(poll(first.as_mut()).is_ready());
    clock.advance(51 * MS);
    assert!(matches!(poll(second.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(all.waiters(), 0);
}

#[test]
fn the_line_is_bounded() {
    let clock = ManualClock::new();
    let only = limiter(&clock, 1, 1);
    let all = AllOf::builder().limit("only", only).max_waiters(1).build();
    all.try_acquire(1).unwrap();
    let (mut first, mut second) = (pin!(all.acquire(1)), pin!(all.acquire(1)));
    assert!(poll(first.as_mut()).is_pending());
    let Poll::Ready(Err(refused)) = poll(second.as_mut()) else { panic!("the line is full") };
    assert_eq!(refused.refused, Refused::QueueFull { waiters: 1 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever gives up at whatever await: afterwards both buckets fill to the last token, and not over.
    #[test]
    fn cancelled_anywhere_nothing_is_lost_or_minted(
        steps in prop::collection::vec((0usize..4, 1u64..5, any::<prop::sample::Index>(), 0u64..3_000), 1..80),
    ) {
        let clock = ManualClock::new();
        let (a, b) = (limiter(&clock, 1_000, 5), limiter(&clock, 3_000, 4));
        let (forth, back) = (all_of(&[&a, &b]), all_of(&[&b, &a]));
        let mut waits: Vec<Pin<Box<Waiting>>> = vec![];
        let mut taken = 0;
        for (what, n, index, micros) in steps {
            match what {
                0 => waits.push(Box::pin(if n % 2 == 0 { forth.acquire(n) } else { back.acquire(n.min(4)) })),
                1 if !waits.is_empty() => drop(waits.swap_remove(index.index(waits.len()))),
                2 => taken += u64::from(forth.try_acquire(1).is_ok()),
                _ => clock.advance(Duration::from_micros(micros)),
            }
            waits.retain_mut(|wait| wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        waits.clear();
        clock.advance(Duration::from_secs(1));
        prop_assert_eq!((a.available(), b.available()), (5, 4), "after {} direct calls", taken);
        prop_assert_eq!((forth.waiters(), back.waiters()), (0, 0));
    }
}
