//! The bound of each key whatever the others do, debts that survive eviction, fixed memory, plans, waiters.
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    future::Future,
    hash::{BuildHasherDefault, Hasher},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use foldhash::quality::FixedState;
use proptest::prelude::*;

use super::*;
use crate::ManualClock;

const MS: Duration = Duration::from_millis(1);

/// With a seed, for which keys share a set, and how many, is chance.
type Limiter = KeyedRateLimiter<u64, ManualClock, FixedState>;

const HASHER: FixedState = FixedState::with_seed(7);

fn limiter(per_second: u64, burst: u64, max_keys: usize) -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::builder().rate(Rate::per_second(per_second)).burst(burst).max_keys(max_keys);
    (builder.clock(clock.clone()).hasher(HASHER).build().unwrap(), clock)
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// One set of eight ways, up to thirty keys: evictions all the time, leases, and two plans that keys move between.
    #[test]
    fn no_key_passes_its_bound_however_often_it_is_evicted(
        calls in prop::collection::vec(
            (0u64..30, 1u64..4, prop_oneof![4 => 0u64..2_000, 1 => 0u64..3_000_000], 1u64..20, 0usize..3), 1..150),
        burst in 1u64..60,
        lease in prop_oneof![Just(Duration::ZERO), Just(50 * MS)],
    ) {
        let clock = ManualClock::new();
        let limiter = KeyedRateLimiter::<u64>::builder()
            .rate(Rate::per_second(30_000)).burst(burst)
            .max_keys(4).lease_time(lease).clock(clock.clone()).build().unwrap();
        let mut admitted: HashMap<u64, Vec<(u128, u64)>> = HashMap::new();
        for (key, n, step, repeat, front) in calls {
            for _ in 0..repeat {
                clock.advance(Duration::from_nanos(step));
                if limiter.try_acquire_at(limiter.table.fronts().nth(2 * front), &key, n).is_ok() {
                    admitted.entry(key).or_default().push((clock.now().as_nanos(), n));
                }
            }
        }
        for (key, admitted) in admitted {
            for (i, &(from, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for &(to, n) in &admitted[i..] {
                    sum += u128::from(n);
                    let bound = u128::from(burst) * 1_000_000_000 + 30_000 * (to - from);
                    prop_assert!(sum * 1_000_000_000 <= bound, "key {}: {} from {} to {}", key, sum, from, to);
                }
            }
        }
    }

    /// Without leases, and with room for all, each key is decided on as by a limiter of its own.
    #[test]
    fn decides_as_a_limiter_per_key(calls in prop::collection::vec((0u64..6, 1u64..5, 0u64..2_000_000), 1..200)) {
        let clock = ManualClock::new();
        let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(3_000)).burst(7).lease_time(Duration::ZERO);
        let limiter = builder.clock(clock.clone()).build().unwrap();
        let own: Vec<_> = (0..6).map(|_| {
            let builder = crate::RateLimiter::builder().rate(Rate::per_second(3_000)).burst(7).lease_time(Duration::ZERO);
            builder.clock(clock.clone()).build().unwrap()
        }).collect();
        for (key, n, step) in calls {
            clock.advance(Duration::from_nanos(step));
            prop_assert_eq!(limiter.try_acquire(&key, n), own[key as usize].try_acquire(n));
        }
    }
}

#[test]
fn keys_do_not_share_tokens_and_a_refusal_tells_the_wait() {
    let (limiter, clock) = limiter(1_000, 3, 100);
    for key in 0..50 {
        assert_eq!((0..9).filter(|_| limiter.try_acquire(&key, 1).is_ok()).count(), 3, "key {key}");
        assert_eq!(limiter.try_acquire(&key, 2), Err(Refused::Later { retry_after: 2 * MS }));
        assert_eq!(limiter.try_acquire(&key, 4), Err(Refused::ExceedsBurst { asked: 4, burst: 3 }));
        assert_eq!(limiter.try_acquire(&key, 0), Ok(()));
    }
    clock.advance(MS);
    assert!((0..50).all(|key| limiter.available(&key) == 1));
    limiter.forget(&7);
    assert_eq!((limiter.available(&7), limiter.available(&8)), (3, 1));
}

/// governor#171: a flood of keys is a denial of service by memory there. Here memory is fixed, and no debtor is let off.
///
/// The size by default suits a debug build; `TIDEMILL_FLOOD=10000000 cargo test --release` runs the whole of it.
#[test]
fn a_flood_of_keys_costs_no_memory_and_resets_no_debt() {
    let flood = std::env::var("TIDEMILL_FLOOD").map_or(200_000, |text| text.parse().unwrap());
    let (limiter, clock) = limiter(10, 10, 1_000);
    let bytes = limiter.table_bytes();
    assert!(bytes < 500 * 1_000, "{bytes}, with eight fronts");
    let debtors: Vec<u64> = (0..500).map(|i| u64::MAX - i).collect();
    for key in &debtors {
        limiter.try_acquire(key, 10).unwrap();
    }
    for key in 0..flood {
        let _ = limiter.try_acquire(&key, 1);
    }
    for key in &debtors {
        assert!(limiter.try_acquire(key, 1).is_err(), "{key} was let off");
    }
    assert_eq!(limiter.table_bytes(), bytes);
    assert!(limiter.keys() <= 2_000);
    // One second later all debts are paid, and newcomers are full again.
    clock.advance(Duration::from_secs(1));
    assert!(
        (flood..flood + 1_000)
            .all(|key| limiter.try_acquire(&key, 10).is_ok() || limiter.try_acquire(&key, 1).is_err())
    );
    clock.advance(Duration::from_secs(2));
    assert_eq!(limiter.available(&debtors[0]), 10);
}

