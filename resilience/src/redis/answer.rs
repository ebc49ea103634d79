//! What a caller is told, allowed or not.

use std::{error::Error, fmt, time::Duration};

use tidemill_context::Cause;

use crate::Refused;

/// A call was let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// Who let it through.
    pub source: Source,
    /// The burst: the `limit` of a `RateLimit` header.
    pub limit: u64,
    /// Tokens that are left: in Redis, in the lease, or in this process's own bucket.
    pub remaining: u64,
    /// When the bucket is full again, if Redis was asked.
    pub reset_after: Option<Duration>,
}

/// Who let a call through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// Redis.
    Redis,
    /// Tokens that Redis had granted before.
    Lease,
    /// This process's own limiter: Redis did not answer.
    Local,
    /// Nobody: Redis did not answer, and the choice for that was to allow.
    Allowed,
}

/// A call was not let through. Nothing was taken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NotAllowed {
    /// The tokens are not there.
    Limited {
        /// When they will be, if nobody else comes.
        retry_after: Duration,
        /// Those that are there.
        remaining: u64,
        /// When the bucket is full again.
        reset_after: Duration,
    },
    /// More was asked for than the limit ever lets through at once.
    ExceedsBurst {
        /// Tokens asked for.
        asked: u64,
        /// The burst.
        burst: u64,
    },
    /// Redis did not answer, and the choice for that was to refuse.
    Unavailable,
    /// Redis did not answer, and this process's own limiter refused.
    Locally(Refused),
    /// The ambient [`Context`](tidemill_context::Context) was cancelled during the wait.
    Cancelled(Cause),
}

impl NotAllowed {
    /// How long to wait before it is worth another try, or `None` if waiting does not help or nothing is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after, .. } => Some(*retry_after),
            Self::Locally(refused) => refused.retry_after(),
            Self::ExceedsBurst { .. } | Self::Unavailable | Self::Cancelled(_) => None,
        }
    }
}

impl From<Cause> for NotAllowed {
    fn from(cause: Cause) -> Self {
        Self::Cancelled(cause)
    }
}

impl From<Refused> for NotAllowed {
    fn from(refused: Refused) -> Self {
        Self::Locally(refused)
    }
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { retry_after, .. } => write!(f, "rate limit reached, retry after {retry_after:?}"),
            Self::ExceedsBurst { asked, burst } => write!(f, "{asked} tokens asked of a limit with a burst of {burst}"),
            Self::Unavailable => f.write_str("the rate limit is not known, as Redis does not answer"),
            Self::Locally(refused) => write!(f, "Redis does not answer; {refused}"),
            Self::Cancelled(cause) => write!(f, "waiting for a rate limit: {cause}"),
        }
    }
}

impl Error for NotAllowed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Locally(refused) => Some(refused),
            Self::Cancelled(cause) => cause.source(),
            Self::Limited { .. } | Self::ExceedsBurst { .. } | Self::Unavailable => None,
        }
    }
}
