//! What a cancel sets off: a function, registered or taken back; and what sets off a cancel: a guard that is dropped.

use std::{fmt, sync::Arc};

use crate::{Cause, Context, listeners::Place, node::Node};

/// A function that waits for its context's cancel; from [`Context::after_func`].
///
/// Dropping it leaves the function where it is. It keeps the context alive.
///
/// ```
/// use std::sync::mpsc::{self, TryRecvError};
/// use tidemill_context::{Cause, Context};
///
/// let (undo, undone) = mpsc::channel();
/// let ctx = Context::background();
/// let rollback = ctx.after_func(move |_| undo.send("remove the half of a file").unwrap());
/// assert!(rollback.stop(), "the file is whole");
/// ctx.cancel(Cause::Shutdown);
/// assert_eq!(undone.try_recv(), Err(TryRecvError::Disconnected)); // dropped, and never called
/// ```
pub struct AfterFunc {
    node: Arc<Node>,
    place: Option<Place>,
}

impl AfterFunc {
    pub(crate) fn new(node: Arc<Node>, place: Option<Place>) -> Self {
        Self { node, place }
    }

    /// Takes the function back and drops it.
    ///
    /// `true`: it has not run and never will. `false`: the context was cancelled first; the function has run, runs, or is
    /// about to. Of a stop and a cancel at the same time exactly one has it.
    pub fn stop(self) -> bool {
        self.place.is_some_and(|place| self.node.unlisten(place))
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").field("cause", &self.node.cause()).finish_non_exhaustive()
    }
}

/// Cancels its context when it is dropped; from [`Context::drop_guard`].
///
/// ```
/// use tidemill_context::{Cause, Context};
///
/// let ctx = Context::background();
/// let guard = ctx.drop_guard(Cause::Shutdown);
/// drop(guard);
/// assert_eq!(ctx.check(), Err(Cause::Shutdown));
/// ```
#[must_use = "it cancels the context as soon as it is dropped"]
#[derive(Debug)]
pub struct DropGuard {
    armed: Option<(Context, Cause)>,
}

impl DropGuard {
    pub(crate) fn new(context: Context, cause: Cause) -> Self {
        Self { armed: Some((context, cause)) }
    }

    /// Lets the context live.
    pub fn disarm(mut self) {
        self.armed = None;
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some((context, cause)) = self.armed.take() {
            context.cancel(cause);
        }
    }
}
