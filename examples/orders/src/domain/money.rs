//! Amounts of money: whole cents, never a fraction and never a silent overflow.

use std::fmt;

/// An amount in cents, at most what a signed 64-bit column of a database can hold.
///
/// ```
/// use orders::domain::Money;
/// let price = Money::from_cents(1299);
/// assert_eq!(price.checked_mul(2), Some(Money::from_cents(2598)));
/// assert_eq!(price.checked_mul(u64::MAX), None);
/// assert_eq!(price.to_string(), "12.99");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);
    const MAX: u64 = i64::MAX.unsigned_abs();

    /// This many cents; more than the largest amount is cut to it.
    #[must_use]
    pub const fn from_cents(cents: u64) -> Self {
        Self(if cents > Self::MAX { Self::MAX } else { cents })
    }

    /// The amount in cents.
    #[must_use]
    pub const fn cents(self) -> u64 {
        self.0
    }

    /// The sum, unless it is too large.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).filter(|&cents| cents <= Self::MAX).map(Self)
    }

    /// That many times the amount, unless it is too large.
    #[must_use]
    pub fn checked_mul(self, times: u64) -> Option<Self> {
        self.0.checked_mul(times).filter(|&cents| cents <= Self::MAX).map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
