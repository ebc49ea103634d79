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
//! *Cut* means that the group is cancelled, or this child alone is (by a [`Tie`]), and no [shield](crate::shield) protects it. The group
//! hears of the end after the future has been dropped, whatever way it ends, so who waits for the group waits for destructors.
//! If the runtime drops the child, that is a cancel as well.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{self, Poll, Waker},
};

use pin_project_lite::pin_project;
use tidemill_context::Cause;

use super::{
    current::{self, Shields},
    shared::{Outcome, Shared},
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
            Err(cut_off(this.future, member))
        } else {
            match member.poll(this.future.as_mut(), cx) {
                Ok(Poll::Ready(result)) => result.map_err(Failure::Error),
                Ok(Poll::Pending) if member.listen(cx.waker()) => return Poll::Pending,
                Ok(Poll::Pending) => Err(cut_off(this.future, member)),
                Err(payload) => {
                    drop(gone(this.future));
                    Err(Failure::Panicked(Panic::new(payload)))
                }
            }
        };
        member.finish(outcome);
        Poll::Ready(())
    }
}

/// Ends a child that is cut.
#[cold]
fn cut_off<F, T, E: fmt::Display>(future: Pin<&mut Option<F>>, member: &Member<T, E>) -> Failure<E> {
    match gone(future) {
        Some(panic) => Failure::Panicked(panic),
        None => member.cut(Cause::Cancelled),
    }
}

/// Drops the future, behind the wall; gives the panic of its destructor.
#[cold]
fn gone<F>(mut future: Pin<&mut Option<F>>) -> Option<Panic> {
    catch_unwind(AssertUnwindSafe(|| future.set(None))).err().map(Panic::new)
}

/// A future that is ready is dropped in the same breath, so that a panic of its destructor counts.
fn poll_and_drop<F: Future>(mut future: Pin<&mut Option<F>>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
    let running = future.as_mut().as_pin_mut().expect("a task is not polled after its end");
    let output = task::ready!(running.poll(cx));
    future.set(None);
    Poll::Ready(output)
}

/// Somebody outside of the group who may end a child alone, and who hears of its end: who waits for it to be
/// [ready](super::start), or has a handle to [abort](super::abort) it.
pub(super) trait Tie<E>: Send + Sync {
    /// Whether the child is to end. One load.
    fn is_cut(&self) -> bool;
    /// What it leaves if it does.
    fn cut(&self) -> Failure<E>;
    /// The child has ended. Gives back what of it is the group's business.
    fn ended(&self, failure: Option<Failure<E>>) -> Option<Failure<E>>;
}

/// A place in the group, which ends with the child.
pub(super) struct Member<T, E: fmt::Display> {
    /// None when the group has heard of the end.
    group: Option<Arc<Shared<T, E>>>,
    seat: Seat,
    /// Boxed, for few children have one, and every child pays for its size.
    tie: Option<Box<Arc<dyn Tie<E>>>>,
    shields: Option<Shields>,
    /// What the waker that was left for a cancel looks like: where its data and its table are. Zeros: none was left.
    known: [usize; 2],
}

impl<T, E: fmt::Display> Member<T, E> {
    pub(super) fn new(group: Arc<Shared<T, E>>, seat: Seat, tie: Option<Arc<dyn Tie<E>>>) -> Self {
        Self { group: Some(group), seat, tie: tie.map(Box::new), shields: None, known: [0; 2] }
    }

    /// Of a child that has not ended.
    #[inline]
    fn group(&self) -> &Arc<Shared<T, E>> {
        self.group.as_ref().expect("it is asked for until the end")
    }

    /// Whether the child is to be dropped now.
    #[inline]
    fn is_cut(&self) -> bool {
        (self.group().state.is_cancelled() || self.is_cut_alone()) && !self.is_shielded()
    }

    #[inline]
    fn is_cut_alone(&self) -> bool {
        self.tie.as_ref().is_some_and(|tie| tie.is_cut())
    }

    fn is_shielded(&self) -> bool {
        // Relaxed: written in polls of this child.
        self.shields.as_ref().is_some_and(|shields| shields.load(Ordering::Relaxed) > 0)
    }

    /// Polls the child behind the wall, with its context and itself as the current ones.
    fn poll<F: Future>(
        &mut self,
        future: Pin<&mut Option<F>>,
        cx: &mut task::Context<'_>,
    ) -> std::thread::Result<Poll<F::Output>> {
        let Self { group, seat, shields, .. } = self;
        let group = group.as_deref().expect("it is not polled after its end");
        let here = std::ptr::from_ref(group).addr();
        let poll = || catch_unwind(AssertUnwindSafe(|| group.context.enter(|| poll_and_drop(future, cx))));
        current::as_child(here, seat.number, shields, poll)
    }

    /// Leaves the waker of a pending poll for a cancel, unless it is there; `false` if the child is to be cut now.
    fn listen(&mut self, waker: &Waker) -> bool {
        // A task's waker stays the same for life, on both runtimes; if not, it is left again. The group holds a clone, so no
        // other waker has the same address meanwhile.
        let looks = [waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr()];
        if self.known != looks {
            let mut seat = self.seat;
            if self.group().state.listen(&mut seat, waker) {
                self.known = looks;
            }
            self.seat = seat;
        }
        !self.is_cut()
    }

    /// What a child leaves that was cut; for `cause` if neither the group nor its tie has one. Who asked for this one child's
    /// end gets what it asked for, also if the group is cancelled as well.
    #[cold]
    fn cut(&self, cause: Cause) -> Failure<E> {
        match &self.tie {
            Some(tie) if tie.is_cut() => tie.cut(),
            _ if self.group().state.is_cancelled() => Failure::Cancelled(self.group().cause()),
            _ => Failure::Cancelled(cause),
        }
    }

    fn finish(&mut self, outcome: Outcome<T, E>) {
        let group = self.group.take().expect("it ends once");
        let outcome = match self.tie.take() {
            None => Some(outcome),
            Some(tie) => untie(&**tie, outcome),
        };
        group.finish(self.seat, outcome);
    }
}

/// Tells who is tied to a child of its end; gives what of it is the group's business.
#[cold]
fn untie<T, E>(tie: &dyn Tie<E>, outcome: Outcome<T, E>) -> Option<Outcome<T, E>> {
    match outcome {
        Ok(value) => {
            tie.ended(None);
            Some(Ok(value))
        }
        Err(failure) => tie.ended(Some(failure)).map(Err),
    }
}

impl<T, E: fmt::Display> Drop for Member<T, E> {
    fn drop(&mut self) {
        if self.group.is_some() {
            // The runtime ends, or has ended before the first poll.
            let failure = self.cut(Cause::Shutdown);
            self.finish(Err(failure));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What README says of a child's memory.
    #[test]
    fn a_child_takes_fifty_six_bytes_beside_its_future() {
        type Future = std::future::Ready<Result<u64, String>>;
        assert_eq!(size_of::<Child<Future, u64, String>>() - size_of::<Future>(), 56);
    }
}