/// Keys that are full again leave their ways without a sweep, so a long run of them crowds nobody out.
#[test]
fn idle_keys_expire_by_themselves() {
    let (limiter, clock) = limiter(1_000, 4, 4);
    for key in 0..10_000 {
        limiter.try_acquire(&key, 4).unwrap();
        clock.advance(4 * MS);
    }
    assert!(limiter.keys() <= 8);
}

/// One set of eight ways; keys from 1,000 on have one token a minute.
fn crowded() -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::builder().rate(Rate::per_second(1_000)).burst(10).plan(Rate::per_minute(1), 1);
    let builder = builder.plan_of(|&key| usize::from(key >= 1_000)).max_keys(1);
    (builder.clock(clock.clone()).hasher(HASHER).build().unwrap(), clock)
}

#[test]
fn the_debt_of_the_evicted_is_the_newcomers_floor() {
    let (limiter, _) = crowded();
    for key in 1..=8 {
        limiter.try_acquire(&key, key).unwrap(); // key 1 owes least: 1 ms
    }
    assert_eq!(limiter.available(&9), 9, "in place of key 1");
    assert_eq!(limiter.available(&1), 9, "which comes back to what it owed");
}

#[test]
fn a_floor_is_worth_no_more_than_an_empty_bucket_of_ones_own() {
    let (limiter, clock) = crowded();
    for key in 1_000..1_008 {
        limiter.try_acquire(&key, 1).unwrap();
    }
    assert_eq!(limiter.available(&1), 0, "in place of one who owes a minute");
    clock.advance(10 * MS);
    assert_eq!(limiter.available(&1), 10);
}

#[test]
fn each_key_has_the_limits_of_its_plan_and_takes_its_tokens_along() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let (clock, plan_of_ann) = (ManualClock::new(), Arc::new(AtomicUsize::new(0)));
    let ann = Arc::clone(&plan_of_ann);
    let limiter = KeyedRateLimiter::<str>::builder()
        .rate(Rate::per_second(10))
        .burst(5)
        .plan(Rate::per_second(1_000), 50)
        .plan_of(move |key| if key == "ann" { ann.load(SeqCst) } else { 99 })
        .clock(clock.clone())
        .build()
        .unwrap();
    limiter.try_acquire("ann", 3).unwrap();
    plan_of_ann.store(1, SeqCst);
    assert_eq!(limiter.available("ann"), 2, "her tokens");
    clock.advance(10 * MS);
    assert_eq!(limiter.available("ann"), 12, "at her new pace");
    assert_eq!(limiter.available("bob"), 5, "a plan that there is not is plan 0");
    limiter.change(1, Rate::per_second(1_000), 4).unwrap();
    assert_eq!((limiter.available("ann"), limiter.available("bob")), (4, 5));
    assert_eq!(limiter.change(2, Rate::per_second(1), 1), Err(InvalidLimiter::NoPlan { asked: 2 }));
}

#[test]
fn a_hot_key_leases_and_a_change_of_plan_ends_its_lease() {
    let (limiter, clock) = limiter(1_000_000, 10_000, 100);
    for _ in 0..100 {
        clock.advance(Duration::from_micros(1));
        limiter.try_acquire(&7, 1).unwrap();
    }
    let spot = limiter.spot(&7);
    let front = limiter.table.front();
    assert!(limiter.table.spend(front, spot, 1), "without a look at the clock");
    limiter.change(0, Rate::per_second(1), 5).unwrap();
    assert!(!limiter.table.spend(front, spot, 1));
    assert_eq!((0..100).filter(|_| limiter.try_acquire(&7, 1).is_ok()).count(), 5);
}

