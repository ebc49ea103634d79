//! Rate limiters with a bucket for each key.

use std::{hint::black_box, num::NonZeroU32};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use governor::{DefaultKeyedRateLimiter, Quota};
use tidemill::resilience::{KeyedRateLimiter, Rate};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "keyed",
    measures: "asking for one of 10,000 keys after the other, always allowed; one thread, and two",
    leaves_out: "keys that are new, and memory under a flood of keys (the tests of resilience do that)",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const KEYS: u64 = 10_000;

/// From key to key; prime to their number, so that all have their turn and no two neighbours follow each other.
const STRIDE: u64 = 7_919;

const PLENTY: u32 = 1_000_000_000;

/// What the workload needs from a limiter.
trait Keyed: Sync + 'static {
    fn generous() -> Self;
    fn allows(&self, key: u64) -> bool;
}

fn benches() -> Vec<Bench> {
    [1, 2].map(bench).into()
}

fn bench(threads: u64) -> Bench {
    let cases = vec![
        case::<KeyedRateLimiter<u64>>("tidemill", threads),
        case::<DefaultKeyedRateLimiter<u64>>("governor, DashMap", threads),
        Case::floor("floor: an atomic write by index", move || {
            let words: Vec<_> = (0..KEYS).map(|_| std::sync::atomic::AtomicU64::new(0)).collect();
            // Relaxed: what it costs does not depend on it here.
            let ask = move |key: u64| words[key as usize].fetch_add(1, std::sync::atomic::Ordering::Relaxed) < u64::MAX;
            move |ops| Lap::on_threads(threads, ops, |part| over_keys(part, &ask))
        }),
    ];
    Bench::counted(format!("10,000 keys, {threads} thread(s)"), 200_000, cases)
}

fn case<L: Keyed>(name: &'static str, threads: u64) -> Case {
    Case::new(name, move || {
        let limiter = L::generous();
        move |ops| Lap::on_threads(threads, ops, |part| over_keys(part, |key| limiter.allows(key)))
    })
}

fn over_keys(ops: u64, allows: impl Fn(u64) -> bool) -> u64 {
    (0..ops).map(|i| u64::from(allows(black_box(i.wrapping_mul(STRIDE) % KEYS)))).sum()
}

impl Keyed for KeyedRateLimiter<u64> {
    fn generous() -> Self {
        let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(PLENTY.into())).burst(PLENTY.into());
        builder.max_keys(KEYS as usize).build().expect("the options are valid")
    }

    fn allows(&self, key: u64) -> bool {
        self.try_acquire(&key, 1).is_ok()
    }
}

impl Keyed for DefaultKeyedRateLimiter<u64> {
    fn generous() -> Self {
        let plenty = NonZeroU32::new(PLENTY).expect("not zero");
        Self::keyed(Quota::per_second(plenty).allow_burst(plenty))
    }

    fn allows(&self, key: u64) -> bool {
        self.check_key(&key).is_ok()
    }
}
