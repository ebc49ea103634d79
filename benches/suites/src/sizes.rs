//! What `--scale` lets grow beside operations: keys, values, queues and timers.

use std::hint::black_box;

use benches::{Bench, Case, Lap, board::Growth};
use governor::{DefaultKeyedRateLimiter, Quota};
use tidemill::resilience::{KeyedRateLimiter, Rate};

use crate::{cache, channels, timers};

pub(crate) const GROWTHS: &[Growth] = &[
    Growth { row: "keyed", unit: "keys", sizes: [1_000, 10_000, 100_000], bench: keyed },
    Growth { row: "cache", unit: "values", sizes: [1_000, 10_000, 100_000], bench: cached },
    Growth { row: "channels", unit: "messages that wait", sizes: [100, 1_000, 10_000], bench: channels::queue },
    Growth { row: "timers", unit: "timers", sizes: [1_000, 10_000, 100_000], bench: timers::dropped },
];

/// From key to key; prime to their number, so that all have their turn and no two neighbours follow each other.
const STRIDE: u64 = 7_919;

const PLENTY: u32 = 1_000_000_000;

fn cached(values: u64) -> Bench {
    cache::found(values, 1)
}

fn keyed(keys: u64) -> Bench {
    let rate = || Rate::per_second(PLENTY.into());
    let cases = vec![
        over(keys, "tidemill", move || {
            let limiter = KeyedRateLimiter::builder().rate(rate()).burst(PLENTY.into()).max_keys(keys as usize);
            let limiter = limiter.build().expect("the options are valid");
            move |key: &u64| limiter.try_acquire(key, 1).is_ok()
        }),
        over(keys, "governor, DashMap", || {
            let plenty = std::num::NonZeroU32::new(PLENTY).expect("not zero");
            let limiter = DefaultKeyedRateLimiter::<u64>::keyed(Quota::per_second(plenty).allow_burst(plenty));
            move |key: &u64| limiter.check_key(key).is_ok()
        }),
    ];
    Bench::counted(format!("{keys} keys"), 200_000, cases)
}

fn over<F: Fn(&u64) -> bool + 'static>(keys: u64, name: &'static str, start: impl Fn() -> F + 'static) -> Case {
    Case::new(name, move || {
        let allows = start();
        let ask = move |i: u64| u64::from(allows(&black_box(i.wrapping_mul(STRIDE) % keys)));
        move |ops| Lap::of(|| (0..ops).map(&ask).sum())
    })
}
