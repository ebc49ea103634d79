//! Medians and their uncertainty.

use fastrand::Rng;

/// Resamples per interval: the 2.5 % quantile of 2,000 has fifty values below it, enough for two digits.
const RESAMPLES: usize = 2_000;

/// Fixed, so that equal samples print equal intervals.
const SEED: u64 = 0x7469_6465;

/// A median with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// The median of the sample.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// A value without a width.
    #[must_use]
    pub const fn exactly(value: f64) -> Self {
        Self { median: value, low: value, high: value }
    }
}

/// The median of `values`; of an even number, the mean of the middle two.
///
/// # Panics
/// If `values` is empty.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "the median of nothing");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mid = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[mid] } else { f64::midpoint(sorted[mid - 1], sorted[mid]) }
}

/// The median of `peer[i] / reference[i]`, where both of a pair were measured in the same round.
///
/// # Panics
/// If there are no rounds.
#[must_use]
pub fn bootstrap_ratio(peer: &[f64], reference: &[f64]) -> Interval {
    let ratios: Vec<f64> = peer.iter().zip(reference).map(|(p, r)| p / r).collect();
    let mut rng = Rng::with_seed(SEED);
    let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| median(&resample(&ratios, &mut rng))).collect();
    medians.sort_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    Interval { median: median(&ratios), low: medians[tail], high: medians[RESAMPLES - 1 - tail] }
}

/// As many values as there are, drawn with replacement.
fn resample(values: &[f64], rng: &mut Rng) -> Vec<f64> {
    values.iter().map(|_| values[rng.usize(..values.len())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [(&[3.0][..], 3.0), (&[4.0, 1.0][..], 2.5), (&[9.0, 1.0, 2.0][..], 2.0)] {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_constant_ratio_has_no_width() {
        let ratio = bootstrap_ratio(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0]);
        assert_eq!(ratio, Interval { median: 2.0, low: 2.0, high: 2.0 });
    }

    #[test]
    fn drift_shared_by_both_sides_cancels() {
        let drift: Vec<f64> = (1..=20).map(f64::from).collect();
        let peer: Vec<f64> = drift.iter().map(|t| t * 1.5).collect();
        assert_eq!(bootstrap_ratio(&peer, &drift).median, 1.5);
    }

    #[test]
    fn the_interval_holds_the_median_and_widens_with_noise() {
        let reference = [1.0; 12];
        let calm: Vec<f64> = (0..12).map(|i| 2.0 + f64::from(i) * 0.001).collect();
        let wild: Vec<f64> = (0..12).map(|i| 2.0 + f64::from(i) * 0.1).collect();
        let width = |peer: &[f64]| {
            let ratio = bootstrap_ratio(peer, &reference);
            assert!(ratio.low <= ratio.median && ratio.median <= ratio.high, "{ratio:?}");
            ratio.high - ratio.low
        };
        assert!(width(&wild) > 10.0 * width(&calm));
    }
}
