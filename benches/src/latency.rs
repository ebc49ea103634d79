//! Latencies, to three digits.

use std::{io, time::Duration};

use hdrhistogram::Histogram;

const DIGITS: u8 = 3;

/// How often each latency occurred.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    pub(crate) fn none() -> Self {
        Self(Histogram::new(DIGITS).expect("three digits are allowed"))
    }

    /// Adds one.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.record(latency.as_nanos() as u64).expect("the histogram grows to any 64 bits");
    }

    /// Adds all of another.
    ///
    /// # Errors
    /// They do not fit.
    pub(crate) fn merge(&mut self, other: &Self) -> io::Result<()> {
        self.0.add(&other.0).map_err(io::Error::other)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that this share of all does not exceed, in microseconds.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_microseconds() {
        let (mut all, mut slow) = (Latencies::none(), Latencies::none());
        (1..=1_000).for_each(|us| all.record(Duration::from_micros(us)));
        assert!((all.micros(0.5) - 500.0).abs() < 1.0 && (all.micros(0.99) - 990.0).abs() < 2.0, "{all:?}");
        (0..3_000).for_each(|_| slow.record(Duration::from_secs(1)));
        assert!(all.merge(&slow).is_ok_and(|()| all.count() == 4_000));
        assert!((all.micros(0.5) / 1e6 - 1.0).abs() < 0.001, "{all:?}");
    }
}
