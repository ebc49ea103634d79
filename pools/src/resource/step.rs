//! One call of the manager's: bounded in time, and a panic of it is a failure like any other.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::error::CreateError;

/// Runs what `start` returns, for at most `bound`.
pub(super) async fn step<T, E, F: Future<Output = Result<T, E>>>(
    bound: Duration,
    start: impl FnOnce() -> F,
) -> Result<T, CreateError<E>> {
    match tokio::time::timeout(bound, walled(async { start().await })).await {
        Ok(Some(outcome)) => outcome.map_err(CreateError::Failed),
        Ok(None) => Err(CreateError::Panicked),
        Err(_elapsed) => Err(CreateError::TooSlow(bound)),
    }
}

/// The output, or `None` if the future panics.
async fn walled<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(turn) => turn.map(Some),
        Err(_payload) => Poll::Ready(None),
    })
    .await
}
