//! Medians and their uncertainty.
//!
//! Rounds that follow each other share a state of the machine, so a bootstrap that draws single rounds is too sure of itself:
//! it knows how much rounds differ within a minute, not how much the next run will. Hence it draws *blocks*: the rounds of one
//! pass over the board belong together, and the passes are minutes apart. With one pass only, each round is a block.
//!
//! Of five blocks or fewer, the 95 % quantiles of the drawn medians are the least and the largest block. The true
//! median lies between those of five blocks 94 times in a hundred, but between those of three only 75 times, so with fewer
//! blocks the interval is [widened](WIDER) to what Student's would be.

use fastrand::Rng;

/// Resamples per interval: the 2.5 % quantile of 2,000 has fifty values below it, enough for two digits.
const RESAMPLES: usize = 2_000;

/// Fixed, so that equal samples print equal intervals.
const SEED: u64 = 0x7469_6465;

/// How much wider Student's 95 % interval is than the range of 2, 3, 4 and 5 values, in the mean over normal samples.
const WIDER: [f64; 4] = [12.7, 2.9, 1.55, 1.07];

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

    /// So many times as wide, as a ratio: 2 [1 .. 4] becomes 2 [0.5 .. 8] if it is twice as wide.
    fn widened(self, times: f64) -> Self {
        let Self { median, low, high } = self;
        let away = |end: f64| median * (end / median).powf(times);
        // Nothing divided by nothing has no width.
        if low > 0.0 && high.is_finite() { Self { median, low: away(low), high: away(high) } } else { self }
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

/// The median of `peer[i] / reference[i]`, where both of a pair were measured in the same round, and `passes` says how many rounds
/// each pass had.
///
/// # Panics
/// If there are no rounds, or not as many as the passes had.
#[must_use]
pub fn bootstrap_ratio(peer: &[f64], reference: &[f64], passes: &[usize]) -> Interval {
    let ratios: Vec<f64> = peer.iter().zip(reference).map(|(p, r)| p / r).collect();
    let blocks = blocks(&ratios, passes);
    let mut rng = Rng::with_seed(SEED);
    let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| median(&resample(&blocks, &mut rng))).collect();
    medians.sort_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    let interval = Interval { median: median(&ratios), low: medians[tail], high: medians[RESAMPLES - 1 - tail] };
    let times = blocks.len().checked_sub(2).and_then(|i| WIDER.get(i));
    interval.widened(times.copied().unwrap_or(1.0))
}

/// What belongs together.
fn blocks<'a>(ratios: &'a [f64], passes: &[usize]) -> Vec<&'a [f64]> {
    if passes.len() < 2 {
        return ratios.chunks(1).collect();
    }
    assert_eq!(passes.iter().sum::<usize>(), ratios.len(), "every round belongs to a pass");
    let mut left = ratios;
    let mut next = |rounds: &usize| {
        let (block, rest) = left.split_at(*rounds);
        left = rest;
        block
    };
    passes.iter().map(&mut next).filter(|block| !block.is_empty()).collect()
}

/// As many blocks as there are, drawn with replacement, and of each as many values as it has.
fn resample(blocks: &[&[f64]], rng: &mut Rng) -> Vec<f64> {
    let mut drawn = Vec::new();
    for _ in blocks {
        let block = blocks[rng.usize(..blocks.len())];
        drawn.extend(block.iter().map(|_| block[rng.usize(..block.len())]));
    }
    drawn
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
        let ratio = bootstrap_ratio(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0], &[3]);
        assert_eq!(ratio, Interval { median: 2.0, low: 2.0, high: 2.0 });
    }

    #[test]
    fn drift_shared_by_both_sides_cancels() {
        let drift: Vec<f64> = (1..=20).map(f64::from).collect();
        let peer: Vec<f64> = drift.iter().map(|t| t * 1.5).collect();
        assert_eq!(bootstrap_ratio(&peer, &drift, &[20]).median, 1.5);
    }

    #[test]
    fn the_interval_holds_the_median_and_widens_with_noise() {
        let reference = [1.0; 12];
        let calm: Vec<f64> = (0..12).map(|i| 2.0 + f64::from(i) * 0.001).collect();
        let wild: Vec<f64> = (0..12).map(|i| 2.0 + f64::from(i) * 0.1).collect();
        let width = |peer: &[f64]| {
            let ratio = bootstrap_ratio(peer, &reference, &[12]);
            assert!(ratio.low <= ratio.median && ratio.median <= ratio.high, "{ratio:?}");
            ratio.high - ratio.low
        };
        assert!(width(&wild) > 10.0 * width(&calm));
    }

    #[test]
    fn passes_that_differ_are_seen_however_many_rounds_they_have() {
        // Three states of the machine, ten rounds in each: as thirty rounds of their own they would look sure.
        let state = |i: u32| f64::from(1 + i / 10) + f64::from(i % 10) * 0.001;
        let ratios: Vec<f64> = (0..30).map(state).collect();
        let (alone, together) =
            (bootstrap_ratio(&ratios, &[1.0; 30], &[30]), bootstrap_ratio(&ratios, &[1.0; 30], &[10, 10, 10]));
        assert!(together.low < 1.0 && together.high > 3.0, "{together:?}");
        assert!(alone.high - alone.low < together.high - together.low, "{alone:?}");
    }

    #[test]
    fn few_rounds_are_less_sure_than_their_range() {
        let range = |ratios: &[f64]| bootstrap_ratio(ratios, &vec![1.0; ratios.len()], &[ratios.len()]);
        let (three, five) = (range(&[1.0, 2.0, 4.0]), range(&[1.0, 2.0, 2.0, 2.0, 4.0]));
        assert!(three.low < 0.5 && three.high > 8.0, "{three:?}");
        assert!(five.low > 0.9 && five.high < 4.4, "{five:?}");
        assert_eq!(range(&[3.0]), Interval::exactly(3.0));
    }

    /// Of 400 runs of five passes whose ratios scatter around 2, how many intervals hold it.
    #[test]
    fn nine_intervals_in_ten_hold_the_truth() {
        let mut rng = Rng::with_seed(7);
        let mut normal = move || (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let mut holds = |passes: &[usize]| {
            let ratio = |pass: f64, round: f64| 2.0 * (0.05 * pass + 0.02 * round).exp();
            let mut ratios = Vec::new();
            for &rounds in passes {
                let pass = normal();
                ratios.extend((0..rounds).map(|_| ratio(pass, normal())));
            }
            let ones = vec![1.0; ratios.len()];
            let Interval { low, high, .. } = bootstrap_ratio(&ratios, &ones, passes);
            low <= 2.0 && 2.0 <= high
        };
        for passes in [&[1; 5][..], &[3; 5], &[4; 3], &[2; 8]] {
            let held = (0..400).filter(|_| holds(passes)).count();
            assert!(held >= 360, "{held} of 400 with {passes:?}");
        }
    }
}
