//! What is left when no attempt of a hedged call succeeded.

use std::{error::Error, fmt};

/// No attempt succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HedgeError<E> {
    /// The error of the attempt that ended the call: a final one, or the last of all that failed.
    pub last: E,
    /// Attempts sent, the first included.
    pub attempts: u32,
}

impl<E: fmt::Display> fmt::Display for HedgeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "none of {} attempts succeeded: {}", self.attempts, self.last)
    }
}

impl<E: Error + 'static> Error for HedgeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.last)
    }
}

/// An option of the hedge makes no sense.
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
