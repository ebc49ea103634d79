//! What a turn reports: a name with its unit, which way is better, and how rounds become one value.

use super::{Interval, bootstrap_ratio, median};

/// Which of two values is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Times, bytes, counts of faults.
    Less,
    /// Rates.
    More,
    /// A fact beside the others, which is not compared.
    Neither,
}

/// How the values of the rounds become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// The median; ratios are formed within a round.
    Median,
    /// The best of all rounds, and one ratio of the bests: steady on a machine that others disturb, blind to rare slow runs.
    Best,
}

/// One of the values that every turn reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// The head of its column, unit included.
    pub name: &'static str,
    /// Which way is better.
    pub better: Better,
    /// How rounds become one value.
    pub over: Over,
}

impl Figure {
    /// Smaller is better.
    #[must_use]
    pub const fn less(name: &'static str) -> Self {
        Self { name, better: Better::Less, over: Over::Median }
    }

    /// Larger is better.
    #[must_use]
    pub const fn more(name: &'static str) -> Self {
        Self { name, better: Better::More, over: Over::Median }
    }

    /// The smallest of all rounds, smaller being better.
    #[must_use]
    pub const fn least(name: &'static str) -> Self {
        Self { name, better: Better::Less, over: Over::Best }
    }

    /// Not compared.
    #[must_use]
    pub const fn fact(name: &'static str) -> Self {
        Self { name, better: Better::Neither, over: Over::Median }
    }

    /// One value for all rounds.
    ///
    /// # Panics
    /// If there are no rounds.
    #[must_use]
    pub fn value(self, rounds: &[f64]) -> f64 {
        match (self.over, self.better) {
            (Over::Median, _) => median(rounds),
            (Over::Best, Better::More) => rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            (Over::Best, _) => rounds.iter().copied().fold(f64::INFINITY, f64::min),
        }
    }

    /// How many times better the reference is than the other; `None` for what is not compared. `passes` says how many rounds
    /// each pass had.
    ///
    /// # Panics
    /// If there are no rounds, or not as many as the passes had.
    #[must_use]
    pub fn ratio(self, other: &[f64], reference: &[f64], passes: &[usize]) -> Option<Interval> {
        let (above, below) = match self.better {
            Better::Less => (other, reference),
            Better::More => (reference, other),
            Better::Neither => return None,
        };
        Some(match self.over {
            Over::Median => bootstrap_ratio(above, below, passes),
            Over::Best => Interval::exactly(self.value(above) / self.value(below)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_means_that_the_reference_is_better() {
        let (two, one) = ([2.0; 3], [1.0; 3]);
        for (figure, other, reference) in
            [(Figure::less("ms"), two, one), (Figure::more("per s"), one, two), (Figure::least("best ms"), two, one)]
        {
            assert_eq!(figure.ratio(&other, &reference, &[3]), Some(Interval::exactly(2.0)), "{figure:?}");
        }
        assert_eq!(Figure::fact("threads").ratio(&two, &one, &[3]), None);
    }

    #[test]
    fn rounds_become_a_median_or_the_best() {
        let rounds = [3.0, 1.0, 8.0];
        assert_eq!((Figure::less("ms").value(&rounds), Figure::least("ms").value(&rounds)), (3.0, 1.0));
        let best = Figure { over: Over::Best, ..Figure::more("per s") };
        assert_eq!(best.value(&rounds), 8.0);
    }
}
