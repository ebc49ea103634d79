//! How many tokens per how much time, and the exact grid of ticks that rate is computed on.
//!
//! A token must cost a whole number of ticks, or each one carries a rounding error and the errors add up: a peer
//! that keeps whole nanoseconds per token gives 3.003 M/s for 3 M/s, and 1 G/s for 600 M/s. So the tick is chosen
//! from the rate. For `N` tokens per `P` ns in lowest terms a token costs `K = ceil(P / N)` ticks, and a
//! nanosecond is worth `K * N / P` ticks, between one and two. Sums of tokens are then exact for ever. Only a clock
//! reading is rounded, once, always against the caller, and never by more than one tick (at most 1 ns); nothing
//! accumulates. When `P / N` is whole, as in 1000/s or 1/day, a tick is a nanosecond and no division is done.
//!
//! Rejected: `f64` tokens (drift, and 2^53 ns is 104 days); a count of tokens on a fixed time grid (idle until just
//! before a grid point, it admits `burst + 1` at once); a longer period as one unit (bursts at its edges).

use std::{fmt, time::Duration};

use super::InvalidLimiter;

/// The longest period a rate can be stated over: ten years. It keeps every product below within 64 bits.
const MAX_PERIOD: Duration = Duration::from_secs(10 * 366 * 86_400);

const NANOS_PER_SEC: u64 = 1_000_000_000;

const DAY: Duration = Duration::from_secs(86_400);

/// A number of tokens per period, such as 1000 per second.
///
/// The period only sets the pace: `per_second(10)` and `per_minute(600)` are the same rate. A rate of nothing, or
/// of more than one token per nanosecond, is refused by [`build`](super::Builder::build).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::Rate;
///
/// assert_eq!(Rate::per_second(10), Rate::per_minute(600));
/// assert_eq!(Rate::every(Duration::from_millis(100)), Rate::per_second(10));
/// ```
#[derive(Clone, Copy, Debug, Eq)]
pub struct Rate {
    tokens: u64,
    period: Duration,
}

impl Rate {
    /// `tokens` in every `period`.
    #[must_use]
    pub const fn per(tokens: u64, period: Duration) -> Self {
        Self { tokens, period }
    }

    /// `tokens` a second.
    #[must_use]
    pub const fn per_second(tokens: u64) -> Self {
        Self::per(tokens, Duration::from_secs(1))
    }

    /// `tokens` a minute.
    #[must_use]
    pub const fn per_minute(tokens: u64) -> Self {
        Self::per(tokens, Duration::from_secs(60))
    }

    /// `tokens` an hour.
    #[must_use]
    pub const fn per_hour(tokens: u64) -> Self {
        Self::per(tokens, Duration::from_secs(3600))
    }

    /// `tokens` a day of 86,400 seconds.
    #[must_use]
    pub const fn per_day(tokens: u64) -> Self {
        Self::per(tokens, DAY)
    }

    /// One token in every `interval`.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self::per(1, interval)
    }

    /// The grid of this rate, or why there is none.
    pub(crate) fn grid(self) -> Result<Grid, InvalidLimiter> {
        let period = self.period.as_nanos();
        let valid = self.tokens > 0 && u128::from(self.tokens) <= period && self.period <= MAX_PERIOD;
        if !valid {
            return Err(InvalidLimiter::Rate(self));
        }
        let period = saturating_nanos(self.period);
        let common = gcd(self.tokens, period);
        let (tokens, period) = (self.tokens / common, period / common);
        let per_token = period.div_ceil(tokens);
        Ok(Grid { per_token, ticks: per_token * tokens, nanos: period })
    }
}

#[cfg(feature = "redis")]
impl Rate {
    /// Whole numbers `(price, pace)` such that a microsecond brings `pace` units and a token is worth `price`.
    pub(crate) fn per_micro(self) -> Result<(u64, u64), InvalidLimiter> {
        self.grid()?;
        let (pace, price) = (u128::from(self.tokens) * 1_000, self.period.as_nanos());
        // Both are below 2^63: a rate is at most one token per nanosecond, over at most ten years.
        let (pace, price) = (narrow(pace), narrow(price));
        let common = gcd(pace, price);
        Ok((price / common, pace / common))
    }
}

