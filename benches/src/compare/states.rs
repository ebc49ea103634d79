//! Ratios that fall into two groups: the machine, or a library, has two states.
//!
//! Sorted, they have one gap that is much wider than the rest. Then the median lies in the larger group or between both,
//! and a run that meets one state more often than another run did moves it across the gap: so the groups are told, not only it.

use super::median;

/// Ratios of two states differ by more than this factor.
const APART: f64 = 1.5;

/// ... and the gap is so many times as wide as the spread of either group.
const TIMES: f64 = 1.5;

/// Fewer rounds are outliers, not a state.
const LEAST: usize = 2;

/// Rounds that lie together.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Group {
    /// Their median.
    pub ratio: f64,
    /// How many they are.
    pub rounds: usize,
}

/// The two groups of `ratios`, the lower one first, if there are two.
#[must_use]
pub fn two_groups(ratios: &[f64]) -> Option<[Group; 2]> {
    if ratios.len() < 2 * LEAST || !ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0) {
        return None;
    }
    let mut sorted = ratios.to_vec();
    sorted.sort_by(f64::total_cmp);
    let gap = |at: usize| sorted[at] / sorted[at - 1];
    let at = (LEAST..=sorted.len() - LEAST).max_by(|a, b| gap(*a).total_cmp(&gap(*b)))?;
    let (low, high) = sorted.split_at(at);
    let spread = |group: &[f64]| (group[group.len() - 1] / group[0]).ln();
    let wide = gap(at).ln();
    let apart = wide > APART.ln() && wide > TIMES * spread(low).max(spread(high));
    let group = |group: &[f64]| Group { ratio: median(group), rounds: group.len() };
    apart.then(|| [group(low), group(high)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ratios_with_a_gap_are_two_groups() {
        let group = |ratio, rounds| Group { ratio, rounds };
        for (ratios, expected) in [
            (&[0.3, 0.9, 0.31, 0.95, 0.32][..], Some([group(0.31, 3), group(0.925, 2)])),
            (&[0.3, 0.5, 0.7, 0.9, 1.1], None),
            (&[1.0, 1.01, 1.02, 9.0], None),
            (&[1.0, 1.01, 1.2, 1.21], None),
            (&[1.0, 9.0], None),
            (&[1.0, f64::NAN, 9.0, 9.0], None),
            (&[], None),
        ] {
            assert_eq!(two_groups(ratios), expected, "{ratios:?}");
        }
    }
}
