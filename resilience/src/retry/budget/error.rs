//! What a budget refuses to be.

use std::{error::Error, fmt};

/// The budget makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{InvalidBudget, RetryBudget};
///
/// assert_eq!(RetryBudget::new(10, 150).unwrap_err(), InvalidBudget::Percent(150));
/// let refused = RetryBudget::new(0, 10).unwrap_err();
/// assert_eq!(refused.to_string(), "a retry budget without a reserve never allows a retry");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidBudget {
    /// The reserve is zero.
    NoReserve,
    /// More than one retry for each success.
    Percent(u32),
    /// No tokens, or more than gRPC allows.
    Tokens(u32),
    /// A success wins no token back.
    NoRatio,
}

impl fmt::Display for InvalidBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReserve => f.write_str("a retry budget without a reserve never allows a retry"),
            Self::Percent(percent) => write!(f, "a retry budget of {percent} % is above 100 %"),
            Self::Tokens(max) => write!(f, "a retry budget of {max} tokens is not between 1 and 1000"),
            Self::NoRatio => f.write_str("a retry budget whose successes win no token back stays empty for ever"),
        }
    }
}

impl Error for InvalidBudget {}