impl PartialEq for Rate {
    /// Equal pace, whatever the period it is stated over.
    fn eq(&self, other: &Self) -> bool {
        // Both products stay below 2^64 * 2^94 only in theory; saturation keeps even that total.
        let ours = u128::from(self.tokens).saturating_mul(other.period.as_nanos());
        let theirs = u128::from(other.tokens).saturating_mul(self.period.as_nanos());
        ours == theirs
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {:?}", self.tokens, self.period)
    }
}

/// Exact conversion between nanoseconds and the ticks of one rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// Ticks one token costs (`K`).
    pub(crate) per_token: u64,
    /// This many ticks (`K * N`) ...
    ticks: u64,
    /// ... are exactly this many nanoseconds (`P`).
    nanos: u64,
}

impl Grid {
    /// The cost of `tokens`, at most `u64::MAX`.
    pub(crate) fn cost(self, tokens: u64) -> u64 {
        self.per_token.saturating_mul(tokens)
    }

    /// The last tick not after `nanos`.
    pub(crate) fn floor(self, nanos: u64) -> u64 {
        if self.ticks == self.nanos {
            return nanos;
        }
        narrow(u128::from(nanos) * u128::from(self.ticks) / u128::from(self.nanos))
    }

    /// The first tick not before `nanos`.
    pub(crate) fn ceil(self, nanos: u64) -> u64 {
        if self.ticks == self.nanos {
            return nanos;
        }
        narrow((u128::from(nanos) * u128::from(self.ticks)).div_ceil(u128::from(self.nanos)))
    }

    /// The first nanosecond at which tick number `ticks` has come.
    pub(crate) fn nanos_at(self, ticks: u64) -> u64 {
        if self.ticks == self.nanos {
            return ticks;
        }
        narrow((u128::from(ticks) * u128::from(self.nanos)).div_ceil(u128::from(self.ticks)))
    }
}

/// `duration` in whole nanoseconds, at most `u64::MAX` (584 years).
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(NANOS_PER_SEC).saturating_add(u64::from(duration.subsec_nanos()))
}

/// At most `u64::MAX`.
pub(super) fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tick_is_a_nanosecond_when_the_interval_is_whole() {
        for (rate, interval) in [
            (Rate::per_second(1_000_000_000), 1),
            (Rate::per_second(1000), 1_000_000),
            (Rate::per_minute(100), 600_000_000),
            (Rate::per_day(1), 86_400_000_000_000),
        ] {
            let grid = rate.grid().unwrap();
            assert_eq!(grid.per_token, interval, "{rate:?}");
            assert_eq!(grid.floor(123_456_789), 123_456_789, "{rate:?}");
        }
    }

    #[test]
    fn a_rate_that_cannot_be_is_named() {
        for rate in [
            Rate::per_second(0),
            Rate::per(1, Duration::ZERO),
            Rate::per_second(1_000_000_001),
            Rate::per(1, Duration::MAX),
        ] {
            assert_eq!(rate.grid().unwrap_err(), InvalidLimiter::Rate(rate));
        }
    }

    proptest! {
        /// After exactly `seconds`, exactly `tokens * seconds` tokens have been paid for: no drift in 30 years.
        #[test]
        fn whole_periods_pay_for_whole_tokens(tokens in 1u64..=1_000_000_000, seconds in 0u64..1_000_000_000) {
            let grid = Rate::per_second(tokens).grid().unwrap();
            let nanos = seconds * 1_000_000_000;
            prop_assert_eq!(u128::from(grid.floor(nanos)), u128::from(tokens) * u128::from(seconds) * u128::from(grid.per_token));
            prop_assert_eq!(grid.floor(nanos), grid.ceil(nanos));
        }

        #[test]
        fn conversions_round_against_the_caller(tokens in 1u64..=1_000_000_000, nanos in 0u64..1 << 60) {
            let grid = Rate::per_second(tokens).grid().unwrap();
            let (floor, ceil) = (grid.floor(nanos), grid.ceil(nanos));
            prop_assert!(ceil - floor <= 1);
            prop_assert!(grid.floor(grid.nanos_at(ceil)) >= ceil, "waiting until nanos_at is long enough");
            prop_assert!(grid.nanos_at(floor) <= nanos);
        }
    }
}
