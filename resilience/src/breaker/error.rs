//! Why a breaker let nobody through, or could not be built.

use std::{error::Error, fmt, time::Duration};

use tidemill_context::Cause;

use super::State;

/// The breaker did not let the call through; nothing was begun.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{BreakerOpen, CircuitBreaker, ManualClock, State};
///
/// let options = CircuitBreaker::builder().failures_in_a_row(3).open_for(Duration::from_secs(5)).open_jitter(0);
/// let breaker = options.clock(ManualClock::new()).build()?;
/// breaker.trip();
/// let BreakerOpen { state, retry_after, .. } = breaker.try_acquire().unwrap_err();
/// assert_eq!((state, retry_after), (State::Open, Some(Duration::from_secs(5)))); // for a `Retry-After`
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BreakerOpen {
    /// What the breaker was.
    pub state: State,
    /// When it is worth another try, if that is known: an open breaker knows, one whose probes are out does not.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for BreakerOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, self.retry_after) {
            (State::ForcedOpen, _) => f.write_str("the circuit breaker is held open"),
            (State::HalfOpen, _) => f.write_str("the circuit breaker waits for its probes"),
            (_, Some(after)) => write!(f, "the circuit breaker is open, retry after {after:?}"),
            (_, None) => f.write_str("the circuit breaker is open"),
        }
    }
}

impl Error for BreakerOpen {}

/// A wait for a breaker was not begun, or was ended, because of the ambient [`Context`](tidemill_context::Context).
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_context::Context;
/// use tidemill_resilience::{BreakerWait, CircuitBreaker};
///
/// let breaker = CircuitBreaker::builder().failures_in_a_row(3).open_for(Duration::from_secs(60)).build()?;
/// breaker.trip();
/// let request = Context::background().with_timeout(Duration::from_secs(10));
/// match request.scope(breaker.wait_ready()).await {
///     Err(BreakerWait::TooLong(open)) => assert!(open.retry_after > request.remaining()), // said at once
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BreakerWait {
    /// It stays open for longer than the caller has time.
    TooLong(BreakerOpen),
    /// The context was cancelled.
    Cancelled(Cause),
}

impl From<Cause> for BreakerWait {
    fn from(cause: Cause) -> Self {
        Self::Cancelled(cause)
    }
}

impl fmt::Display for BreakerWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(open) => write!(f, "{open}, which is past the deadline"),
            Self::Cancelled(cause) => write!(f, "waiting for the circuit breaker: {cause}"),
        }
    }
}

impl Error for BreakerWait {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TooLong(open) => Some(open),
            Self::Cancelled(cause) => Some(cause),
        }
    }
}

/// A call through a breaker failed: refused, or by itself.
///
/// # Examples
/// ```
/// use tidemill_resilience::{CallError, CircuitBreaker};
///
/// let breaker = CircuitBreaker::builder().failures_in_a_row(1).build()?;
/// let call = || breaker.call_blocking(|| Err::<u32, _>("down"));
/// assert_eq!(call(), Err(CallError::Failed("down")));
/// match call() {
///     Err(CallError::Open(open)) => assert!(open.retry_after.is_some()), // not begun: another server may take it
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallError<E> {
    /// It was not begun.
    Open(BreakerOpen),
    /// Its own error.
    Failed(E),
}

impl<E> From<BreakerOpen> for CallError<E> {
    fn from(open: BreakerOpen) -> Self {
        Self::Open(open)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(open) => open.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(open) => Some(open),
            Self::Failed(error) => Some(error),
        }
    }
}

/// An option of the breaker makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{CircuitBreaker, InvalidBreaker};
///
/// let options = CircuitBreaker::builder();
/// assert_eq!(options.clone().build().unwrap_err(), InvalidBreaker::NoReason);
/// let refused = options.failure_rate(50).last_calls(10).build().unwrap_err();
/// assert_eq!(refused, InvalidBreaker::MinCalls { asked: 20, window: 10 }); // 20 unless said otherwise
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidBreaker {
    /// Nothing would ever open it: no rate and no number of failures was given.
    NoReason,
    /// A rate is a percentage from 1 to 100.
    Rate(u32),
    /// A window of no calls or no time.
    NoWindow,
    /// Fewer calls fit into the window than are asked for before it is judged, so it would never be.
    MinCalls {
        /// The least number of calls.
        asked: u32,
        /// Calls in the window.
        window: u32,
    },
    /// Failures in a row are counted from one.
    InARow,
    /// The time to stay open is zero, above half a year, or above its own maximum.
    OpenFor(Duration),
    /// The jitter is a percentage up to 100.
    Jitter(u32),
    /// Probes are from 1 to 127, some at once, and no more must succeed than there are.
    Probes {
        /// Probes of a trial.
        probes: u32,
        /// Probes at once.
        at_once: u32,
        /// Successes needed.
        successes: u32,
    },
    /// The patience with probes is zero or above 17 minutes.
    Patience(Duration),
}

impl fmt::Display for InvalidBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReason => f.write_str("a circuit breaker without any limit never opens"),
            Self::Rate(rate) => write!(f, "a rate of {rate} % is not from 1 to 100 %"),
            Self::NoWindow => f.write_str("a circuit breaker needs a window of some length"),
            Self::MinCalls { asked, window } => {
                write!(f, "a window of {window} calls never holds the {asked} that are asked for")
            }
            Self::InARow => f.write_str("no failure in a row is always the case"),
            Self::OpenFor(time) => write!(f, "a circuit breaker cannot stay open for {time:?}"),
            Self::Jitter(percent) => write!(f, "a jitter of {percent} % is above 100 %"),
            Self::Probes { probes, at_once, successes } => {
                write!(f, "{successes} successes of {probes} probes, {at_once} at once, is no trial")
            }
            Self::Patience(time) => write!(f, "a trial cannot be given up after {time:?}"),
        }
    }
}

impl Error for InvalidBreaker {}
