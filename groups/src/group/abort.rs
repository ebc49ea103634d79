//! Ending one child and nobody else: a flag that the child looks at together with its group's, and the way to wake it.
//!
//! The handle stores the flag and then takes the child's waker under the group's lock; the child leaves its waker under
//! the lock and then looks at the flag. So it sees the flag, or its waker is found. Whether the child ended before is
//! decided by the child alone, when it looks before and after each poll: exactly one outcome comes of it.
//!
//! Rejected: a handle from every `spawn`. It needs memory that child and handle share, an allocation and four counted references
//! for children of whom hardly any is ever aborted; those that may be say so.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{child::Tie, shared::Shared};
use crate::{Failure, state::Seat};

/// Ends one child of a group; from [`TaskGroup::spawn_abortable`](crate::TaskGroup::spawn_abortable).
///
/// A clone is the same. Dropping it ends nobody.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{Failure, TaskGroup};
///
/// let group = TaskGroup::<u32, &str>::new();
/// group.spawn(async { Ok(1) }).await.unwrap();
/// let stuck = group.spawn_abortable(std::future::pending()).await.unwrap();
/// group.spawn(async { Ok(3) }).await.unwrap();
/// stuck.abort();
/// assert_eq!(group.wait().await.unwrap(), [1, 3]); // no failure: somebody wanted it so
/// assert!(stuck.is_finished());
/// # }
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    ask: Arc<Ask>,
    group: Arc<dyn Rouse>,
    seat: Seat,
}

impl AbortHandle {
    /// A handle for the child in `seat`, which has a place.
    pub(super) fn new<T, E>(ask: Arc<Ask>, group: Arc<Shared<T, E>>, seat: Seat) -> Self
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        Self { ask, group, seat }
    }

    /// Asks for the child's end: it is dropped at its next `.await` that has to wait, or, if it has not been polled, without a
    /// poll. A [`shield`](crate::shield) holds this off as it does a cancel. Nothing happens if the child has ended.
    ///
    /// Nobody else is cancelled by it. The child leaves [`Failure::Aborted`] in `next` and `outcomes`; `wait` leaves it out.
    ///
    /// Cost: an atomic store, and a turn of the group's lock.
    pub fn abort(&self) {
        // Release, with the Acquire in `is_cut`. The lock in `rouse` orders it before the child's look after that lock.
        self.ask.asked.store(true, Ordering::Release);
        if !self.is_finished() {
            self.group.rouse(self.seat);
        }
    }

    /// Whether the child is gone, whatever its end was. True at the latest when its outcome can be taken.
    pub fn is_finished(&self) -> bool {
        // Acquire, with the Release in `ended`: who sees it sees what the child did.
        self.ask.ended.load(Ordering::Acquire)
    }

    /// The child's number in order of spawning, as in [`next_numbered`](crate::TaskGroup::next_numbered).
    pub fn number(&self) -> usize {
        self.seat.number
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("number", &self.number())
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// What a handle and its child share.
#[derive(Debug, Default)]
pub(super) struct Ask {
    asked: AtomicBool,
    ended: AtomicBool,
}

impl<E> Tie<E> for Ask {
    fn is_cut(&self) -> bool {
        // Acquire, with the Release in `abort`.
        self.asked.load(Ordering::Acquire)
    }

    fn cut(&self) -> Failure<E> {
        Failure::Aborted
    }

    fn ended(&self, failure: Option<Failure<E>>) -> Option<Failure<E>> {
        // Release, with the Acquire in `is_finished`.
        self.ended.store(true, Ordering::Release);
        failure
    }
}

/// A group, whatever its children give.
trait Rouse: Send + Sync {
    fn rouse(&self, seat: Seat);
}

impl<T: Send, E: Send> Rouse for Shared<T, E> {
    fn rouse(&self, seat: Seat) {
        self.state.rouse(seat);
    }
}
