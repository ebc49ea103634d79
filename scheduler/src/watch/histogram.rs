//! Durations in log-linear buckets: eight to each power of two, so that a bucket is an eighth of its value wide.
//!
//! Each histogram has one writer, a machine, which counts with a plain load and store. A reader adds up those of all
//! machines. It may see a duration in the count and not yet in the sum; nothing worse.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of a power of two, as a power of two.
const SUB_BITS: u32 = 3;
const SUBS: u64 = 1 << SUB_BITS;

/// The last power of two: what is longer than two minutes is counted as two minutes.
const LAST_BIT: u32 = 36;
const BUCKETS: usize = ((LAST_BIT - SUB_BITS + 2) as usize) << SUB_BITS;

/// The bucket of a value: below 8 its own, above by its highest bit and the three that follow.
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

/// What one machine counts.
#[derive(Debug)]
pub(crate) struct Tally {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

impl Tally {
    /// Counts a duration. By the owner only. Relaxed: the numbers stand for themselves.
    pub(crate) fn record(&self, nanos: u64) {
        let add = |to: &AtomicU64, n: u64| to.store(to.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
        add(&self.buckets[bucket(nanos)], 1);
        add(&self.sum, nanos);
        if nanos > self.max.load(Ordering::Relaxed) {
            self.max.store(nanos, Ordering::Relaxed);
        }
    }
}

/// How long something took, sampled: how often which duration was seen, to about 6 %.
///
/// From [`Handle::poll_times`](crate::Handle::poll_times) and [`Handle::latencies`](crate::Handle::latencies). The count,
/// the mean and the maximum are of the samples and exact.
///
/// ```
/// # let rt = tidemill_scheduler::Runtime::new()?;
/// let latencies = rt.handle().latencies();
/// println!("{latencies}");
/// assert!(latencies.quantile(0.5) <= latencies.quantile(0.99));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    /// The sum of what `tallies` hold now.
    pub(crate) fn of<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Self {
        let mut all = Self { counts: vec![0; BUCKETS], count: 0, sum: 0, max: 0 };
        for tally in tallies {
            for (to, from) in all.counts.iter_mut().zip(&tally.buckets) {
                let n = from.load(Ordering::Relaxed);
                *to += n;
                all.count += n;
            }
            all.sum = all.sum.wrapping_add(tally.sum.load(Ordering::Relaxed));
            all.max = all.max.max(tally.max.load(Ordering::Relaxed));
        }
        all
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

    /// The duration that the share `q` of the samples does not exceed, to about 6 %: the middle of its bucket. `q` is
    /// from 0 to 1, and taken as the nearest of them if it is not. Zero without samples.
    pub fn quantile(&self, q: f64) -> Duration {
        if q >= 1.0 {
            return self.max();
        }
        let rank = ((q.max(0.0) * self.count as f64).ceil() as u64).max(1);
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

impl fmt::Display for Histogram {
    /// One line: `n=61 mean=1.2µs p50=1.1µs p99=3.5µs p99.9=3.5µs max=3.6µs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| self.quantile(q));
        let (n, mean, max) = (self.count, self.mean(), self.max());
        write!(f, "n={n} mean={mean:?} p50={p50:?} p99={p99:?} p99.9={p999:?} max={max:?}")
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram {
        let tally = Tally::default();
        values.into_iter().for_each(|nanos| tally.record(nanos));
        Histogram::of([&tally].into_iter())
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        assert_eq!(floor(0), 0);
        for this in 0..BUCKETS {
            let (from, to) = (floor(this), floor(this + 1) - 1);
            assert_eq!((bucket(from), bucket(to)), (this, this), "bucket {this} is {from} to {to}");
            assert!((to - from) as f64 <= from as f64 / 8.0, "bucket {this} is {from} to {to}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_near_the_exact_ones() {
        let all = histogram(1..=10_000);
        for (q, exact) in [(0.0, 1.0), (0.5, 5_000.0), (0.9, 9_000.0), (0.99, 9_900.0), (0.9999, 9_999.0)] {
            let got = all.quantile(q).as_nanos() as f64;
            assert!((got / exact - 1.0).abs() < 0.0625, "q={q}: {got} for {exact}");
        }
        assert_eq!((all.count(), all.max().as_nanos(), all.mean().as_nanos()), (10_000, 10_000, 5_000));
        assert_eq!(all.quantile(1.0), all.max());
        assert_eq!((all.quantile(-1.0), all.quantile(2.0)), (all.quantile(0.0), all.max()));
        assert_eq!(all.buckets().map(|(_, n)| n).sum::<u64>(), 10_000);
    }

    #[test]
    fn several_machines_are_added_up() {
        let tallies = [Tally::default(), Tally::default()];
        tallies[0].record(100);
        tallies[1].record(300);
        let both = Histogram::of(tallies.iter());
        assert_eq!((both.count(), both.mean().as_nanos(), both.max().as_nanos()), (2, 200, 300));
        assert_eq!(both, histogram([300, 100]));
    }

    #[test]
    fn nothing_and_one_value_are_no_special_cases() {
        let none = histogram([]);
        assert_eq!((none.count(), none.mean(), none.quantile(0.5), none.max()), Default::default());
        let one = histogram([1_000]);
        assert_eq!(one.to_string(), "n=1 mean=1µs p50=991ns p99=991ns p99.9=991ns max=1µs");
        // Past the last bucket the maximum and the mean still say it.
        let long = histogram([u64::from(u32::MAX) << 16]);
        assert_eq!(long.max(), long.mean());
    }
}
