//! One call of the manager's: bounded in time, and a panic of it is a failure like any other.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use super::{error::CreateError, shared::Rules};

/// Runs what `start` returns, for at most the time that the pool allows.
pub(super) async fn step<T, E, F: Future<Output = Result<T, E>>>(
    rules: &Rules,
    start: impl FnOnce() -> F,
) -> Result<T, CreateError<E>> {
    let bound = rules.step_timeout;
    match rules.clock.timeout(bound, walled(async { start().await })).await {
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
