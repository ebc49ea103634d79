//! A rate that is reached slowly: after a pause a cold service gets a third of it, and more with every call.
//!
//! After Guava's `SmoothWarmingUp`. Idle time is stored as tokens, one per interval, up to the warm-up time's worth. A stored
//! token costs *more* time than a fresh one: the upper half of the store from three intervals (the fullest) down to one,
//! the lower half one. So a service that was idle for the whole warm-up time gets one token in three intervals first, and
//! after the warm-up time the stable rate.
//!
//! The price of a call is paid by the next one: tokens are let through when the last call's price has passed. A call for
//! more than one token is let through whole, so `largest` is in the bound; it is one unless said otherwise, because a peer's
//! users found 5000 tokens let through at once (google/guava#7130).
//!
//! **Bound.** No token costs less than an interval (the ramp is computed in floating point, and never below the exact cost), so
//! in any window at most `largest + rate * w` are let through.

use std::time::Duration;

use super::{Arithmetic, InvalidMeter, checked_period};
use crate::{
    Rate,
    limiter::{Grid, saturating_nanos},
};

/// How much dearer the first token after a pause is.
const COLD: f64 = 3.0;

/// A rate that a service that was idle is brought up to over a warm-up time.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{ManualClock, Metered, Rate, WarmUp};
///
/// let clock = ManualClock::new();
/// let meter = WarmUp::of(Rate::per_second(100), Duration::from_secs(1));
/// let limiter = Metered::builder(meter).clock(clock.clone()).build()?;
/// assert!(limiter.try_acquire(1).is_ok());
/// let wait = limiter.try_acquire(1).unwrap_err().retry_after().expect("it is a wait");
/// assert!((28..=30).contains(&wait.as_millis()), "cold: almost three intervals of 10 ms");
/// # Ok::<(), tidemill_resilience::InvalidMeter>(())
/// ```
#[derive(Clone, Debug)]
pub struct WarmUp {
    rate: Rate,
    warm_up: Duration,
    largest: u64,
    /// Stored tokens missing from a full store: zero is cold.
    missing: f64,
    /// The time up to which all that was taken is paid for.
    paid_until: u64,
}

impl WarmUp {
    /// `rate`, reached over `warm_up` after a pause of that length.
    #[must_use]
    pub const fn of(rate: Rate, warm_up: Duration) -> Self {
        Self { rate, warm_up, largest: 1, missing: 0.0, paid_until: 0 }
    }

    /// The most tokens of one call. Default 1.
    #[must_use]
    pub const fn largest(mut self, tokens: u64) -> Self {
        self.largest = tokens;
        self
    }

    fn grid(&self) -> Result<Grid, InvalidMeter> {
        self.rate.grid().map_err(InvalidMeter::Rate)
    }

    /// The price of `n` tokens in nanoseconds, and what is then missing from the store.
    fn price(&self, n: u64, missing: f64, interval: f64) -> (f64, f64) {
        let n = n as f64;
        let store = saturating_nanos(self.warm_up) as f64 / interval;
        let ramp = store / 2.0;
        // Where we stand on the ramp: `ramp` is cold, zero is the stable half.
        let from = (ramp - missing).max(0.0);
        let taken = n.min(from);
        let slope = if ramp > 0.0 { (COLD - 1.0) / ramp } else { 0.0 };
        let dearer = taken * slope * (from - taken / 2.0);
        ((n + dearer) * interval, (missing + n).min(store))
    }
}

impl Arithmetic for WarmUp {
    fn check(&self) -> Result<(), InvalidMeter> {
        checked_period(self.warm_up)?;
        self.grid()?;
        if self.largest == 0 { Err(InvalidMeter::NoLimit) } else { Ok(()) }
    }

    fn most(&self) -> u64 {
        self.largest
    }

    fn take(&mut self, n: u64, now: u64) -> Result<(), u64> {
        if now < self.paid_until {
            return Err(self.paid_until);
        }
        let Ok(grid) = self.grid() else { return Err(u64::MAX) };
        let exact = grid.nanos_at(grid.cost(n));
        let interval = exact as f64 / n as f64;
        let idle = (now - self.paid_until) as f64 / interval;
        let (price, missing) = self.price(n, (self.missing - idle).max(0.0), interval);
        self.missing = missing;
        // A float becomes the integer nearest to zero that holds it: never below the exact price.
        self.paid_until = now.saturating_add((price.ceil() as u64).max(exact));
        Ok(())
    }
}
