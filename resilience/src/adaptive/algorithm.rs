//! How a limit follows from what calls took: AIMD, Vegas and Gradient2, as in Netflix's concurrency-limits, mended.
//!
//! All three see *windows* (see `sampler`), never single calls. Windows in which less than half of the limit was in use never
//! get here: they say nothing about the limit, and the floor of the response time they show (health checks at night) is not that
//! of real traffic (Netflix PR#125).
//!
//! **Against drift.** A latency that an overload makes longer becomes the measure of all later ones, and the limit climbs
//! without end (Netflix #176). So every so many windows the limit is halved for one window, a *probe*: what is queued
//! at the server drains, and the response time of that window is what the measure is brought down to.

use std::time::Duration;

/// What the calls of one window were like.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{AdaptiveLimit, LimitAlgorithm, LimitWindow};
///
/// #[derive(Debug)]
/// struct Within(Duration);
/// impl LimitAlgorithm for Within {
///     fn next(&mut self, limit: f64, window: &LimitWindow) -> f64 {
///         if window.dropped || window.mean > self.0 { limit / 2.0 } else { limit + 1.0 }
///     }
/// }
/// let rule = Within(Duration::from_millis(100));
/// let limit = AdaptiveLimit::builder(rule).initial(8).window(1, Duration::ZERO).build()?;
/// limit.try_acquire()?.dropped();
/// assert_eq!(limit.limit(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// The mean response time of those that were answered; of the dropped ones, if none was.
    pub mean: Duration,
    /// The shortest response time.
    pub shortest: Duration,
    /// The most calls in flight at the beginning of one of them.
    pub in_flight: u32,
    /// A call was dropped: refused for overload, or timed out.
    pub dropped: bool,
    /// The limit was halved during the window.
    pub probe: bool,
}

/// A rule by which a limit follows its windows. Bring your own, or take [`Aimd`], [`Vegas`] or [`Gradient2`].
///
/// # Examples
/// ```
/// use tidemill_resilience::{LimitAlgorithm, LimitWindow};
///
/// /// Down by half when calls are dropped, up by one otherwise.
/// #[derive(Debug)]
/// struct Halving;
/// impl LimitAlgorithm for Halving {
///     fn next(&mut self, limit: f64, window: &LimitWindow) -> f64 {
///         if window.dropped { limit / 2.0 } else { limit + 1.0 }
///     }
/// }
/// ```
pub trait LimitAlgorithm: std::fmt::Debug + Send {
    /// The limit after `window`, in which it was `limit`. It is kept within its range by the caller. For a probe the result
    /// counts for nothing; only what is learnt from its response time does.
    fn next(&mut self, limit: f64, window: &Window) -> f64;
}

/// Up by one, down by a factor: blind to latency below its time-out, and so the simplest to predict.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{AdaptiveLimit, Aimd};
///
/// let rule = Aimd { backoff: 0.5, timeout: Duration::from_secs(1) };
/// let limit = AdaptiveLimit::builder(rule).initial(20).window(1, Duration::ZERO).build()?;
/// limit.try_acquire()?.dropped();
/// assert_eq!(limit.limit(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Aimd {
    /// The factor after a drop. Default 0.9.
    pub backoff: f64,
    /// A mean response time above this counts as a drop. Default 5 s.
    pub timeout: Duration,
}

impl Default for Aimd {
    fn default() -> Self {
        Self { backoff: 0.9, timeout: Duration::from_secs(5) }
    }
}

impl LimitAlgorithm for Aimd {
    fn next(&mut self, limit: f64, window: &Window) -> f64 {
        if window.dropped || window.mean > self.timeout { limit * self.backoff } else { limit + 1.0 }
    }
}

/// Estimates the queue at the server from the ratio of the shortest response time to the present one, and keeps it short.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{AdaptiveLimit, ManualClock, Vegas};
///
/// let clock = ManualClock::new();
/// let options = AdaptiveLimit::builder(Vegas::default()).initial(2).window(1, Duration::ZERO);
/// let limit = options.clock(clock.clone()).build()?;
/// let permit = limit.try_acquire()?;
/// clock.advance(Duration::from_millis(10));
/// permit.success();
/// assert_eq!(limit.limit(), 8, "there is no queue at the server");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Vegas {
    /// The response time without a queue, in seconds, once it is known.
    floor: Option<f64>,
}

impl LimitAlgorithm for Vegas {
    fn next(&mut self, limit: f64, window: &Window) -> f64 {
        let now = window.mean.as_secs_f64();
        let floor = match self.floor {
            // A probe is also how the floor rises, when the server has become slower for good.
            Some(floor) if !window.probe => floor.min(now),
            _ => now,
        };
        self.floor = Some(floor);
        let step = limit.log10().max(1.0);
        let queue = (limit * (1.0 - floor / now.max(f64::MIN_POSITIVE))).ceil();
        let (few, many) = (3.0 * step, 6.0 * step);
        if window.dropped || queue > many {
            limit - step
        } else if queue <= step {
            limit + many
        } else if queue < few {
            limit + step
        } else {
            limit
        }
    }
}

