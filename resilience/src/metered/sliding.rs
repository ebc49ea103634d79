//! Sliding windows: never more than the limit in *any* window of the period, by parts or by a log.
//!
//! **By parts.** Time is cut into parts of a `k`-th of the period, rounded up. A window as long as the period touches at most
//! `k + 1` of them; the counts of the last `k + 1` are kept below the limit; so is every window. Whole parts are counted where
//! only pieces lie in the window, so a caller at the limit gets `k / (k + 1)` of it: 97 % with 32 parts, in 33 words.
//!
//! **By a log.** Each admission and its time are kept for a period: exact, for two words per admission; admissions
//! of one instant share an entry.

use std::{collections::VecDeque, time::Duration};

use super::{Arithmetic, InvalidMeter, checked_period};
use crate::limiter::saturating_nanos;

/// At most `limit` in any window of `period`, counted by parts of it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Metered, SlidingWindow};
///
/// let limiter = Metered::builder(SlidingWindow::of(100, Duration::from_secs(60), 32)).build()?;
/// assert!(limiter.try_acquire(100).is_ok() && limiter.try_acquire(1).is_err());
/// # Ok::<(), tidemill_resilience::InvalidMeter>(())
/// ```
#[derive(Clone, Debug)]
pub struct SlidingWindow {
    limit: u64,
    period: Duration,
    parts: u32,
    /// (number of the part, tokens), oldest first; at most `parts + 1`, none of them empty.
    counts: VecDeque<(u64, u64)>,
    used: u64,
}

impl SlidingWindow {
    /// At most `limit` in any window of `period`; a caller at the limit gets `parts / (parts + 1)` of it.
    #[must_use]
    pub const fn of(limit: u64, period: Duration, parts: u32) -> Self {
        Self { limit, period, parts, counts: VecDeque::new(), used: 0 }
    }

    /// The length of a part.
    fn part(&self) -> u64 {
        saturating_nanos(self.period).div_ceil(u64::from(self.parts))
    }

    /// The time from which part number `number` counts no longer.
    fn end(&self, number: u64) -> u64 {
        (number + u64::from(self.parts) + 1).saturating_mul(self.part())
    }
}

impl Arithmetic for SlidingWindow {
    fn check(&self) -> Result<(), InvalidMeter> {
        let period = checked_period(self.period)?;
        match (self.limit, self.parts) {
            (0, _) => Err(InvalidMeter::NoLimit),
            (_, parts) if parts == 0 || u64::from(parts) > period => Err(InvalidMeter::Parts(parts)),
            _ => Ok(()),
        }
    }

    fn most(&self) -> u64 {
        self.limit
    }

    fn take(&mut self, n: u64, now: u64) -> Result<(), u64> {
        while let Some(&(number, tokens)) = self.counts.front()
            && self.end(number) <= now
        {
            self.used -= tokens;
            self.counts.pop_front();
        }
        if let Some(number) = first_to_leave(&self.counts, self.used, n, self.limit) {
            return Err(self.end(number));
        }
        let number = now / self.part();
        push(&mut self.counts, number, n);
        self.used += n;
        Ok(())
    }
}

/// At most `limit` in any window of `period`, to the last one, for two words of memory per admission in a period.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{ManualClock, Metered, SlidingLog};
///
/// let (clock, hour) = (ManualClock::new(), Duration::from_secs(3600));
/// let limiter = Metered::builder(SlidingLog::of(100, hour)).clock(clock.clone()).build()?;
/// assert!(limiter.try_acquire(60).is_ok());
/// clock.advance(hour / 2);
/// assert!(limiter.try_acquire(40).is_ok());
/// clock.advance(hour / 2); // the sixty are an hour old
/// assert!(limiter.try_acquire(61).is_err() && limiter.try_acquire(60).is_ok());
/// # Ok::<(), tidemill_resilience::InvalidMeter>(())
/// ```
#[derive(Clone, Debug)]
pub struct SlidingLog {
    limit: u64,
    period: Duration,
    /// (time, tokens), oldest first.
    log: VecDeque<(u64, u64)>,
    used: u64,
}

impl SlidingLog {
    /// At most `limit` in any window of `period` (its beginning counts, its end does not).
    #[must_use]
    pub const fn of(limit: u64, period: Duration) -> Self {
        Self { limit, period, log: VecDeque::new(), used: 0 }
    }
}

impl Arithmetic for SlidingLog {
    fn check(&self) -> Result<(), InvalidMeter> {
        checked_period(self.period)?;
        if self.limit == 0 { Err(InvalidMeter::NoLimit) } else { Ok(()) }
    }

    fn most(&self) -> u64 {
        self.limit
    }

    fn take(&mut self, n: u64, now: u64) -> Result<(), u64> {
        let period = saturating_nanos(self.period);
        while let Some(&(at, tokens)) = self.log.front()
            && at + period <= now
        {
            self.used -= tokens;
            self.log.pop_front();
        }
        if let Some(at) = first_to_leave(&self.log, self.used, n, self.limit) {
            return Err(at + period);
        }
        push(&mut self.log, now, n);
        self.used += n;
        Ok(())
    }
}

/// The entry that must have left before `n` more fit, if any must.
fn first_to_leave(entries: &VecDeque<(u64, u64)>, used: u64, n: u64, limit: u64) -> Option<u64> {
    let mut left = used;
    let mut last = None;
    for &(key, tokens) in entries {
        if n <= limit - left {
            break;
        }
        left -= tokens;
        last = Some(key);
    }
    last
}

fn push(entries: &mut VecDeque<(u64, u64)>, key: u64, n: u64) {
    match entries.back_mut() {
        Some((last, tokens)) if *last == key => *tokens += n,
        _ => entries.push_back((key, n)),
    }
}
