//! What owner, scopes and children of a group share: the state, the context, where to spawn and what a failure means.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use tidemill_context::{Cause, Context};
use tidemill_spawner::Spawner;

use crate::{
    Failure,
    state::{Seat, State},
};

/// What a child leaves.
pub(super) type Outcome<T, E> = Result<T, Failure<E>>;

/// What a failure of one child means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    CancelAll,
    GoOn,
}

/// What becomes of the values of children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Keep,
    Drop,
}

#[derive(Debug)]
pub(super) struct Shared<T, E> {
    pub(super) state: State<Outcome<T, E>>,
    pub(super) context: Context,
    pub(super) spawner: Option<Spawner>,
    pub(super) on_failure: OnFailure,
    pub(super) values: Values,
}

impl<T: Send + 'static, E: Send + 'static> Shared<T, E> {
    /// Sees to it that a cancel of the context reaches the children. The context knows the group only weakly, as the group
    /// keeps the context alive.
    pub(super) fn obey_context(self: &Arc<Self>) {
        let group: Weak<Self> = Arc::downgrade(self);
        let tell = move |_: &Cause| {
            if let Some(group) = group.upgrade() {
                group.state.cancel();
            }
        };
        // It stays registered until the context's end.
        drop(self.context.after_func(tell));
    }
}

impl<T, E> Shared<T, E> {
    /// Ends all children, for `cause` if it is the first.
    pub(super) fn cancel(&self, cause: Cause) {
        self.context.cancel(cause);
        // The context has told the state, unless another cancel is still about to.
        self.state.cancel();
    }

    /// Why the group was cancelled. Only to be asked when it was.
    pub(super) fn cause(&self) -> Cause {
        // The context is cancelled before the state is.
        self.context.cause().unwrap_or(Cause::Cancelled)
    }
}

impl<T, E: fmt::Display> Shared<T, E> {
    /// A child has ended, and its destructors ran. `None`: it leaves nothing.
    pub(super) fn finish(&self, seat: Seat, outcome: Option<Outcome<T, E>>) {
        let outcome = match self.values {
            Values::Keep => outcome,
            Values::Drop => outcome.filter(|outcome| outcome.as_ref().is_err_and(|failure| !failure.is_aborted())),
        };
        if matches!(outcome, None | Some(Ok(_))) {
            return self.state.finish(seat, outcome, false, || ());
        }
        let fault =
            outcome.as_ref().and_then(|outcome| outcome.as_ref().err()).filter(|failure| !failure.is_cancelled());
        let cause = fault.filter(|_| self.on_failure == OnFailure::CancelAll).map(Failure::cause);
        if cause.is_some() && self.context.is_cancelled() {
            // Somebody further up has cancelled, and the child was told before the group: it is not the root.
            self.state.cancel();
        }
        let failed = fault.is_some();
        let spread = || {
            if let Some(cause) = cause {
                self.cancel(cause);
            }
        };
        self.state.finish(seat, outcome, failed, spread);
    }
}