/// Compares the response time of now with that of long ago; the limit shrinks by their ratio, and always grows by a small queue.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{AdaptiveLimit, Gradient2, ManualClock};
///
/// let mut rule = Gradient2::default();
/// rule.smoothing = 1.0; // a new limit holds at once
/// let clock = ManualClock::new();
/// let options = AdaptiveLimit::builder(rule).initial(2).window(1, Duration::ZERO);
/// let limit = options.clock(clock.clone()).build()?;
/// let permit = limit.try_acquire()?;
/// clock.advance(Duration::from_millis(10));
/// permit.success();
/// assert_eq!(limit.limit(), 6, "as fast as ever: up by a small queue of four");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gradient2 {
    /// How many times as long as usual calls may take before the limit shrinks. Default 1.5.
    pub tolerance: f64,
    /// What the limit may grow by in one window, before smoothing. Default 4.
    pub queue: f64,
    /// The share of a new limit that is taken over. Default 0.2.
    pub smoothing: f64,
    /// Over how many windows the long response time is averaged. Default 600.
    pub long_windows: u32,
    /// The factor after a drop. Default 0.9; Netflix's is blind to drops (#137).
    pub backoff: f64,
    long: Option<f64>,
}

impl Default for Gradient2 {
    fn default() -> Self {
        Self { tolerance: 1.5, queue: 4.0, smoothing: 0.2, long_windows: 600, backoff: 0.9, long: None }
    }
}

impl Gradient2 {
    fn learn(&mut self, short: f64, probe: bool) -> f64 {
        let long = self.long.unwrap_or(short);
        let mut long = long + (short - long) / f64::from(self.long_windows.max(1));
        if probe {
            long = long.min(short);
        }
        if long > 2.0 * short {
            // Calls have become much faster: do not wait for the average.
            long *= 0.95;
        }
        self.long = Some(long);
        long
    }
}

impl LimitAlgorithm for Gradient2 {
    fn next(&mut self, limit: f64, window: &Window) -> f64 {
        if window.dropped {
            return limit * self.backoff;
        }
        let short = window.mean.as_secs_f64().max(f64::MIN_POSITIVE);
        let long = self.learn(short, window.probe);
        let gradient = (self.tolerance * long / short).clamp(0.5, 1.0);
        let next = limit * gradient + self.queue;
        limit * (1.0 - self.smoothing) + next * self.smoothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(millis: u64) -> Window {
        let time = Duration::from_millis(millis);
        Window { mean: time, shortest: time, in_flight: 100, dropped: false, probe: false }
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn aimd_adds_one_and_takes_a_tenth() {
        let mut aimd = Aimd::default();
        assert!(close(aimd.next(20.0, &window(10)), 21.0));
        assert!(close(aimd.next(20.0, &Window { dropped: true, ..window(10) }), 18.0));
        assert!(close(aimd.next(20.0, &window(5001)), 18.0));
    }

    #[test]
    fn vegas_keeps_its_queue_between_its_bounds() {
        for (millis, expected, why) in [
            (100, 112.0, "no queue: up by 6 log10"),
            (104, 102.0, "four in the queue: up by log10"),
            (110, 100.0, "ten: stay"),
            (120, 98.0, "seventeen: down by log10"),
        ] {
            let mut vegas = Vegas { floor: Some(0.1) };
            assert!(close(vegas.next(100.0, &window(millis)), expected), "{why}");
        }
        let mut vegas = Vegas { floor: Some(0.1) };
        assert!(close(vegas.next(100.0, &Window { dropped: true, ..window(100) }), 98.0));
    }

    #[test]
    fn gradient_shrinks_by_the_ratio_beyond_its_tolerance() {
        let fixed = Gradient2 { long: Some(0.1), long_windows: u32::MAX, ..Gradient2::default() };
        for (millis, expected, why) in [
            (100, 100.8, "as usual: up by a fifth of the queue"),
            (150, 100.8, "within the tolerance"),
            (300, 90.8, "three times as long: half, smoothed"),
            (3000, 90.8, "never below half"),
        ] {
            let next = fixed.clone().next(100.0, &window(millis));
            assert!((next - expected).abs() < 1e-3, "{why}: {next}");
        }
    }

    /// Netflix #137: Gradient2 ignores drops.
    #[test]
    fn netflix_137_gradient_hears_of_drops() {
        let mut gradient = Gradient2::default();
        assert!(close(gradient.next(100.0, &Window { dropped: true, ..window(1) }), 90.0));
    }
}
