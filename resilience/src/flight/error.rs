//! What a single flight refuses.

use std::{error::Error, fmt};

use tidemill_context::Cause;

/// There is no answer.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_resilience::{FlightError, SingleFlight};
///
/// let flights = SingleFlight::new(1000)?.max_waiters(0);
/// let fetch = || async {
///     tokio::task::yield_now().await;
///     42
/// };
/// let (leader, second) = tokio::join!(flights.run("answer", fetch), flights.run("answer", fetch));
/// assert_eq!(leader, Ok(42));
/// assert_eq!(second, Err(FlightError::TooManyWaiters { waiters: 0 }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FlightError {
    /// As many keys as allowed have a call under way.
    TooManyKeys {
        /// Of this key's share of the map.
        keys: usize,
    },
    /// As many callers as allowed wait for this key.
    TooManyWaiters {
        /// Who wait already.
        waiters: usize,
    },
    /// The ambient context of this caller was cancelled first.
    Cancelled(Cause),
}

impl fmt::Display for FlightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyKeys { keys } => write!(f, "calls for {keys} other keys are under way already"),
            Self::TooManyWaiters { waiters } => write!(f, "{waiters} callers wait for the same call already"),
            Self::Cancelled(cause) => cause.fmt(f),
        }
    }
}

impl Error for FlightError {}

/// An option of the single flight makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{InvalidFlight, SingleFlight};
///
/// let refused = SingleFlight::<String, u32>::new(0).unwrap_err();
/// assert_eq!(refused, InvalidFlight::NoKeys);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidFlight {
    /// `max_keys` is zero.
    NoKeys,
}

impl fmt::Display for InvalidFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeys => f.write_str("a single flight without room for a key refuses every call"),
        }
    }
}

impl Error for InvalidFlight {}
