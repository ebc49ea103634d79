//! A quantile of recent latencies, for two atomic additions per sample and one load per question.
//!
//! Samples fall into buckets that grow with the latency, eight to each doubling, so that the answer (the upper edge of its
//! bucket) is at most an eighth too high. Every [`UPDATE`] samples whoever recorded the last of them walks the buckets and
//! stores the answer; every [`WINDOW`] samples he halves them first, so that a sample counts half after a window, a quarter
//! after two: what was long ago fades without a clock and without a list of samples.
//!
//! All orderings are `Relaxed`: buckets are independent counts, and an answer that misses the samples of the last microsecond is
//! as good. Two threads that halve at once could only meet if one slept through a whole window; each bucket is halved by
//! compare-and-swap, so even then no count falls below zero.
//!
//! Rejected: one moving estimate nudged up and down (one word, yet after a change of latency it needs hundreds of samples times
//! the ratio); two histograms behind a lock that take turns (tower); a lock around a digest.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Samples between two looks at the buckets: a walk costs about as much as a few samples.
const UPDATE: u32 = 32;

/// Samples until old ones count half. A quantile of 99 % then rests on ten samples above it.
const WINDOW: u32 = 1024;

/// Buckets to each doubling: 2^3.
const SUB_BITS: u32 = 3;

/// Nothing longer is told apart: 2^43 ns is over two hours.
const MAX_BITS: u32 = 43;

const BUCKETS: usize = ((MAX_BITS - SUB_BITS + 1) << SUB_BITS) as usize;

/// A moving quantile.
#[derive(Debug)]
pub(super) struct Quantile {
    /// In thousandths.
    rank: u32,
    buckets: Box<[AtomicU32]>,
    samples: AtomicU32,
    /// The answer in nanoseconds; zero before the first.
    current: AtomicU64,
}

impl Quantile {
    /// The quantile of `rank` thousandths.
    pub(super) fn new(rank: u32) -> Self {
        let buckets = (0..BUCKETS).map(|_| AtomicU32::new(0)).collect();
        Self { rank, buckets, samples: AtomicU32::new(0), current: AtomicU64::new(0) }
    }

    /// The quantile as of the last look; `None` before the first.
    pub(super) fn get(&self) -> Option<Duration> {
        let nanos = self.current.load(Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    pub(super) fn record(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
        let samples = self.samples.fetch_add(1, Relaxed).wrapping_add(1);
        if samples.is_multiple_of(UPDATE) {
            self.update(samples.is_multiple_of(WINDOW));
        }
    }

    #[cold]
    fn update(&self, fade: bool) {
        if fade {
            for bucket in &self.buckets {
                bucket.update(Relaxed, Relaxed, |count| count - count / 2);
            }
        }
        let total: u64 = self.buckets.iter().map(|bucket| u64::from(bucket.load(Relaxed))).sum();
        let wanted = (total * u64::from(self.rank)).div_ceil(1000);
        let mut seen = 0;
        let found = self.buckets.iter().position(|bucket| {
            seen += u64::from(bucket.load(Relaxed));
            seen >= wanted
        });
        self.current.store(upper_edge(found.unwrap_or(BUCKETS - 1)), Relaxed);
    }
}

/// Where `nanos` belongs: below eight each has its own bucket, then eight to each doubling.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << MAX_BITS) - 1);
    let doublings = (u64::BITS - nanos.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let index = (u64::from(doublings) << SUB_BITS) + (nanos >> doublings);
    usize::try_from(index).expect("there are a few hundred")
}

/// The largest latency of a bucket.
fn upper_edge(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket >> SUB_BITS).saturating_sub(1);
    let first = bucket - (doublings << SUB_BITS);
    ((first + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut last = 0;
        for index in 0..BUCKETS {
            let edge = upper_edge(index);
            assert_eq!(bucket(edge), index, "{edge}");
            assert!(index == 0 || bucket(last + 1) == index);
            last = edge;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn an_edge_is_at_most_an_eighth_too_high(nanos in 0u64..1 << MAX_BITS) {
            let edge = upper_edge(bucket(nanos));
            prop_assert!(nanos <= edge && edge - nanos <= nanos / 8);
        }
    }

    #[test]
    fn it_is_near_the_exact_quantile() {
        let mut random = fastrand::Rng::with_seed(7);
        for rank in [500, 900, 950, 990] {
            let quantile = Quantile::new(rank);
            for _ in 0..WINDOW * 4 {
                quantile.record(Duration::from_micros(random.u64(1..=10_000)));
            }
            let (seen, exact) = (quantile.get().unwrap(), Duration::from_micros(u64::from(rank) * 10));
            assert!(seen.abs_diff(exact) < exact / 6, "{rank}: {seen:?} for {exact:?}");
        }
    }

    #[test]
    fn it_says_nothing_before_it_has_seen_something() {
        let quantile = Quantile::new(500);
        for _ in 0..UPDATE - 1 {
            quantile.record(Duration::from_millis(1));
            assert_eq!(quantile.get(), None);
        }
        quantile.record(Duration::from_millis(1));
        assert!(quantile.get().unwrap() >= Duration::from_millis(1));
    }

    /// After a change, two windows are enough to follow, up as well as down.
    #[test]
    fn old_samples_fade() {
        let quantile = Quantile::new(500);
        for (millis, samples) in [(1, 10 * WINDOW), (100, 2 * WINDOW), (1, 2 * WINDOW)] {
            for _ in 0..samples {
                quantile.record(Duration::from_millis(millis));
            }
            let seen = quantile.get().unwrap().as_millis();
            assert!((u128::from(millis)..=u128::from(millis) * 9 / 8).contains(&seen), "{seen} for {millis}");
        }
    }

    #[test]
    fn threads_together_lose_no_sample_and_end_in_order() {
        let quantile = Quantile::new(900);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let quantile = &quantile;
                scope.spawn(move || {
                    for sample in 0..u64::from(WINDOW) {
                        quantile.record(Duration::from_nanos(1 + (thread * 31 + sample * 17) % 1000));
                    }
                });
            }
        });
        let left: u32 = quantile.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        assert!((WINDOW * 3 / 4..=4 * WINDOW).contains(&left), "{left}");
        assert!(quantile.get().unwrap() >= Duration::from_nanos(800));
    }
}
