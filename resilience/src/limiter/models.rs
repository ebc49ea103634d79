//! The lease and the core under every interleaving: no token is spent twice, and none is lost.
//!
//! Time stands still while the threads run, so what goes out must be what was there; leases were given out before. The asymmetric
//! fence is `fence(SeqCst)` on both sides here (see `asymmetric`); without either half the first three models fail.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{self, Waker},
    time::Duration,
};

use loom::{model, thread};

use super::*;
use crate::ManualClock;

const BURST: u64 = 64;

type Limiter = RateLimiter<ManualClock>;

/// The homes under loom: two of one thread each, and one for all others.
const OWN: usize = 0;
const OTHER: usize = 1;
const SHARED: usize = 2;

/// A limiter of which `home` holds a lease, and how many tokens are gone.
fn leasing(home: usize) -> (Arc<Limiter>, u64) {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().rate(Rate::per_day(1)).burst(BURST).clock(clock.clone());
    let limiter = Arc::new(builder.build().unwrap());
    for _ in 0..2 {
        clock.advance(Duration::from_micros(10));
        limiter.try_acquire_at(home, 1).unwrap();
    }
    assert!(limiter.lock().ledger.any_outstanding(), "the home is hot");
    (limiter, 2)
}

/// What is left, counted by taking it.
fn rest(limiter: &Limiter) -> u64 {
    let rest = limiter.available();
    limiter.try_acquire_at(SHARED, rest).unwrap();
    assert!(limiter.try_acquire_at(SHARED, 1).is_err());
    rest
}

/// Two calls of the hot thread, at its home.
fn hot(limiter: &Arc<Limiter>, home: usize) -> thread::JoinHandle<u64> {
    let limiter = Arc::clone(limiter);
    thread::spawn(move || (0..2).filter(|_| limiter.try_acquire_at(home, 1).is_ok()).count() as u64)
}

#[test]
fn loom_spending_and_taking_back_a_lease_conserve_tokens() {
    for home in [OWN, SHARED] {
        model(move || {
            let (limiter, spent) = leasing(home);
            let hot = hot(&limiter, home);
            let all_but_one = limiter.try_acquire_at(OTHER, BURST - 3).map_or(0, |()| BURST - 3);
            let hot = hot.join().unwrap();
            assert_eq!(spent + hot + all_but_one + rest(&limiter), BURST);
        });
    }
}

/// Whoever asks for what is left ends the lease at any step of the owner's: what was spent is counted once, and there was enough.
#[test]
fn loom_a_spending_while_its_lease_is_ended_is_counted_once() {
    model(|| {
        let (limiter, spent) = leasing(OWN);
        let hot = hot(&limiter, OWN);
        limiter.available();
        let hot = hot.join().unwrap();
        assert_eq!(hot, 2, "there was enough");
        assert_eq!(spent + hot + rest(&limiter), BURST);
    });
}

#[test]
fn loom_two_threads_of_one_home_and_one_who_settles_it() {
    model(|| {
        let (limiter, spent) = leasing(SHARED);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || u64::from(limiter.try_acquire_at(SHARED, 1).is_ok()))
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
        let (limiter, _) = leasing(OWN);
        let hot = hot(&limiter, OWN);
        limiter.change(Rate::per_day(1), 3).unwrap();
        assert_eq!(hot.join().unwrap(), 2, "of the lease, or of the new burst");
        let after = rest(&limiter);
        assert!((1..=3).contains(&after), "{after}");
        assert!(limiter.try_acquire_at(OWN, 1).is_err(), "no lease is left");
    });
}

/// A reservation that is dropped, beside one who waits for nothing: all tokens are there again.
#[test]
fn loom_a_dropped_reservation_comes_back_whole() {
    model(|| {
        let (limiter, spent) = leasing(OWN);
        let held = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || drop(limiter.try_reserve(BURST / 2)))
        };
        let taken = u64::from(limiter.try_acquire_at(OWN, 1).is_ok());
        held.join().unwrap();
        assert_eq!(taken, 1, "the lease, or what is not held");
        assert_eq!(spent + taken + rest(&limiter), BURST);
    });
}

/// One who wants more than is open joins the line while the owner of a lease spends: what the owner has left goes to the line.
#[test]
fn loom_a_waiter_gets_what_a_lease_holds() {
    model(|| {
        let (limiter, spent) = leasing(OWN);
        let hot = hot(&limiter, OWN);
        let mut wait = pin!(limiter.acquire(BURST - 4));
        let ready = wait.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_ready();
        assert!(ready, "two are spent and two more at the most: nothing to wait for");
        let hot = hot.join().unwrap();
        assert_eq!(spent + hot + BURST - 4 + rest(&limiter), BURST);
    });
}
