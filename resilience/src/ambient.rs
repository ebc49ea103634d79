//! Obeying the ambient context: whatever waits asks it for the time left first, and ends when it is cancelled.
//!
//! Only slow paths come here: a call that succeeds at once never looks. A wait that cannot end within the time left is refused
//! at once, with the wait it would take; one that was begun ends with the cause, and what it held goes back as it is dropped.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

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

/// Says no if the ambient context is cancelled, or will be before a wait of `time` is over. One clock read if it has a deadline.
pub(crate) fn admits(time: Duration) -> Result<(), Cause> {
    if time_left()?.is_some_and(|left| left <= time) { Err(Cause::DeadlineExceeded) } else { Ok(()) }
}

/// Time until the deadline of the ambient context, if it has one.
pub(crate) fn remaining() -> Option<Duration> {
    Context::with_current(|context| context?.remaining())
}

/// Awaits what may be ready at once: the context is looked up only at the first poll that is not, and entered there once.
pub(crate) async fn until_cancelled<T>(operation: impl Future<Output = T>) -> Result<T, Cause> {
    let mut operation = pin!(operation);
    let mut cancelled = None;
    poll_fn(|cx| {
        if let Poll::Ready(value) = operation.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        match cancelled.get_or_insert_with(|| Context::with_current(|context| context.map(Context::cancelled))) {
            Some(cancelled) => Pin::new(cancelled).poll(cx).map(Err),
            None => Poll::Pending,
        }
    })
    .await
}
