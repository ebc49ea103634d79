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

/// Key 1 is hot and has spent four tokens.
fn leasing() -> Arc<Limiter> {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_day(1)).burst(BURST).max_keys(1);
    let limiter = builder.hasher(BuildHasherDefault::default()).clock(clock.clone()).build().unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_millis(1));
        limiter.try_acquire(&1, 1).unwrap();
    }
    assert!(limiter.table.spend(limiter.spot(&1), 2), "from the lease");
    Arc::new(limiter)
}

#[test]
fn loom_what_a_key_spends_while_it_is_evicted_is_remembered() {
    model(|| {
        let limiter = leasing();
        let hot = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || (0..2).filter(|_| limiter.try_acquire(&1, 1).is_ok()).count() as u64)
        };
        for key in 2..=3 {
            limiter.try_acquire(&key, 60).unwrap_or_default();
        }
        let hot = hot.join().unwrap();
        // Whoever has its way now, it gets no more than it had left.
        let rest = limiter.available(&1);
        assert!(4 + hot + rest <= BURST, "{hot} and {rest} after four of {BURST}");
    });
}

#[test]
fn loom_two_threads_on_one_key_spend_each_token_once() {
    model(|| {
        let limiter = leasing();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || u64::from(limiter.try_acquire(&1, 3).is_ok()) * 3)
            })
            .collect();
        let taken: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(4 + taken + limiter.available(&1), BURST);
    });
}
