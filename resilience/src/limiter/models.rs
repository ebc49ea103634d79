//! The lease and the core under every interleaving: no token is spent twice, and none is lost.
//!
//! Time stands still while the threads run, so what goes out must be what was there; leases were given out before.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use loom::{model, thread};

use super::*;
use crate::ManualClock;

const BURST: u64 = 64;

type Limiter = RateLimiter<ManualClock>;

/// A limiter whose home 0 holds a lease, and how many tokens are gone.
fn leasing() -> (Arc<Limiter>, u64) {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().rate(Rate::per_day(1)).burst(BURST).clock(clock.clone());
    let limiter = Arc::new(builder.build().unwrap());
    for _ in 0..2 {
        clock.advance(Duration::from_micros(10));
        limiter.try_acquire_at(0, 1).unwrap();
    }
    assert!(limiter.lock().ledger.any_outstanding(), "home 0 is hot");
    (limiter, 2)
}

/// What is left, counted by taking it.
fn rest(limiter: &Limiter) -> u64 {
    let rest = limiter.available();
    limiter.try_acquire_at(1, rest).unwrap();
    assert!(limiter.try_acquire_at(1, 1).is_err());
    rest
}

#[test]
fn loom_spending_and_taking_back_a_lease_conserve_tokens() {
    model(|| {
        let (limiter, spent) = leasing();
        let hot = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || (0..2).filter(|_| limiter.try_acquire_at(0, 1).is_ok()).count() as u64)
        };
        let all_but_one = limiter.try_acquire_at(1, BURST - 3).map_or(0, |()| BURST - 3);
        let hot = hot.join().unwrap();
        assert_eq!(spent + hot + all_but_one + rest(&limiter), BURST);
    });
}

#[test]
fn loom_two_threads_of_one_home_and_one_who_settles_it() {
    model(|| {
        let (limiter, spent) = leasing();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || u64::from(limiter.try_acquire_at(0, 1).is_ok()))
            })
            .collect();
        limiter.available();
        let taken: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(taken, 2, "there was enough for both");
        assert_eq!(spent + taken + rest(&limiter), BURST);
    });
}

/// A change to a smaller burst beside a thread that spends its lease: what goes out afterwards fits the new burst.
#[test]
fn loom_a_change_ends_leases_for_good() {
    model(|| {
        let (limiter, _) = leasing();
        let hot = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || (0..2).filter(|_| limiter.try_acquire_at(0, 1).is_ok()).count() as u64)
        };
        limiter.change(Rate::per_day(1), 3).unwrap();
        assert_eq!(hot.join().unwrap(), 2, "of the lease, or of the new burst");
        let after = rest(&limiter);
        assert!((1..=3).contains(&after), "{after}");
        assert!(limiter.try_acquire_at(0, 1).is_err(), "no lease is left");
    });
}

/// A reservation that is dropped, beside one who waits for nothing: all tokens are there again.
#[test]
fn loom_a_dropped_reservation_comes_back_whole() {
    model(|| {
        let (limiter, spent) = leasing();
        let held = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || drop(limiter.try_reserve(BURST / 2)))
        };
        let taken = u64::from(limiter.try_acquire_at(0, 1).is_ok());
        held.join().unwrap();
        assert_eq!(taken, 1, "the lease, or what is not held");
        assert_eq!(spent + taken + rest(&limiter), BURST);
    });
}
