//! The lock around the [`core`], and the one flag that children look at without it.
//!
//! **Cost of a child**: the lock is taken when it enters and when it ends, and once more if its first poll is pending (to leave
//! the waker by which a cancel reaches it). Every poll loads the flag once.
//!
//! Rejected: abort handles of the runtime. They cost a lock more for each child (the handle exists only after the spawn),
//! and an abort tears a child out of a section that must not be torn.

mod core;
mod line;
mod live;
#[cfg(all(test, tidemill_loom))]
mod models;
#[cfg(all(test, not(tidemill_loom)))]
mod tests;

use std::{
    collections::VecDeque,
    task::{Poll, Waker},
};

use self::core::{Core, Wakes};
pub(crate) use self::{
    core::{Counts, Entry},
    line::UNLIMITED,
    live::Seat,
};
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, lock};

/// The state that the owner, the children and the waiting spawns of a group share. `O` is what a child leaves.
#[derive(Debug)]
pub(crate) struct State<O> {
    core: Mutex<Core<O>>,
    /// A copy of the core's, for the polls of children.
    cancelled: AtomicBool,
}

impl<O> State<O> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { core: Mutex::new(Core::new(limit)), cancelled: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Core<O>> {
        lock(&self.core)
    }

    /// One load.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire, with the Release in `cancel`: who sees it sees the cause, which was stored before.
        self.cancelled.load(Ordering::Acquire)
    }

    /// Enters a child if a slot is free.
    pub(crate) fn enter(&self) -> Entry {
        self.lock().enter()
    }

    /// Enters a child, or joins the line, in one step. In *and* a key: the slot was the parent's, who has to
    /// [reclaim](Self::reclaim) one.
    pub(crate) fn enter_or_join(&self, parent: Option<Seat>, waker: &Waker) -> (Entry, Option<u64>) {
        self.lock().enter_or_join(parent, waker)
    }

    /// Enters the child of a waiter; it leaves the line unless the answer is `Full`.
    pub(crate) fn enter_waiting(&self, key: u64, waker: &Waker) -> Entry {
        self.lock().enter_waiting(key, waker)
    }

    /// Whether `parent` has its slot back, or needs none any more; it leaves the line then.
    pub(crate) fn reclaim(&self, key: u64, parent: Seat, waker: &Waker) -> bool {
        let wakes = self.lock().reclaim(key, parent, waker);
        wakes.map(Wakes::wake).is_some()
    }

    /// A waiter gives up.
    pub(crate) fn leave_line(&self, key: u64) {
        let wakes = self.lock().leave_line(key);
        wakes.wake();
    }

    /// Leaves the waker of a child for a cancel; `false` if it came before.
    pub(crate) fn listen(&self, seat: Seat, waker: &Waker) -> bool {
        let (in_time, before) = self.lock().listen(seat, waker);
        drop(before);
        in_time
    }

    /// A child has ended, and its destructors ran. If it `failed` and is the first to, `spread` is called: it cancels the
    /// others, who hear of it after the failure has been stored, and before the owner.
    pub(crate) fn finish(&self, seat: Seat, outcome: Option<O>, failed: bool, spread: impl FnOnce()) {
        let (is_root, unwanted, wakes) = self.lock().finish(seat, outcome, failed);
        if is_root {
            spread();
        }
        drop(unwanted);
        wakes.wake();
    }

    /// Takes no more children; the others are to end.
    pub(crate) fn cancel(&self) {
        let mut core = self.lock();
        // Release, with the Acquire in `is_cancelled`. Under the lock: a child that leaves its waker later sees the core's.
        self.cancelled.store(true, Ordering::Release);
        let wakes = core.cancel();
        drop(core);
        wakes.wake();
    }

    /// Wakes one child that is to end alone.
    pub(crate) fn rouse(&self, seat: Seat) {
        let wakes = self.lock().rouse(seat);
        wakes.wake();
    }

    /// The owner is gone. Says whether it leaves a child behind.
    pub(crate) fn close(&self) -> bool {
        // What is dropped here is dropped without the lock.
        let (busy, _owner, _done) = self.lock().close();
        busy
    }

    /// The next outcome, or `None` when no child is left.
    pub(crate) fn poll_next(&self, waker: &Waker) -> Poll<Option<(usize, O)>> {
        let next = self.lock().next(waker);
        match next {
            Ok(next) => Poll::Ready(next),
            Err(_before) => Poll::Pending,
        }
    }

    /// Ready when no child is left. `close`: none may come afterwards.
    pub(crate) fn poll_end(&self, close: bool, waker: &Waker) -> Poll<()> {
        let end = self.lock().end(close, waker);
        match end {
            Ok(()) => Poll::Ready(()),
            Err(_before) => Poll::Pending,
        }
    }

    /// Everything that is done, with the number of the root and whether somebody was refused.
    pub(crate) fn take_done(&self) -> (VecDeque<(usize, O)>, Option<usize>, bool) {
        self.lock().take_done()
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        let wakes = self.lock().set_limit(limit);
        wakes.wake();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts()
    }
}
