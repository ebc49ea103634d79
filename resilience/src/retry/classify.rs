//! What to do about an outcome: the seams through which a caller says it, and what the waits and the hook are by default.

use std::time::Duration;

use super::{Attempt, Retry, backoff::Waits};

/// What to do about an error, or about a value that is not good enough.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Decision, ManualClock, Reason, Retry};
///
/// let decide = |status: &u16| match status {
///     429 => Decision::RetryAfter(Duration::from_secs(7)), // as the server asked for
///     500.. => Decision::Retry,
///     _ => Decision::Stop,
/// };
/// let policy = Retry::exponential(Duration::from_secs(1)).build()?.clock(ManualClock::new());
/// let failed = policy
///     .classify(decide)
///     .run_blocking(|attempt| Err::<(), _>(if attempt.number == 1 { 429 } else { 404 }))
///     .unwrap_err();
/// assert_eq!((failed.elapsed, failed.reason), (Duration::from_secs(7), Reason::Stopped));
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Decision {
    /// Try again after the policy's own wait.
    Retry,
    /// Try again after this long, as a server asked for. It replaces the policy's wait, without jitter; it is cut to
    /// [`max_retry_after`](super::Builder::max_retry_after); if it does not fit into the time left, the run ends at once. The
    /// policy's own waits begin anew after it.
    RetryAfter(Duration),
    /// The request was not sent at all, because something on this side refused it (an open breaker, a full bulkhead): try again
    /// after this long, or after the policy's own wait. It counts as an attempt, yet costs no [`RetryBudget`](super::RetryBudget).
    NotSent(Option<Duration>),
    /// It is final: the error is not worth another attempt, or the value is the answer.
    Stop,
}

impl Decision {
    /// What gRPC's `grpc-retry-pushback-ms` says about a retryable failure: wait that long, or never, if it is negative or not a
    /// number; without it the policy's own wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_resilience::Decision;
    ///
    /// assert_eq!(Decision::from_pushback(Some("250")), Decision::RetryAfter(Duration::from_millis(250)));
    /// assert_eq!(Decision::from_pushback(Some("-1")), Decision::Stop);
    /// assert_eq!(Decision::from_pushback(Some("soon")), Decision::Stop);
    /// assert_eq!(Decision::from_pushback(None), Decision::Retry);
    /// ```
    #[must_use]
    pub fn from_pushback(millis: Option<&str>) -> Self {
        match millis.map(str::parse) {
            None => Self::Retry,
            Some(Ok(millis)) => Self::RetryAfter(Duration::from_millis(millis)),
            Some(Err(_)) => Self::Stop,
        }
    }
}

/// Says what to do about an outcome: a closure over the error, one over both ([`ByOutcome`]), or the default.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Decision, Retry, RetryError, Retrying, seams::Classify};
///
/// /// Takes whatever policy its caller has made.
/// fn fetch<F: Classify<u32, String>>(retrying: &Retrying<'_, F>) -> Result<u32, RetryError<String>> {
///     retrying.run_blocking(|attempt| if attempt.number < 2 { Err("busy".to_owned()) } else { Ok(42) })
/// }
/// let policy = Retry::constant(Duration::ZERO).build()?;
/// assert_eq!(fetch(&policy.plain()), Ok(42));
/// assert_eq!(fetch(&policy.classify(|_: &String| Decision::Stop)).unwrap_err().attempts, 1);
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
pub trait Classify<T, E> {
    /// The decision on `error`.
    fn on_error(&self, error: &E) -> Decision;

    /// The decision on an attempt that its time-out cut.
    fn on_cut(&self) -> Decision {
        Decision::Retry
    }

    /// The decision on `value`; [`Stop`](Decision::Stop) takes it as the answer.
    fn on_value(&self, value: &T) -> Decision {
        let _ = value;
        Decision::Stop
    }
}

/// The default: every error is worth another attempt, every value is an answer.
#[derive(Clone, Copy, Debug)]
pub struct Always;

impl<T, E> Classify<T, E> for Always {
    fn on_error(&self, _: &E) -> Decision {
        Decision::Retry
    }
}

impl<T, E, F: Fn(&E) -> Decision> Classify<T, E> for F {
    fn on_error(&self, error: &E) -> Decision {
        self(error)
    }
}

/// Decides on errors and values alike.
#[derive(Clone, Copy, Debug)]
pub struct ByOutcome<F>(pub(crate) F);

impl<T, E, F: Fn(Result<&T, &E>) -> Decision> Classify<T, E> for ByOutcome<F> {
    fn on_error(&self, error: &E) -> Decision {
        (self.0)(Err(error))
    }

    fn on_value(&self, value: &T) -> Decision {
        (self.0)(Ok(value))
    }
}

/// Hears of each retry: a closure, or the default.
///
/// # Examples
/// ```
/// use std::{cell::Cell, time::Duration};
/// use tidemill_resilience::{Attempt, Retry, Retrying, seams::{Always, OnRetry}};
///
/// /// Takes whatever hook its caller has set.
/// fn fetch<H: OnRetry<String>>(retrying: &Retrying<'_, Always, H>) -> bool {
///     retrying.run_blocking(|_| Err::<(), _>("down".to_owned())).is_ok()
/// }
/// let (policy, retries) = (Retry::constant(Duration::ZERO).max_attempts(3).build()?, Cell::new(0));
/// assert!(!fetch(&policy.plain().on_retry(|_: Attempt<'_, String>| retries.set(retries.get() + 1))));
/// assert_eq!(retries.get(), 2);
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
pub trait OnRetry<E> {
    /// `attempt` failed and its wait begins.
    fn notify(&self, attempt: Attempt<'_, E>);
}

/// The default hook: nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl<E> OnRetry<E> for Silent {
    fn notify(&self, _: Attempt<'_, E>) {}
}

impl<E, H: Fn(Attempt<'_, E>)> OnRetry<E> for H {
    fn notify(&self, attempt: Attempt<'_, E>) {
        self(attempt);
    }
}

/// Makes the waits of a run: a closure that returns an iterator, or the default.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Retry, Retrying, seams::{Always, Delays, Silent}};
///
/// /// Takes whatever waits its caller has chosen.
/// fn attempts<D: Delays>(retrying: &Retrying<'_, Always, Silent, D>) -> u32 {
///     retrying.run_blocking(|_| Err::<(), _>("down")).unwrap_err().attempts
/// }
/// let policy = Retry::constant(Duration::ZERO).max_attempts(5).build()?;
/// assert_eq!(attempts(&policy.plain()), 5);
/// assert_eq!(attempts(&policy.plain().delays(|| [Duration::ZERO].into_iter())), 2);
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
pub trait Delays {
    /// The waits; when they end, the run ends.
    type Waits: Iterator<Item = Duration>;

    /// The waits of a run that begins, or begins anew.
    fn waits(&self, policy: &Retry) -> Self::Waits;
}

/// The default waits: the policy's.
#[derive(Clone, Copy, Debug)]
pub struct ByPolicy;

impl Delays for ByPolicy {
    type Waits = Waits;

    fn waits(&self, policy: &Retry) -> Waits {
        policy.waits()
    }
}

impl<I: Iterator<Item = Duration>, F: Fn() -> I> Delays for F {
    type Waits = I;

    fn waits(&self, _: &Retry) -> I {
        self()
    }
}
