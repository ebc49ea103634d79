//! Durations in log-linear buckets, four to each power of two, so that a bucket is at most a quarter of its value wide.
//!
//! Each worker has its own and is its only writer, so a sample is a few plain loads and stores; a reader adds them up.
//! Rejected: `hdrhistogram` (one behind a lock per worker, or a thread of its own that collects).

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Buckets of a power of two, as a power of two.
const SUB_BITS: u32 = 2;
const SUBS: u64 = 1 << SUB_BITS;
/// What is longer than about eighteen minutes is counted as that.
const LAST_BIT: u32 = 39;
const BUCKETS: usize = ((LAST_BIT - SUB_BITS + 2) as usize) << SUB_BITS;

/// The bucket of a value: below [`SUBS`] its own, above by its highest bit and the two that follow.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << (LAST_BIT + 1)) - 1);
    if nanos < SUBS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - SUB_BITS;
    (u64::from(shift) * SUBS + (nanos >> shift)) as usize
}

/// The smallest value of a bucket.
fn floor(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUBS {
        return bucket;
    }
    (bucket % SUBS + SUBS) << (bucket / SUBS - 1)
}

/// What one worker counts.
#[derive(Debug)]
pub(super) struct Samples {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Samples {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], sum: AtomicU64::new(0), max: AtomicU64::new(0) }
    }
}

impl Samples {
    /// Counts a duration; by the owner only. Relaxed: the numbers stand for themselves.
    pub(super) fn record(&self, nanos: u64) {
        let add = |to: &AtomicU64, n: u64| to.store(to.load(Relaxed).wrapping_add(n), Relaxed);
        add(&self.buckets[bucket(nanos)], 1);
        add(&self.sum, nanos);
        self.max.store(self.max.load(Relaxed).max(nanos), Relaxed);
    }
}

/// How long something took, of one job in 64: how often which duration was seen, to about 12 %.
///
/// From [`WorkerPool::waits`](crate::WorkerPool::waits) and [`WorkerPool::runs`](crate::WorkerPool::runs). The count, the
/// mean and the maximum are of the samples and exact.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = tidemill_pools::WorkerPool::builder().build(|n: u32| async move { n })?;
/// pool.submit_batch(0..128).await?.await;
///
/// let waits = pool.waits();
/// println!("in the queue: half within {:?}, the longest {:?}", waits.quantile(0.5), waits.max());
/// assert_eq!(waits.count(), 2); // of 128 jobs
/// assert!(waits.quantile(0.5) <= waits.max());
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Durations {
    counts: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Durations {
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Samples>) -> Self {
        let mut total = Self { counts: vec![0; BUCKETS], count: 0, sum: 0, max: 0 };
        for samples in all {
            for (to, from) in total.counts.iter_mut().zip(&samples.buckets) {
                let n = from.load(Relaxed);
                *to += n;
                total.count += n;
            }
            total.sum = total.sum.wrapping_add(samples.sum.load(Relaxed));
            total.max = total.max.max(samples.max.load(Relaxed));
        }
        total
    }

    /// Samples counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The mean; zero without samples.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum.checked_div(self.count).unwrap_or(0))
    }

    /// The duration that the share `q` (0 to 1) of the samples does not exceed, as the middle of its bucket; zero without
    /// samples.
    pub fn quantile(&self, q: f64) -> Duration {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|n| {
            seen += n;
            seen >= rank
        });
        let middle = reached.map_or(0, |bucket| floor(bucket).midpoint(floor(bucket + 1) - 1));
        Duration::from_nanos(middle.min(self.max))
    }

    /// The buckets that are not empty, shortest first: the longest duration that falls in, and how many did.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let some = self.counts.iter().enumerate().filter(|(_, n)| **n != 0);
        some.map(|(bucket, n)| (Duration::from_nanos(floor(bucket + 1) - 1), *n))
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = [0.5, 0.99].map(|q| self.quantile(q));
        let (n, mean, max) = (self.count, self.mean(), self.max());
        write!(f, "Durations(n={n} mean={mean:?} p50={p50:?} p99={p99:?} max={max:?})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for this in 0..BUCKETS {
            let (from, to) = (floor(this), floor(this + 1) - 1);
            assert_eq!((bucket(from), bucket(to)), (this, this), "bucket {this} is {from} to {to}");
            assert!((to - from) as f64 <= from as f64 / 4.0, "bucket {this} is {from} to {to}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_near_the_exact_ones() {
        let halves = [Samples::default(), Samples::default()];
        (1..=10_000).for_each(|nanos| halves[nanos as usize % 2].record(nanos));
        let all = Durations::of(halves.iter());
        for (q, exact) in [(0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0)] {
            let got = all.quantile(q).as_nanos() as f64;
            assert!((got / exact - 1.0).abs() < 0.125, "q={q}: {got} for {exact}");
        }
        assert_eq!((all.count(), all.max().as_nanos(), all.mean().as_nanos()), (10_000, 10_000, 5_000));
        assert_eq!(all.buckets().map(|(_, n)| n).sum::<u64>(), 10_000);
        let none = Durations::of([].into_iter());
        assert_eq!((none.count(), none.mean(), none.quantile(0.5), none.max()), Default::default());
    }
}
