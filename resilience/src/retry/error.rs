//! What is left when a retry gives up.

use std::{error::Error, fmt, time::Duration};

use tidemill_context::Cause;

/// Why no further attempt was made.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Decision, Reason, Retry};
///
/// let policy = Retry::constant(Duration::ZERO).max_attempts(3).build()?;
/// let failed = policy.run_blocking(|_| Err::<(), _>("down")).unwrap_err();
/// assert_eq!((failed.reason, failed.attempts), (Reason::Exhausted, 3));
/// let final_ones = policy.classify(|_: &&str| Decision::Stop);
/// let failed = final_ones.run_blocking(|_| Err::<(), _>("no such user")).unwrap_err();
/// assert_eq!((failed.reason, failed.attempts), (Reason::Stopped, 1));
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// All attempts were used; the last one failed.
    Exhausted,
    /// The time in all was used, or the next wait would not have fitted into it.
    Deadline,
    /// The error was classified as final.
    Stopped,
    /// All attempts were used; the last one was cut by its time-out.
    TimedOut,
    /// The budget had no retry left.
    BudgetSpent,
    /// The ambient context was cancelled, or would have been before the wait was over.
    Cancelled(Cause),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled(cause) => return cause.fmt(f),
            Self::Exhausted => "attempts exhausted",
            Self::Deadline => "out of time",
            Self::Stopped => "final error",
            Self::TimedOut => "last attempt timed out",
            Self::BudgetSpent => "retry budget spent",
        })
    }
}

/// The operation failed, and will not be tried again.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Retry, RetryError};
///
/// let policy = Retry::constant(Duration::ZERO).max_attempts(2).build()?;
/// let answer: Result<u32, RetryError<&str>> = policy.run_blocking(|_| Err("down"));
/// match answer {
///     Err(RetryError { last: Some(error), attempts, .. }) => assert_eq!((error, attempts), ("down", 2)),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryError<E> {
    /// The last error seen; `None` if every attempt was cut by a time limit.
    pub last: Option<E>,
    /// Attempts begun.
    pub attempts: u32,
    /// Time since the first attempt began; under a policy without time limits since it failed, for no clock is read
    /// before that.
    pub elapsed: Duration,
    /// Why it ended.
    pub reason: Reason,
}

impl<E> RetryError<E> {
    /// A service was not even ready.
    #[cfg(feature = "tower")]
    pub(crate) fn not_begun(error: E) -> Self {
        Self { last: Some(error), attempts: 0, elapsed: Duration::ZERO, reason: Reason::Stopped }
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, attempts, elapsed, reason } = self;
        write!(f, "gave up after {attempts} attempts and {elapsed:?}, {reason}")?;
        last.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

impl<E: Error + 'static> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match (&self.last, &self.reason) {
            (Some(error), _) => Some(error),
            (None, Reason::Cancelled(cause)) => Some(cause),
            _ => None,
        }
    }
}
