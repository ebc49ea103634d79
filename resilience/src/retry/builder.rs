//! The options of a retry policy, checked once; all of it can run at compile time.

use std::{error::Error, fmt, time::Duration};

use super::{Jitter, Retry, backoff::Growth};

/// Attempts when neither they nor the time are limited: what the SRE book allows one request.
const DEFAULT_ATTEMPTS: u32 = 3;

/// Half a minute between attempts is as slow as a caller that still waits for the answer can use.
const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(30);

/// A server may ask for more patience than our own backoff has, yet not for hours.
const DEFAULT_MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The longest of any option's times: a year. It keeps sums of times far from every clock's end.
const MAX_TIME: Duration = Duration::from_secs(366 * 86_400);

/// Options of a [`Retry`]; made by [`Retry::exponential`] and its sisters.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Jitter, Retry};
///
/// let policy = Retry::exponential(Duration::from_millis(100))
///     .factor(3)
///     .max_delay(Duration::from_secs(1))
///     .jitter(Jitter::None)
///     .build()?;
/// let millis: Vec<_> = policy.waits().map(|wait| wait.as_millis()).take(4).collect();
/// assert_eq!(millis, [100, 300, 900, 1000]);
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder {
    policy: Retry,
    max_attempts: Option<u32>,
}

impl Builder {
    pub(super) const fn new(initial_delay: Duration, growth: Growth) -> Self {
        let policy = Retry {
            initial_delay,
            growth,
            max_delay: DEFAULT_MAX_DELAY,
            jitter: Jitter::Full,
            max_attempts: DEFAULT_ATTEMPTS,
            within: None,
            attempt_timeout: None,
            max_retry_after: DEFAULT_MAX_RETRY_AFTER,
            seed: None,
        };
        Self { policy, max_attempts: None }
    }

    /// By what each wait is multiplied, whatever made it grow so far. Default 2 for exponential, 1 for constant.
    pub const fn factor(mut self, factor: u32) -> Self {
        self.policy.growth = Growth::Factor(factor);
        self
    }

    /// No wait is longer than this, jitter included; only a server's `RetryAfter` may be. Default 30 s.
    pub const fn max_delay(mut self, max: Duration) -> Self {
        self.policy.max_delay = max;
        self
    }

    /// How waits are spread. Default [`Jitter::Full`].
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.policy.jitter = jitter;
        self
    }

    /// Attempts in all, the first included. Default 3, or no limit if [`within`](Self::within) is set.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Time in all: attempts, time-outs and waits together. Default no limit.
    pub const fn within(mut self, limit: Duration) -> Self {
        self.policy.within = Some(limit);
        self
    }

    /// Time for one attempt, cut to what is left in all. An attempt that is cut counts as failed. Default no limit.
    ///
    /// A blocking attempt cannot be cut; it reads [`time_left`](super::AttemptInfo::time_left) and keeps to it.
    pub const fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.policy.attempt_timeout = Some(limit);
        self
    }

    /// The longest wait a [`RetryAfter`](super::Decision::RetryAfter) can ask for; more is cut to this. Default 5 min.
    pub const fn max_retry_after(mut self, max: Duration) -> Self {
        self.policy.max_retry_after = max;
        self
    }

    /// Draws the jitter from this seed, anew in each run, so that waits replay. Default: from the thread's generator.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.policy.seed = Some(seed);
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// [`InvalidRetry`] names the option at fault.
    pub const fn build(self) -> Result<Retry, InvalidRetry> {
        let mut policy = self.policy;
        policy.max_attempts = match (self.max_attempts, policy.within) {
            (Some(0), _) => return Err(InvalidRetry::NoAttempts),
            (Some(attempts), _) => attempts,
            (None, Some(_)) => u32::MAX,
            (None, None) => DEFAULT_ATTEMPTS,
        };
        if matches!(policy.growth, Growth::Factor(0)) {
            return Err(InvalidRetry::NoFactor);
        }
        if matches!(policy.jitter, Jitter::PlusMinus(percent) if percent > 100) {
            return Err(InvalidRetry::JitterAbove100);
        }
        if policy.initial_delay.as_nanos() > policy.max_delay.as_nanos() {
            return Err(InvalidRetry::DelayAboveMax);
        }
        if is_zero(policy.within) || is_zero(policy.attempt_timeout) {
            return Err(InvalidRetry::NoTime);
        }
        let too_long = is_too_long(policy.max_delay)
            || is_too_long(policy.max_retry_after)
            || matches!(policy.within, Some(time) if is_too_long(time))
            || matches!(policy.attempt_timeout, Some(time) if is_too_long(time));
        if too_long { Err(InvalidRetry::TooLong) } else { Ok(policy) }
    }
}

const fn is_zero(time: Option<Duration>) -> bool {
    matches!(time, Some(time) if time.is_zero())
}

const fn is_too_long(time: Duration) -> bool {
    time.as_nanos() > MAX_TIME.as_nanos()
}

/// An option of the policy makes no sense.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{InvalidRetry, Retry};
///
/// let minutes = Retry::exponential(Duration::from_secs(60)); // above the longest wait that is usual
/// assert_eq!(minutes.build(), Err(InvalidRetry::DelayAboveMax));
/// assert!(minutes.max_delay(Duration::from_secs(600)).build().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidRetry {
    /// `max_attempts` is zero.
    NoAttempts,
    /// `factor` is zero.
    NoFactor,
    /// [`Jitter::PlusMinus`] of more than the whole wait.
    JitterAbove100,
    /// The first delay is above `max_delay`.
    DelayAboveMax,
    /// `within` or `attempt_timeout` is zero.
    NoTime,
    /// A time is above a year.
    TooLong,
}

impl fmt::Display for InvalidRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAttempts => "a retry policy needs at least one attempt",
            Self::NoFactor => "the factor of a retry policy must not be zero",
            Self::JitterAbove100 => "the jitter of a retry policy is above 100 % of the wait",
            Self::DelayAboveMax => "the first delay of a retry policy is above its max_delay",
            Self::NoTime => "a time limit of a retry policy must not be zero",
            Self::TooLong => "a time of a retry policy is above a year",
        })
    }
}

impl Error for InvalidRetry {}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_senseless_option_is_named() {
        let base = Retry::exponential(MS);
        for (builder, expected) in [
            (base.max_attempts(0), InvalidRetry::NoAttempts),
            (base.factor(0), InvalidRetry::NoFactor),
            (base.jitter(Jitter::PlusMinus(101)), InvalidRetry::JitterAbove100),
            (base.max_delay(Duration::ZERO), InvalidRetry::DelayAboveMax),
            (base.within(Duration::ZERO), InvalidRetry::NoTime),
            (base.attempt_timeout(Duration::ZERO), InvalidRetry::NoTime),
            (base.within(Duration::MAX), InvalidRetry::TooLong),
            (base.max_retry_after(Duration::MAX), InvalidRetry::TooLong),
        ] {
            assert_eq!(builder.build(), Err(expected));
        }
    }

    #[test]
    fn without_any_limit_three_attempts_and_with_time_alone_any_number() {
        let attempts = |builder: Builder| builder.build().map(|policy| policy.max_attempts);
        assert_eq!(attempts(Retry::constant(MS)), Ok(3));
        assert_eq!(attempts(Retry::constant(MS).within(MS)), Ok(u32::MAX));
        assert_eq!(attempts(Retry::constant(MS).within(MS).max_attempts(9)), Ok(9));
    }
}
