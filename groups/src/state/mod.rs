//! The lock around the [`core`], the gate before it, and the one flag that children look at without either.
//!
//! **Cost of a child** without a limit: one compare-and-swap at the gate when it enters, and a turn of the lock when it ends;
//! another turn if its first poll is pending (to leave the waker by which a cancel reaches it). With a limit it enters under the
//! lock as well. Every poll loads the flag once.
//!
//! The three lie apart: the gate is written by who spawns, the core by whoever ends, and the flag is read by every poll.
//!
//! Rejected: abort handles of the runtime. They cost a lock more for each child (the handle exists only after the spawn),
//! and an abort tears a child out of a section that must not be torn.

mod core;
mod gate;
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

use self::{
    core::{Core, Wakes},
    gate::Gate,
};
pub(crate) use self::{
    core::{Counts, Entry},
    line::UNLIMITED,
    live::Seat,
};
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, Padded, lock};

/// The state that the owner, the children and the waiting spawns of a group share. `O` is what a child leaves.
#[derive(Debug)]
pub(crate) struct State<O> {
    gate: Padded<Gate>,
    core: Padded<Mutex<Core<O>>>,
    /// A copy of the core's, for the polls of children.
    cancelled: Padded<AtomicBool>,
}

impl<O> State<O> {
    pub(crate) fn new(limit: usize) -> Self {
        let core = Core::new(limit);
        let gate = Gate::new(core.is_lined());
        Self { gate: Padded(gate), core: Padded(Mutex::new(core)), cancelled: Padded(AtomicBool::new(false)) }
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
    #[inline]
    pub(crate) fn enter(&self) -> Entry {
        match self.gate.pass() {
            Some(number) => Entry::In(Seat::new(number)),
            None => self.lock().enter(&self.gate),
        }
    }

    /// Gives a child a place before it waits, so that it can be [roused](Self::rouse) alone.
    pub(crate) fn settle(&self, seat: &mut Seat) {
        self.lock().settle(seat);
    }

    /// Enters a child, or joins the line, in one step. In *and* a key: the slot was the parent's, who has to
    /// [reclaim](Self::reclaim) one.
    pub(crate) fn enter_or_join(&self, parent: Option<usize>, waker: &Waker) -> (Entry, Option<u64>) {
        self.lock().enter_or_join(&self.gate, parent, waker)
    }

    /// Enters the child of a waiter; it leaves the line unless the answer is `Full`.
    pub(crate) fn enter_waiting(&self, key: u64, waker: &Waker) -> Entry {
        self.lock().enter_waiting(&self.gate, key, waker)
    }

    /// Whether `parent` has its slot back, or needs none any more; it leaves the line then.
    pub(crate) fn reclaim(&self, key: u64, parent: usize, waker: &Waker) -> bool {
        let wakes = self.lock().reclaim(key, parent, waker);
        wakes.map(Wakes::wake).is_some()
    }

    /// A waiter gives up.
    pub(crate) fn leave_line(&self, key: u64) {
        let wakes = self.lock().leave_line(&self.gate, key);
        wakes.wake();
    }

    /// Leaves the waker of a child for a cancel; `false` if it came before.
    pub(crate) fn listen(&self, seat: &mut Seat, waker: &Waker) -> bool {
        let (in_time, before) = self.lock().listen(seat, waker);
        drop(before);
        in_time
    }

    /// A child has ended, and its destructors ran. If it `failed` and is the first to, `spread` is called: it cancels the
    /// others, who hear of it after the failure has been stored, and before the owner.
    pub(crate) fn finish(&self, seat: Seat, outcome: Option<O>, failed: bool, spread: impl FnOnce()) {
        let mut core = self.lock();
        if !failed && core.is_quiet(&self.gate, seat) {
            core.finish_quietly(seat, outcome);
            return;
        }
        let (is_root, unwanted, wakes) = core.finish(&self.gate, seat, outcome, failed);
        drop(core);
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
        let wakes = core.cancel(&self.gate);
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
        let (busy, _owner, _done) = self.lock().close(&self.gate);
        busy
    }

    /// The next outcome, or `None` when no child is left.
    pub(crate) fn poll_next(&self, waker: &Waker) -> Poll<Option<(usize, O)>> {
        let next = self.lock().next(&self.gate, waker);
        match next {
            Ok(next) => Poll::Ready(next),
            Err(_before) => Poll::Pending,
        }
    }

    /// Ready when no child is left. `close`: none may come afterwards.
    pub(crate) fn poll_end(&self, close: bool, waker: &Waker) -> Poll<()> {
        let end = self.lock().end(&self.gate, close, waker);
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
        let wakes = self.lock().set_limit(&self.gate, limit);
        wakes.wake();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts(&self.gate)
    }
}
