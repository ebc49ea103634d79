//! The context that the running code belongs to: what a job takes along, and what ends a wait.
//!
//! Cost outside of every context: one thread-local load per submission and one per wait. Inside of one: an allocation and a
//! few counted references per job, to take it along.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
    time::Duration,
};

use tidemill_context::{Cancelled, Cause, Context};

/// Whether there is a context to take along.
#[inline]
pub(super) fn is_there() -> bool {
    Context::with_current(|ambient| ambient.is_some())
}

/// The ambient context, for a job to be run in; or why no job is wanted there any more.
pub(super) fn to_take_along() -> Result<Option<Context>, Cause> {
    Context::with_current(|ambient| {
        let Some(context) = ambient else { return Ok(None) };
        context.check()?;
        match context.remaining() {
            Some(Duration::ZERO) => Err(Cause::DeadlineExceeded),
            _ => Ok(Some(context.clone())),
        }
    })
}

/// Ends a wait when the context it began in is cancelled.
#[derive(Debug, Default)]
pub(super) struct Interrupt(Option<Cancelled>);

impl Interrupt {
    /// To be asked by a wait that cannot end just now; the cause, if it is to end all the same.
    pub(super) fn poll(&mut self, cx: &mut task::Context<'_>) -> Option<Cause> {
        if self.0.is_none() {
            self.0 = Context::with_current(|ambient| ambient.map(Context::cancelled));
        }
        match Pin::new(self.0.as_mut()?).poll(cx) {
            Poll::Ready(cause) => Some(cause),
            Poll::Pending => None,
        }
    }
}
