//! Obeying the ambient context: a wait ends when it is cancelled, and one that cannot end in time is not begun.
//!
//! Only those who have to wait come here; a call that passes at once never looks.

use std::{future::Future, time::Duration};

use tidemill_context::{Cause, Context};

/// Whether a wait of `time` is over before the deadline of the ambient context.
pub(crate) fn suffices(time: Duration) -> bool {
    Context::with_current(|ambient| ambient.and_then(Context::remaining)).is_none_or(|left| time < left)
}

/// Waits for `future`, which is dropped if the ambient context is cancelled first.
pub(crate) async fn obeying<T>(future: impl Future<Output = T>) -> Result<T, Cause> {
    match Context::try_current() {
        None => Ok(future.await),
        Some(context) => context.run(future).await,
    }
}
