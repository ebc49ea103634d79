//! The two smallest guards of a call: an end in time, and something to return when all else failed.
//!
//! Both are plain functions around a future, polled in place, without an allocation. A time-out makes its timer only if the first
//! poll does not finish, so a call that is ready at once reads no clock.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tidemill_context::Cause;

use crate::{Clock, TokioClock, ambient};

/// Ends `operation` after `limit`, or with the ambient context if that is earlier.
///
/// *Cancel safe* as far as `operation` is: an operation that is out of time is dropped, and its value with it.
///
/// # Errors
/// [`TimedOut`] if the time is over, or the ambient context is cancelled.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::{future::pending, time::Duration};
/// use tidemill_resilience::{TimedOut, timeout};
///
/// let limit = Duration::from_millis(50);
/// assert_eq!(timeout(limit, async { 42 }).await, Ok(42));
/// assert_eq!(timeout(limit, pending::<u32>()).await, Err(TimedOut::After(limit)));
/// # }
/// ```
pub async fn timeout<F: Future>(limit: Duration, operation: F) -> Result<F::Output, TimedOut> {
    timeout_by(&TokioClock, limit, operation).await
}

/// [`timeout`] by another clock.
///
/// # Errors
/// As [`timeout`].
pub async fn timeout_by<C: Clock, F: Future>(clock: &C, limit: Duration, operation: F) -> Result<F::Output, TimedOut> {
    let mut operation = pin!(operation);
    let mut end = pin!(ambient::until_cancelled(async { clock.sleep_until(clock.now() + limit).await }));
    poll_fn(|cx| match operation.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => {
            end.as_mut().poll(cx).map(|end| Err(end.map_or_else(TimedOut::Cancelled, |()| TimedOut::After(limit))))
        }
    })
    .await
}

/// Awaits `operation`, and if it fails, what `instead` makes of the error: the outermost guard of a call.
///
/// # Errors
/// What `instead` returns.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_resilience::fallback;
///
/// let price = fallback(async { Err::<u32, _>("down") }, async |_| Ok::<_, &str>(7)).await;
/// assert_eq!(price, Ok(7));
/// # }
/// ```
pub async fn fallback<T, E, D>(
    operation: impl Future<Output = Result<T, E>>,
    instead: impl AsyncFnOnce(E) -> Result<T, D>,
) -> Result<T, D> {
    match operation.await {
        Ok(value) => Ok(value),
        Err(error) => instead(error).await,
    }
}

/// The operation was not done in time.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::{future::pending, time::Duration};
/// use tidemill_context::{Cause, Context};
/// use tidemill_resilience::{TimedOut, timeout};
///
/// let limit = Duration::from_millis(50);
/// let late = timeout(limit, pending::<u32>()).await.unwrap_err();
/// assert_eq!(late.to_string(), "timed out after 50ms");
/// let request = Context::background();
/// request.cancel(Cause::Shutdown);
/// let cut = request.scope(timeout(limit, pending::<u32>())).await;
/// assert_eq!(cut, Err(TimedOut::Cancelled(Cause::Shutdown)));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TimedOut {
    /// It ran for this long.
    After(Duration),
    /// The ambient context was cancelled first.
    Cancelled(Cause),
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(limit) => write!(f, "timed out after {limit:?}"),
            Self::Cancelled(cause) => cause.fmt(f),
        }
    }
}

impl Error for TimedOut {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::After(_) => None,
            Self::Cancelled(cause) => cause.source(),
        }
    }
}
