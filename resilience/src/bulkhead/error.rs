//! Why a bulkhead let nobody in, or could not be built.

use std::{error::Error, fmt, time::Duration};

use tidemill_context::Cause;

/// The bulkhead did not let the call in; nothing was taken.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_resilience::{Bulkhead, BulkheadFull};
///
/// let bulkhead = Bulkhead::builder(2).max_waiters(0).build()?;
/// assert_eq!(bulkhead.acquire_many(3).await.unwrap_err(), BulkheadFull::TooLarge { asked: 3, limit: 2 });
/// let _both = bulkhead.acquire_many(2).await?;
/// match bulkhead.acquire().await {
///     Err(BulkheadFull::LineFull { waiters }) => assert_eq!(waiters, 0), // a server answers 503
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BulkheadFull {
    /// Not so many permits are free, or others wait for them.
    Busy,
    /// As many wait already as may.
    LineFull {
        /// How many wait.
        waiters: usize,
    },
    /// It was not this call's turn within the longest wait.
    TimedOut {
        /// How long it waited.
        waited: Duration,
    },
    /// More was asked for than the limit, or than the limit has become.
    TooLarge {
        /// Permits asked for.
        asked: u32,
        /// The limit.
        limit: u32,
    },
    /// The bulkhead was closed.
    Closed,
    /// The ambient [`Context`](tidemill_context::Context) was cancelled before it was this call's turn.
    Cancelled(Cause),
}

impl From<Cause> for BulkheadFull {
    fn from(cause: Cause) -> Self {
        Self::Cancelled(cause)
    }
}

impl fmt::Display for BulkheadFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("the bulkhead is full"),
            Self::LineFull { waiters } => write!(f, "{waiters} calls wait for the bulkhead already"),
            Self::TimedOut { waited } => write!(f, "the bulkhead was full for {waited:?}"),
            Self::TooLarge { asked, limit } => write!(f, "{asked} permits asked of a bulkhead of {limit}"),
            Self::Closed => f.write_str("the bulkhead is closed"),
            Self::Cancelled(cause) => write!(f, "waiting for the bulkhead: {cause}"),
        }
    }
}

impl Error for BulkheadFull {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if let Self::Cancelled(cause) = self { Some(cause) } else { None }
    }
}

/// An option of the bulkhead makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Bulkhead, InvalidBulkhead};
///
/// assert_eq!(Bulkhead::builder(0).build().unwrap_err(), InvalidBulkhead::NoLimit);
/// let bulkhead = Bulkhead::builder(5).build()?;
/// assert_eq!(bulkhead.resize(0), Err(InvalidBulkhead::NoLimit));
/// assert_eq!(bulkhead.stats().limit, 5, "nothing was changed");
/// # Ok::<(), InvalidBulkhead>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidBulkhead {
    /// A limit of zero lets nobody in, for ever.
    NoLimit,
}

impl fmt::Display for InvalidBulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLimit => f.write_str("a bulkhead with a limit of zero lets nobody in"),
        }
    }
}

impl Error for InvalidBulkhead {}
