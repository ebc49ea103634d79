//! Obeying the ambient context: whatever waits asks it for the time left first, and ends when it is cancelled.
//!
//! Only slow paths come here: a call that succeeds at once never looks. A wait that cannot end within the time left is refused
//! at once, with the wait it would take; one that was begun ends with the cause, and what it held goes back as it is dropped.

use std::{future::Future, time::Duration};

use tidemill_context::{Cause, Context};

/// The time left to the running code, if there is a limit to it.
///
/// # Errors
/// The ambient context is cancelled.
pub(crate) fn time_left() -> Result<Option<Duration>, Cause> {
    Context::with_current(|ambient| match ambient {
        None => Ok(None),
        Some(context) => context.check().map(|()| context.remaining()),
    })
}

/// Waits for `future`, which is dropped if the ambient context is cancelled first.
pub(crate) async fn obeying<T, E: From<Cause>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match Context::try_current() {
        None => future.await,
        Some(context) => context.run(future).await.unwrap_or_else(|cause| Err(cause.into())),
    }
}
