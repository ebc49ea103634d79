//! Why a get failed, and what went wrong behind it.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tidemill_context::Cause;

/// Why no resource was to be had.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use std::time::Duration;
/// use tidemill_pools::{GetError, Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).max(1).build()?;
/// let _held = pool.get().await?;
/// let answer = match pool.get_within(Duration::from_secs(1)).await {
///     Ok(_number) => "served",
///     Err(GetError::Timeout { last_create_error: Some(_), .. }) => "the database is down", // none can be made
///     Err(GetError::Timeout { .. } | GetError::TooManyWaiting) => "busy, try later",
///     Err(_) => "we are closing",
/// };
/// assert_eq!(answer, "busy, try later");
/// # Ok(()) }
/// ```
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
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io;
/// use tidemill_pools::{CreateError, GetError, Manager, ResourcePool};
/// # struct Down;
/// # impl Manager for Down { type Resource = u64; type Error = io::Error;
/// #     async fn create(&self) -> io::Result<u64> { Err(io::ErrorKind::ConnectionRefused.into()) } }
///
/// let pool = ResourcePool::builder(Down).build()?; // nobody answers there
/// let Err(GetError::Timeout { last_create_error: Some(why), .. }) = pool.get().await else { unreachable!() };
/// match &*why {
///     CreateError::Failed(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused),
///     other => panic!("{other}"), // too slow, or the manager panicked
/// }
/// # Ok(()) }
/// ```
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
