//! A child: the user's future, polled behind a wall that panics do not pass, with the group's context as the ambient one,
//! and cut when the group is cancelled.
//!
//! ```text
//!   poll ──► cut? ──yes──────────────────────────────► drop the future ─► tell the group: Cancelled
//!             │no                                              ▲
//!             ▼                                                │yes
//!           poll the future ── pending ─► leave the waker ─► cut?  ──no──► Pending
//!             │        │
//!             │ready   └─ panicked ─► drop the future ─► tell the group: Panicked
//!             ▼
//!           drop the future ─► tell the group: the result
//! ```
//!
//! *Cut* means that the group is cancelled, or this child alone is, and no [shield](crate::shield) protects it. The group
//! hears of the end after the future has been dropped, whatever way it ends, so who waits for the group waits for destructors.
//! If the runtime drops the child, that is a cancel as well.

use std::{
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{self, Poll, Waker},
};

use pin_project_lite::pin_project;
use tidemill_context::Cause;

use super::{
    current::{self, Current, Shields},
    shared::{Outcome, Shared},
    start::Handshake,
};
use crate::{Failure, Panic, state::Seat};

pin_project! {
    /// The future that is spawned.
    pub(super) struct Child<F, T, E: fmt::Display> {
        // Before the membership, so that it is dropped before the group hears of it.
        #[pin]
        future: Option<F>,
        member: Member<T, E>,
    }
}

impl<F, T, E: fmt::Display> Child<F, T, E> {
    pub(super) fn new(future: F, member: Member<T, E>) -> Self {
        Self { future: Some(future), member }
    }
}

impl<F, T, E> Future for Child<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let member = this.member;
        let outcome = if member.is_cut() {
            None
        } else {
            match member.as_current(|| poll_and_drop(this.future.as_mut(), cx)) {
                Ok(Poll::Ready(result)) => Some(result.map_err(Failure::Error)),
                Ok(Poll::Pending) if member.listen(cx.waker()) => return Poll::Pending,
                Ok(Poll::Pending) => None,
                Err(payload) => Some(Err(Failure::Panicked(Panic::new(payload)))),
            }
        };
        // Gone already, unless it panicked or is cut.
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        let outcome = match (outcome, dropped) {
            (Some(outcome), _) => outcome,
            (None, Ok(())) => Err(Failure::Cancelled(member.cause())),
            (None, Err(payload)) => Err(Failure::Panicked(Panic::new(payload))),
        };
        member.finish(outcome);
        Poll::Ready(())
    }
}

/// A future that is ready is dropped in the same breath, so that a panic of its destructor counts.
fn poll_and_drop<F: Future>(mut future: Pin<&mut Option<F>>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
    let running = future.as_mut().as_pin_mut().expect("a task is not polled after its end");
    let output = task::ready!(running.poll(cx));
    future.set(None);
    Poll::Ready(output)
}

/// A place in the group, which ends with the child.
pub(super) struct Member<T, E: fmt::Display> {
    group: Arc<Shared<T, E>>,
    seat: Seat,
    /// While the child starts: who waits for it to be ready.
    handshake: Option<Arc<dyn Handshake<E>>>,
    shields: Option<Shields>,
    /// What the waker that was left for a cancel looks like: where its data and its table are. Zeros: none was left.
    known: [usize; 2],
    finished: bool,
}

impl<T, E: fmt::Display> Member<T, E> {
    pub(super) fn new(group: Arc<Shared<T, E>>, seat: Seat, handshake: Option<Arc<dyn Handshake<E>>>) -> Self {
        Self { group, seat, handshake, shields: None, known: [0; 2], finished: false }
    }

    /// Whether the child is to be dropped now.
    fn is_cut(&self) -> bool {
        let cancelled =
            self.group.state.is_cancelled() || self.handshake.as_ref().is_some_and(|start| start.is_given_up());
        cancelled && !self.is_shielded()
    }

    fn is_shielded(&self) -> bool {
        // Relaxed: written in polls of this child.
        self.shields.as_ref().is_some_and(|shields| shields.load(Ordering::Relaxed) > 0)
    }

    /// Runs a poll of the child, with its context and itself as the current ones.
    fn as_current<R>(&mut self, poll: impl FnOnce() -> R) -> std::thread::Result<R> {
        let group = Arc::as_ptr(&self.group).addr();
        let child = Current { group, seat: self.seat, shields: mem::take(&mut self.shields) };
        let before = current::replace(Some(child));
        let result = catch_unwind(AssertUnwindSafe(|| self.group.context.enter(poll)));
        self.shields = current::replace(before).and_then(|child| child.shields);
        result
    }

    /// Leaves the waker of a pending poll for a cancel, unless it is there; `false` if the child is to be cut now.
    fn listen(&mut self, waker: &Waker) -> bool {
        // A task's waker stays the same for life, on both runtimes; if not, it is left again. The group holds a clone, so no
        // other waker has the same address meanwhile.
        let looks = [waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr()];
        if self.known != looks && self.group.state.listen(self.seat, waker) {
            self.known = looks;
        }
        !self.is_cut()
    }

    fn cause(&self) -> Cause {
        if self.group.state.is_cancelled() { self.group.cause() } else { Cause::Cancelled }
    }

    fn finish(&mut self, outcome: Outcome<T, E>) {
        self.finished = true;
        let outcome = match (self.handshake.take(), outcome) {
            (None, outcome) => Some(outcome),
            (Some(start), Ok(value)) => {
                start.ended(None);
                Some(Ok(value))
            }
            (Some(start), Err(failure)) => start.ended(Some(failure)).map(Err),
        };
        self.group.finish(self.seat, outcome);
    }
}

impl<T, E: fmt::Display> Drop for Member<T, E> {
    fn drop(&mut self) {
        if !self.finished {
            // The runtime ends, or has ended before the first poll.
            let cause = if self.group.state.is_cancelled() { self.group.cause() } else { Cause::Shutdown };
            self.finish(Err(Failure::Cancelled(cause)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What README says of a child's memory.
    #[test]
    fn a_child_takes_seventy_two_bytes_beside_its_future() {
        type Future = std::future::Ready<Result<u64, String>>;
        assert_eq!(size_of::<Child<Future, u64, String>>() - size_of::<Future>(), 72);
    }
}
