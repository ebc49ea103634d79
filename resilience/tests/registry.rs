//! A registry stays within its memory, and forgets nothing that matters.

#![allow(clippy::unwrap_used)]

use std::{sync::Arc, thread, time::Duration};

use tidemill_resilience::{Bulkhead, CircuitBreaker, Keyed, ManualClock, RetryBudget, State};

fn breakers(capacity: usize, clock: &ManualClock) -> Keyed<u32, CircuitBreaker<ManualClock>> {
    let options = CircuitBreaker::builder().failures_in_a_row(1).open_for(Duration::from_secs(1));
    let options = options.per_thread(false).clock(clock.clone());
    Keyed::new(capacity, move |_| options.clone().build().unwrap())
}

#[test]
fn a_key_finds_its_own_value_again() {
    let breakers = breakers(1000, &ManualClock::new());
    assert!(breakers.is_empty());
    for key in 0..500 {
        breakers.get(&key).trip();
    }
    assert!((0..500).all(|key| breakers.get(&key).state() == State::Open));
    assert!((500..900).all(|key| breakers.get(&key).state() == State::Closed));
}

#[test]
fn a_flood_of_keys_stays_bounded_and_resets_no_open_breaker() {
    const CAPACITY: usize = 1024;
    let breakers = breakers(CAPACITY, &ManualClock::new());
    for key in 0..300 {
        breakers.get(&key).trip();
    }
    for key in 1000..101_000 {
        breakers.get(&key);
    }
    assert!(breakers.len() <= CAPACITY);
    assert!(breakers.evicted() > 90_000);
    assert!((0..300).all(|key| breakers.get(&key).state() == State::Open));
}

#[test]
fn when_nothing_may_be_forgotten_new_keys_share() {
    let clock = ManualClock::new();
    let breakers = breakers(16, &clock);
    for key in 0..16 {
        breakers.get(&key).trip();
    }
    assert!(Arc::ptr_eq(&breakers.get(&100), &breakers.get(&101)));
    assert_eq!((breakers.len(), breakers.shared()), (16, 2));
    assert!((0..16).all(|key| breakers.get(&key).state() == State::Open));
    clock.advance(Duration::from_secs(3600));
    breakers.get(&100).trip();
    assert_eq!(breakers.shared(), 2, "breakers nobody asked for in an hour are forgotten");
}

#[test]
fn what_is_asked_for_stays_and_what_is_not_goes() {
    let breakers = breakers(64, &ManualClock::new());
    for key in 0..64 {
        breakers.get(&key);
    }
    let favourite = Arc::downgrade(&breakers.get(&7));
    for key in 100..1000 {
        breakers.get(&key);
        assert!(Arc::ptr_eq(&breakers.get(&7), &favourite.upgrade().unwrap()), "asked for at every turn");
    }
}

#[test]
fn a_bulkhead_in_use_is_not_made_anew() {
    let bulkheads = Keyed::new(4, |_: &u32| Bulkhead::builder(1).build().unwrap());
    let held = bulkheads.get(&0).try_acquire_owned().unwrap();
    for key in 1..1000 {
        bulkheads.get(&key);
    }
    assert!(bulkheads.get(&0).try_acquire().is_err(), "a second permit of a limit of one");
    drop(held);
    assert!(bulkheads.get(&0).try_acquire().is_ok());
}

#[test]
fn a_flood_of_keys_resets_no_spent_budget() {
    let budgets = Keyed::new(64, |_: &u32| RetryBudget::new(1, 10).unwrap());
    let spent = budgets.get(&0).withdraw().is_some();
    for key in 1..10_000 {
        budgets.get(&key);
    }
    assert!(spent && budgets.get(&0).withdraw().is_none(), "a second retry from a reserve of one");
    assert!(budgets.len() <= 64 && budgets.evicted() > 9_000);
    (0..10).for_each(|_| budgets.get(&0).success());
    for key in 1..10_000 {
        budgets.get(&key);
    }
    assert!(budgets.get(&0).withdraw().is_some());
}

/// A bulkhead whose permits lie with a thread is idle all the same.
#[test]
fn a_bulkhead_that_was_hot_makes_room() {
    let bulkheads = Keyed::new(1, |_: &u32| Bulkhead::builder(4).build().unwrap());
    let hot = bulkheads.get(&0);
    (0..5000).for_each(|_| drop(hot.try_acquire().unwrap()));
    drop(hot);
    bulkheads.get(&1);
    bulkheads.get(&2);
    assert_eq!((bulkheads.len(), bulkheads.evicted(), bulkheads.shared()), (1, 2, 0));
}

#[test]
fn threads_agree_on_the_value_of_a_key() {
    let breakers = breakers(100_000, &ManualClock::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..2000).for_each(|key| drop(breakers.get(&key))));
        }
    });
    assert_eq!(breakers.len(), 2000);
}
