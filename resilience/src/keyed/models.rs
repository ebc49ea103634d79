//! A set of two ways under every interleaving: what a key spends from its lease is charged, though others take its way.
#![allow(clippy::unwrap_used)]

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    time::Duration,
};

use loom::{model, thread};

use super::*;
use crate::ManualClock;

const BURST: u64 = 64;

/// Keys are their own hashes, in one set.
#[derive(Default)]
struct Own(u64);

impl Hasher for Own {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Limiter = KeyedRateLimiter<u64, ManualClock, BuildHasherDefault<Own>>;

/// What key 1 has spent when the threads begin.
const SPENT: u64 = 8;

/// Key 1 is hot, at a front or at the word of its set, and has a lease of four tokens left.
fn leasing(front: Option<usize>) -> Arc<Limiter> {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_day(1)).burst(BURST).max_keys(1);
    let limiter = builder.hasher(BuildHasherDefault::default()).clock(clock.clone()).build().unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_millis(1));
        limiter.try_acquire_at(front, &1, 3).unwrap();
    }
    assert!(limiter.table.spend(front, limiter.spot(&1), 2), "from the lease");
    Arc::new(limiter)
}

/// Two calls of the thread at `front`.
fn hot(limiter: &Arc<Limiter>, front: Option<usize>) -> thread::JoinHandle<u64> {
    let limiter = Arc::clone(limiter);
    thread::spawn(move || (0..2).filter(|_| limiter.try_acquire_at(front, &1, 1).is_ok()).count() as u64)
}

/// Where leases are: at a front, or at the word.
const PLACES: [Option<usize>; 2] = [Some(0), None];

#[test]
fn loom_what_a_key_spends_while_it_is_evicted_is_remembered() {
    for front in PLACES {
        model(move || {
            let limiter = leasing(front);
            let hot = hot(&limiter, front);
            for key in 2..=3 {
                limiter.try_acquire(&key, 60).unwrap_or_default();
            }
            let hot = hot.join().unwrap();
            // Whoever has its way now, it gets no more than it had left.
            let rest = limiter.available(&1);
            assert!(SPENT + hot + rest <= BURST, "{hot} and {rest} after {SPENT} of {BURST}");
        });
    }
}

/// One takes what the other's lease leaves over, while that one spends: each token goes once, and all can be had.
#[test]
fn loom_a_lease_is_taken_back_while_it_is_spent() {
    for front in PLACES {
        model(move || {
            let limiter = leasing(front);
            let hot = hot(&limiter, front);
            let all_but_one = BURST - SPENT - 1;
            let taken = limiter.try_acquire_at(Some(1), &1, all_but_one).map_or(0, |()| all_but_one);
            let hot = hot.join().unwrap();
            assert_eq!(SPENT + hot + taken + limiter.available(&1), BURST);
            assert!(hot == 2 || taken > 0, "refused, though there was enough for one of the two");
        });
    }
}

/// A change to a smaller burst: what goes out afterwards fits it.
#[test]
fn loom_a_change_ends_the_leases_of_a_key() {
    for front in PLACES {
        model(move || {
            let limiter = leasing(front);
            let hot = hot(&limiter, front);
            limiter.change(0, Rate::per_day(1), 3).unwrap();
            assert_eq!(hot.join().unwrap(), 2, "of the lease, or of the new burst");
            let after = limiter.available(&1);
            assert!((1..=3).contains(&after), "{after}");
            assert!(!limiter.table.spend(front, limiter.spot(&1), 1), "no lease is left");
        });
    }
}

#[test]
fn loom_two_threads_on_one_key_spend_each_token_once() {
    model(|| {
        let limiter = leasing(None);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || u64::from(limiter.try_acquire(&1, 3).is_ok()) * 3)
            })
            .collect();
        let taken: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(SPENT + taken + limiter.available(&1), BURST);
    });
}
