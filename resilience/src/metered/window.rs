//! The fixed window: a count that begins anew with every period.
//!
//! Windows follow each other from the making of the limiter on. Each lets through at most the limit; two of them touch at
//! every edge, so a window that lies across an edge can see twice the limit, and no more.

use std::time::Duration;

use super::{Arithmetic, InvalidMeter, checked_period};
use crate::limiter::saturating_nanos;

/// At most `limit` in each window of `period`, and so at most twice that in any window of that length.
///
/// What many servers do. Use it to mirror such a server; [`SlidingWindow`](super::SlidingWindow) for a bound of one's own.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{FixedWindow, ManualClock, Metered};
///
/// let (clock, hour) = (ManualClock::new(), Duration::from_secs(3600));
/// let limiter = Metered::builder(FixedWindow::of(100, hour)).clock(clock.clone()).build()?;
/// clock.advance(hour * 3 / 4);
/// assert!(limiter.try_acquire(100).is_ok());
/// assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(hour / 4)); // the next window
/// clock.advance(hour / 4);
/// assert!(limiter.try_acquire(100).is_ok());
/// # Ok::<(), tidemill_resilience::InvalidMeter>(())
/// ```
#[derive(Clone, Debug)]
pub struct FixedWindow {
    limit: u64,
    period: Duration,
    number: u64,
    used: u64,
}

impl FixedWindow {
    /// At most `limit` in each window of `period`.
    #[must_use]
    pub const fn of(limit: u64, period: Duration) -> Self {
        Self { limit, period, number: 0, used: 0 }
    }
}

impl Arithmetic for FixedWindow {
    fn check(&self) -> Result<(), InvalidMeter> {
        checked_period(self.period)?;
        if self.limit == 0 { Err(InvalidMeter::NoLimit) } else { Ok(()) }
    }

    fn most(&self) -> u64 {
        self.limit
    }

    fn take(&mut self, n: u64, now: u64) -> Result<(), u64> {
        let period = saturating_nanos(self.period);
        let number = now / period;
        let used = if number == self.number { self.used } else { 0 };
        if n > self.limit - used {
            return Err((number + 1).saturating_mul(period));
        }
        (self.number, self.used) = (number, used + n);
        Ok(())
    }
}