/// Each of three threads leases from the key's bucket; what they leave over is there for whoever asks, and no token is lost.
#[test]
fn what_several_threads_lease_of_one_key_is_taken_back_for_another() {
    const BURST: u64 = 10_000;
    let (limiter, clock) = limiter(1_000_000, BURST, 100);
    for round in 0..100 {
        clock.advance(Duration::from_micros(1));
        for front in 0..3 {
            limiter
                .try_acquire_at(limiter.table.fronts().nth(front), &7, 1)
                .unwrap_or_else(|_| panic!("round {round}"));
        }
    }
    let spot = limiter.spot(&7);
    assert!((0..3).all(|front| limiter.table.spend(limiter.table.fronts().nth(front), spot, 1)), "all have leases");
    let left = limiter.available(&7);
    assert!((BURST - 303..=BURST - 200).contains(&left), "{left}: what is spent is charged, and what is left is open");
    limiter.try_acquire_at(limiter.table.fronts().nth(1), &7, left).unwrap();
    assert_eq!(limiter.try_acquire_at(None, &7, 1), Err(Refused::Later { retry_after: Duration::from_micros(1) }));
    clock.advance(Duration::from_millis(10));
    assert_eq!(limiter.available(&7), BURST);
}

/// More hot keys than a line of the front has entries: the others lease from their sets.
#[test]
fn keys_without_a_place_at_the_front_lease_from_their_sets() {
    let (limiter, clock) = limiter(1_000_000, 10_000, 2); // one line, one set
    for _ in 0..20 {
        for key in 0..6 {
            clock.advance(Duration::from_micros(1));
            limiter.try_acquire(&key, 1).unwrap();
        }
    }
    let front = limiter.table.front();
    let at_sets = (0..6).filter(|key| limiter.table.spend(None, limiter.spot(key), 1)).count();
    let anywhere = (0..6).filter(|key| limiter.table.spend(front, limiter.spot(key), 1)).count();
    let expected = if front.is_some() { 2 } else { 6 };
    assert_eq!((at_sets, anywhere), (expected, 6));
}

#[test]
fn waiters_of_a_key_go_in_order_and_hold_up_no_other_key() {
    let (limiter, clock) = limiter(1_000, 2, 100);
    limiter.try_acquire(&1, 2).unwrap();
    let (mut first, mut second) = (pin!(limiter.acquire(&1, 2)), pin!(limiter.acquire(&1, 1)));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    assert_eq!(limiter.waiters(), 2);
    limiter.try_acquire(&2, 2).unwrap();
    clock.advance(MS);
    assert!(limiter.try_acquire(&1, 1).is_err(), "one token is there, and it is spoken for");
    assert!(poll(second.as_mut()).is_pending());
    clock.advance(MS);
    assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(())));
    assert!(poll(second.as_mut()).is_pending());
    clock.advance(MS);
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(limiter.waiters(), 0);
}

#[test]
fn a_waiter_that_is_dropped_leaves_nothing_behind() {
    let (limiter, clock) = limiter(1_000, 2, 100);
    limiter.try_acquire(&1, 2).unwrap();
    {
        let mut first = pin!(limiter.acquire(&1, 2));
        let mut hopeless = pin!(limiter.acquire_within(&1, 2, MS));
        assert!(poll(first.as_mut()).is_pending());
        assert!(matches!(poll(hopeless.as_mut()), Poll::Ready(Err(Refused::Later { .. }))));
    }
    assert_eq!((limiter.waiters(), limiter.waits.anyone_for(limiter.spot(&1).hash)), (0, false));
    clock.advance(2 * MS);
    assert_eq!(limiter.available(&1), 2);
}

#[test]
fn waiters_are_bounded() {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(1)).max_waiters(1);
    let limiter = builder.clock(clock).build().unwrap();
    (0..2).for_each(|key| limiter.try_acquire(&key, 1).unwrap());
    let (mut first, mut second) = (pin!(limiter.acquire(&0, 1)), pin!(limiter.acquire(&1, 1)));
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(poll(second.as_mut()), Poll::Ready(Err(Refused::QueueFull { waiters: 1 })));
}

/// Two keys that cannot be told apart: one bucket for both, and so never more than each may have.
#[test]
fn keys_whose_hashes_collide_share_one_bucket() {
    #[derive(Default)]
    struct Same;
    impl Hasher for Same {
        fn write(&mut self, _: &[u8]) {}
        fn finish(&self) -> u64 {
            0
        }
    }
    let builder = KeyedRateLimiter::<str>::builder().rate(Rate::per_day(1)).burst(3);
    let limiter = builder.hasher(BuildHasherDefault::<Same>::default()).build().unwrap();
    let taken = ["a", "b", "c", "d"].iter().filter(|key| limiter.try_acquire(key, 1).is_ok()).count();
    assert_eq!(taken, 3);
}

#[test]
fn senseless_options_are_named() {
    let build = |builder: KeyedBuilder<u64>| builder.build().map(drop);
    assert_eq!(build(KeyedRateLimiter::builder()), Err(InvalidLimiter::NoRate));
    let rate = Rate::per_second(1);
    assert_eq!(build(KeyedRateLimiter::builder().rate(rate).burst(0)), Err(InvalidLimiter::NoBurst));
    assert_eq!(build(KeyedRateLimiter::builder().rate(rate).plan(rate, 0)), Err(InvalidLimiter::NoBurst));
    assert_eq!(build(KeyedRateLimiter::builder().rate(rate).max_keys(0)), Ok(()), "one set is the least there is");
}
