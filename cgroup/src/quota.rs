//! A CPU quota as an exact fraction, and how it becomes a whole number.
//!
//! `quota_us` of CPU time may be spent in every `period_us` of wall time by all threads together.
//! The fraction is kept as the kernel gave it: two quotas are compared by cross multiplication and
//! rounded in integers, so that 0.1 + 0.2 style surprises cannot add a worker.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;

/// CPU time per period.
///
/// # Example
/// ```
/// if let Some(quota) = tidemill_cgroup::cpu_limit().quota() {
///     println!("{} us every {} us = {quota}", quota.quota_us(), quota.period_us());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    quota_us: u64,
    period_us: NonZeroU64,
}

/// How a fraction of a CPU becomes a number of workers.
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use tidemill_cgroup::{Rounding, cpu_limit};
///
/// let limit = cpu_limit();
/// let [low, high] = [Rounding::Floor, Rounding::Ceil].map(|r| limit.procs(r, NonZeroUsize::MIN));
/// assert!(low <= high);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Up: the whole quota can be used; a saturated process is throttled a little.
    #[default]
    Ceil,
    /// Down: never throttled by its own workers; the fraction stays unused.
    Floor,
    /// To the nearest, halves up.
    Round,
}

impl Quota {
    pub(crate) fn new(quota_us: u64, period_us: NonZeroU64) -> Self {
        Self { quota_us, period_us }
    }

    /// CPU time that may be used in each period, in microseconds.
    #[must_use]
    pub fn quota_us(self) -> u64 {
        self.quota_us
    }

    /// Length of a period, in microseconds.
    #[must_use]
    pub fn period_us(self) -> NonZeroU64 {
        self.period_us
    }

    /// The quota in CPUs: 1.5 is one and a half.
    #[must_use]
    pub fn cpus(self) -> f64 {
        self.quota_us as f64 / self.period_us.get() as f64
    }

    /// Orders by CPUs. Not `Ord`: 1/1 and 2/2 are the same amount and different quotas.
    pub(crate) fn cmp_amount(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| u128::from(a.quota_us) * u128::from(b.period_us.get());
        cross(self, other).cmp(&cross(other, self))
    }

    pub(crate) fn rounded(self, rounding: Rounding) -> usize {
        let (quota, period) = (self.quota_us, self.period_us.get());
        let whole = match rounding {
            Rounding::Ceil => quota.div_ceil(period),
            Rounding::Floor => quota / period,
            Rounding::Round => quota / period + u64::from(quota % period >= period.div_ceil(2)),
        };
        usize::try_from(whole).unwrap_or(usize::MAX)
    }
}

/// Two decimals where they are exact (`1.50 CPUs`), else three (`1.333 CPUs`).
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_hundredths = u128::from(self.quota_us) * 100 % u128::from(self.period_us.get()) == 0;
        write!(f, "{:.*} CPUs", if in_hundredths { 2 } else { 3 }, self.cpus())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn quota(quota_us: u64, period_us: u64) -> Quota {
        Quota::new(quota_us, NonZeroU64::new(period_us).unwrap())
    }

    #[test]
    fn rounds_in_integers() {
        #[rustfmt::skip]
        let table = [
            // quota, period, ceil, floor, round
            (      0, 100_000,    0,     0,     0),
            ( 25_000, 100_000,    1,     0,     0),
            ( 50_000, 100_000,    1,     0,     1),
            (100_000, 100_000,    1,     1,     1),
            (100_001, 100_000,    2,     1,     1),
            (150_000, 100_000,    2,     1,     2),
            (      4,       3,    2,     1,     1),
            (      5,       3,    2,     1,     2),
            (u64::MAX,      1, usize::MAX, usize::MAX, usize::MAX),
        ];
        for (q, p, ceil, floor, round) in table {
            let got = [Rounding::Ceil, Rounding::Floor, Rounding::Round].map(|r| quota(q, p).rounded(r));
            assert_eq!(got, [ceil, floor, round], "{q}/{p}");
        }
    }

    #[test]
    fn compares_amounts_exactly() {
        assert_eq!(quota(1, 3).cmp_amount(&quota(33_333, 100_000)), Ordering::Greater);
        assert_eq!(quota(50_000, 100_000).cmp_amount(&quota(5, 10)), Ordering::Equal);
        assert_eq!(quota(u64::MAX - 1, u64::MAX).cmp_amount(&quota(1, 1)), Ordering::Less);
    }

    #[test]
    fn prints_as_many_decimals_as_it_needs() {
        for (q, p, text) in [(150_000, 100_000, "1.50 CPUs"), (4, 3, "1.333 CPUs"), (1_000, 1_000_000, "0.001 CPUs")] {
            assert_eq!(quota(q, p).to_string(), text);
        }
    }
}
