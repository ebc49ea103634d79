//! What is left when no attempt of a hedged call succeeded.

use std::{error::Error, fmt};

use tidemill_context::Cause;

/// No attempt succeeded.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::Hedge;
///
/// let hedge = Hedge::after(Duration::from_millis(50)).max_hedges(2).build()?;
/// let failed = hedge.run(async |_| Err::<(), _>("down")).await.unwrap_err();
/// assert_eq!(failed.to_string(), "none of 3 attempts succeeded: down");
/// assert_eq!((failed.attempts(), failed.into_last()), (3, Some("down")));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HedgeError<E> {
    /// An error was final, or all attempts failed.
    Failed {
        /// The final error, or the last.
        last: E,
        /// Attempts sent, the first included.
        attempts: u32,
    },
    /// The ambient context was cancelled before there was an answer.
    Cancelled {
        /// Why.
        cause: Cause,
        /// Attempts sent, the first included.
        attempts: u32,
    },
}

impl<E> HedgeError<E> {
    /// Attempts sent, the first included.
    pub const fn attempts(&self) -> u32 {
        let (Self::Failed { attempts, .. } | Self::Cancelled { attempts, .. }) = self;
        *attempts
    }

    /// The final error, or the last, if an attempt failed.
    pub fn into_last(self) -> Option<E> {
        match self {
            Self::Failed { last, .. } => Some(last),
            Self::Cancelled { .. } => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for HedgeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { last, attempts } => write!(f, "none of {attempts} attempts succeeded: {last}"),
            Self::Cancelled { cause, attempts } => write!(f, "{cause}, with {attempts} attempts under way"),
        }
    }
}

impl<E: Error + 'static> Error for HedgeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { last, .. } => Some(last),
            Self::Cancelled { cause, .. } => Some(cause),
        }
    }
}

/// An option of the hedge makes no sense.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Hedge, InvalidHedge};
///
/// assert_eq!(Hedge::quantile(1000).build().unwrap_err(), InvalidHedge::Quantile(1000)); // 999 is the most
/// let none = Hedge::after(Duration::from_millis(50)).max_hedges(0);
/// assert_eq!(none.build().unwrap_err(), InvalidHedge::MaxHedges(0));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidHedge {
    /// The quantile is not between 1 and 999 thousandths.
    Quantile(u32),
    /// `max_hedges` is zero, or more than a hundred.
    MaxHedges(u32),
    /// A delay is above a year.
    TooLong,
}

impl fmt::Display for InvalidHedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(rank) => write!(f, "a hedge at a quantile of {rank} thousandths is not between 1 and 999"),
            Self::MaxHedges(hedges) => write!(f, "{hedges} hedges for one call are not between 1 and 100"),
            Self::TooLong => f.write_str("a delay of a hedge is above a year"),
        }
    }
}

impl Error for InvalidHedge {}
