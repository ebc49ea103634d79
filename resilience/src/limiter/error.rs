//! Why a limiter let nobody through, or could not be built.

use std::{error::Error, fmt, time::Duration};

use tidemill_context::Cause;

use super::Rate;

/// The limiter did not let the call through. Nothing was taken.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{ManualClock, Rate, RateLimiter, Refused};
///
/// let limiter = RateLimiter::builder().rate(Rate::per_second(10)).burst(5).clock(ManualClock::new()).build()?;
/// match limiter.try_acquire(6) {
///     Err(Refused::ExceedsBurst { asked, burst }) => assert_eq!((asked, burst), (6, 5)), // no wait would do
///     other => panic!("{other:?}"),
/// }
/// assert!(limiter.try_acquire(5).is_ok());
/// let refused = limiter.try_acquire(1).unwrap_err();
/// assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Refused {
    /// The tokens are not there, or not within the caller's deadline.
    Later {
        /// The wait it would take, from now, if all those ahead take what they asked for.
        retry_after: Duration,
    },
    /// More was asked for than the limiter ever lets through at once.
    ExceedsBurst {
        /// Tokens asked for.
        asked: u64,
        /// The burst of the limiter.
        burst: u64,
    },
    /// As many callers wait already as may.
    QueueFull {
        /// How many wait.
        waiters: usize,
    },
    /// The ambient [`Context`](tidemill_context::Context) was cancelled, before the wait or during it.
    Cancelled(Cause),
}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Self {
        Self::Cancelled(cause)
    }
}

impl Refused {
    /// How long to wait before it is worth another try, or `None` if waiting does not help or nothing is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match *self {
            Self::Later { retry_after } => Some(retry_after),
            Self::ExceedsBurst { .. } | Self::QueueFull { .. } | Self::Cancelled(_) => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later { retry_after } => write!(f, "rate limit reached, retry after {retry_after:?}"),
            Self::ExceedsBurst { asked, burst } => {
                write!(f, "{asked} tokens asked of a rate limiter with a burst of {burst}")
            }
            Self::QueueFull { waiters } => write!(f, "{waiters} callers wait for the rate limiter already"),
            Self::Cancelled(cause) => write!(f, "waiting for a rate limit: {cause}"),
        }
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(cause) => cause.source(),
            Self::Later { .. } | Self::ExceedsBurst { .. } | Self::QueueFull { .. } => None,
        }
    }
}

/// An option of the limiter makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{InvalidLimiter, Rate, RateLimiter};
///
/// assert_eq!(RateLimiter::builder().build().unwrap_err(), InvalidLimiter::NoRate);
/// let refused = RateLimiter::builder().rate(Rate::per_second(100)).burst(0).build().unwrap_err();
/// assert_eq!(refused, InvalidLimiter::NoBurst);
/// assert_eq!(refused.to_string(), "a rate limiter with a burst of zero lets nothing through");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidLimiter {
    /// No rate was given.
    NoRate,
    /// The rate is zero, above one token per nanosecond, or stated over more than ten years.
    Rate(Rate),
    /// The burst is zero.
    NoBurst,
    /// There is no such plan, or there are more than 65,535.
    NoPlan {
        /// Its number.
        asked: usize,
    },
    /// To gather this burst at this rate takes more than a lifetime.
    Burst {
        /// The burst asked for.
        asked: u64,
        /// The most this rate allows.
        most: u64,
    },
}

impl fmt::Display for InvalidLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRate => f.write_str("a rate limiter needs a rate"),
            Self::Rate(rate) => {
                write!(f, "{rate} is not a rate between one token in ten years and one per nanosecond")
            }
            Self::NoPlan { asked } => write!(f, "a keyed rate limiter has no plan number {asked}"),
            Self::NoBurst => f.write_str("a rate limiter with a burst of zero lets nothing through"),
            Self::Burst { asked, most } => write!(f, "a burst of {asked} is above the {most} this rate allows"),
        }
    }
}

impl Error for InvalidLimiter {}
