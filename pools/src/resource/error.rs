//! Why a get failed, and what went wrong behind it.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tidemill_context::Cause;

/// Why no resource was to be had.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GetError<E> {
    /// The time for the whole get is up.
    Timeout {
        /// How long the caller waited.
        waited: Duration,
        /// Why the last attempt to make a resource failed, if it did and none has been made since.
        last_create_error: Option<Arc<CreateError<E>>>,
    },
    /// The ambient context was cancelled: while the caller waited, or before, and there was nothing to be had at once.
    Cancelled {
        /// Why.
        cause: Cause,
        /// How long the caller waited.
        waited: Duration,
        /// As in [`Timeout`](Self::Timeout).
        last_create_error: Option<Arc<CreateError<E>>>,
    },
    /// So many callers wait already that no more may (the builder's `max_waiting`).
    TooManyWaiting,
    /// The pool is closed, or was while the caller waited.
    Closed,
}

impl<E: fmt::Display> fmt::Display for GetError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { waited, last_create_error: None } => {
                write!(f, "no resource came free within {waited:?}; the pool's `holders()` tells who has them")
            }
            Self::Timeout { waited, last_create_error: Some(error) } => {
                write!(f, "no resource within {waited:?}, and none can be made: {error}")
            }
            Self::Cancelled { cause, waited, last_create_error: None } => {
                write!(f, "waited {waited:?} for a resource; {cause}")
            }
            Self::Cancelled { cause, waited, last_create_error: Some(error) } => {
                write!(f, "waited {waited:?} for a resource; {cause}; and none can be made: {error}")
            }
            Self::TooManyWaiting => f.write_str("too many callers wait for a resource already"),
            Self::Closed => f.write_str("the resource pool is closed"),
        }
    }
}

impl<E: Error + 'static> Error for GetError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Timeout { last_create_error: Some(error), .. } => Some(&**error),
            Self::Cancelled { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

/// Why a resource could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError<E> {
    /// The manager's error.
    Failed(E),
    /// It took longer than a step may.
    TooSlow(Duration),
    /// The manager panicked.
    Panicked,
}

impl<E: fmt::Display> fmt::Display for CreateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TooSlow(bound) => write!(f, "not made within {bound:?}"),
            Self::Panicked => f.write_str("the manager panicked while making it"),
        }
    }
}

impl<E: Error + 'static> Error for CreateError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::TooSlow(_) | Self::Panicked => None,
        }
    }
}
