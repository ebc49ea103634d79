//! What can go wrong, one small type per question: the payment, the batch, the settings.

use std::{error::Error, fmt};

use tidemill::resilience::{InvalidBreaker, InvalidBudget, InvalidLimiter, InvalidRetry};

/// Why a charge has no [`Outcome`](crate::Outcome).
///
/// There is deliberately no variant that says "failed, nothing was charged". A request that timed out,
/// met a 5xx or lost its connection may have been recorded by the provider; even one that was never
/// sent may have been sent by an earlier run of the service under the same key. The only safe way on
/// is to ask again later with the **same** key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentError {
    /// The charge may or may not have happened: ask again later with the same key.
    Unknown {
        /// How many attempts were begun.
        attempts: u32,
        /// What the last of them met.
        cause: Cause,
    },
    /// The provider refused the very first request as wrong (a 4xx other than 429). Asking again
    /// unchanged cannot help; it is a fault of the caller, not a declined card.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the provider said, cut to [`crate::limits::MESSAGE_BYTES`].
        message: String,
    },
}

impl PaymentError {
    /// The error of a call that sent `attempts` requests and ended on `cause`.
    ///
    /// A refusal is believed only if it answered the first request: after an attempt that may have been
    /// recorded, "your request is wrong" says nothing about the money.
    pub(crate) fn after(attempts: u32, cause: Cause) -> Self {
        match cause {
            Cause::Status { code, message } if attempts == 1 && is_final(code) => {
                Self::Refused { status: code, message }
            }
            cause => Self::Unknown { attempts, cause },
        }
    }
}

/// Whether a status says that the request itself is wrong, so that repeating it is useless.
pub(crate) fn is_final(code: u16) -> bool {
    (400..500).contains(&code) && code != 429
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { attempts, cause } => {
                write!(f, "payment unknown after {attempts} attempts: {cause}")
            }
            Self::Refused { status, message } => {
                write!(f, "payment request refused with {status}: {message}")
            }
        }
    }
}

impl Error for PaymentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unknown { cause, .. } => Some(cause),
            Self::Refused { .. } => None,
        }
    }
}

/// What one attempt met instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No answer within the time of one attempt.
    TimedOut,
    /// The time of the whole call was used up, or would have been before this attempt's turn.
    Deadline,
    /// The provider has not answered lately and was not asked.
    Open,
    /// The provider answered with this status instead of a result.
    Status {
        /// The HTTP status.
        code: u16,
        /// The start of its body.
        message: String,
    },
    /// Connecting, writing or reading failed.
    Io(String),
    /// The answer came but could not be understood.
    Malformed(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Deadline => f.write_str("the deadline passed"),
            Self::Open => f.write_str("the provider does not answer and was not asked"),
            Self::Status { code, message } => write!(f, "status {code}: {message}"),
            Self::Io(what) => write!(f, "connection: {what}"),
            Self::Malformed(what) => write!(f, "malformed answer: {what}"),
        }
    }
}

impl Error for Cause {}

/// Why a batch was not even sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// More charges than one request may carry.
    TooLarge {
        /// How many were given.
        len: usize,
        /// How many may be.
        max: usize,
    },
    /// Two charges of the batch share a key, so one answer would have to serve both.
    DuplicateKey(String),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { len, max } => write!(f, "batch of {len} charges; at most {max} fit"),
            Self::DuplicateKey(key) => write!(f, "key {key:?} is twice in the batch"),
        }
    }
}

impl Error for BatchError {}

/// Which setting of the gateway or of the simulator is out of its range.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigError {
    /// Not of the form `http://host:port`.
    Url(String),
    /// The rate limit makes no sense.
    Limit(InvalidLimiter),
    /// Attempts, back-off or deadline make no sense.
    Retry(InvalidRetry),
    /// The retry budget makes no sense.
    Budget(InvalidBudget),
    /// The breaker's share of failures or its time makes no sense.
    Breaker(InvalidBreaker),
    /// The time of an attempt must be above zero.
    AttemptTimeout,
    /// At least one connection is needed.
    Connections(usize),
    /// A fault's rate must lie in 0..=1.
    FaultRate {
        /// The fault.
        name: &'static str,
        /// Its rate as given.
        rate: f64,
    },
    /// The rates of the faults that exclude each other add up to more than one.
    FaultSum(f64),
    /// Not of the form `name=rate`, or no such fault.
    FaultText(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "provider url {url:?} is not http://host:port"),
            Self::Limit(error) => write!(f, "limit: {error}"),
            Self::Retry(error) => write!(f, "retry: {error}"),
            Self::Budget(error) => write!(f, "retry budget: {error}"),
            Self::Breaker(error) => write!(f, "circuit breaker: {error}"),
            Self::AttemptTimeout => f.write_str("the time of an attempt must be above zero"),
            Self::Connections(n) => write!(f, "{n} connections: at least one is needed"),
            Self::FaultRate { name, rate } => write!(f, "fault {name}: rate {rate} not in 0..=1"),
            Self::FaultSum(sum) => write!(f, "fault rates add up to {sum}, above 1"),
            Self::FaultText(text) => write!(f, "fault {text:?} is not name=rate of a known fault"),
        }
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Limit(error) => Some(error),
            Self::Retry(error) => Some(error),
            Self::Budget(error) => Some(error),
            Self::Breaker(error) => Some(error),
            _ => None,
        }
    }
}
