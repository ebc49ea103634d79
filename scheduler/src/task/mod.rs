//! G: a task. One allocation, one state word, counted references.
//!
//! | file | what it is |
//! |---|---|
//! | `state.rs` | the state machine: who may touch the future, the output, the waker slot (no unsafe; model-checked) |
//! | `cell.rs` | the allocation and what is done with it, as the state allows |
//! | `header.rs` | the part whose type does not depend on the future |
//! | `waker.rs` | the waker |
//! | `join.rs`, `error.rs` | the join handle and its error |
//! | `slots.rs` | the table of live tasks: a place each (no unsafe but for a visit; model-checked) |
//! | `slab.rs` | the live tasks of one spawner, and how the end of a runtime reaches them |
//! | `tagged.rs` | the way to the slab, and what the cell holds |
//! | `seen.rs` | what the watchers see of a task |
//!
//! An own cell instead of `async-task`, because abort by reference, the place in the slab and the panic payload would
//! each need a wrapper around the future, and the slab a second allocation and a waker per task.

mod cell;
mod error;
mod header;
mod join;
mod seen;
mod slab;
mod slots;
mod state;
mod tagged;
mod waker;

use std::future::Future;
use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

pub use error::JoinError;
pub(crate) use header::Header;
pub use join::JoinHandle;
pub(crate) use slab::Slab;
pub(crate) use slots::{Claimant, Claims, Origin, Place};
pub(crate) use state::Phase;
use state::Shutdown;

use crate::watch;

/// What a slab knows of its runtime.
pub(crate) trait Schedule: Send + Sync + Sized + 'static {
    /// Where a task goes from this thread. It outlives the task, which may run and be freed elsewhere the moment it is
    /// submitted; so nothing of the task's cell is borrowed across the submission.
    type Route: Submit;

    /// A count of the runtime: while there is one, its slabs live.
    type Keep;

    fn route(&self) -> Self::Route;

    /// One more count.
    fn keep(&self) -> Self::Keep;

    /// Takes over a count that was forgotten.
    ///
    /// # Safety
    /// There is one, and nobody else takes it.
    unsafe fn take_kept(&self) -> Self::Keep;

    /// Wakes the one who waits for the end of a task.
    fn wake_joiner(waker: &Waker) {
        waker.wake_by_ref();
    }

    /// Takes a task that is about to complete out of its slab, by [`Slab::remove`]; passes its answer on.
    fn retire(slab: &Slab<Self>, place: Place) -> bool;

    /// A poll on this thread panicked.
    fn panicked() {}
}

/// The two ways into a queue.
pub(crate) trait Submit {
    /// A task that was woken or aborted while it slept.
    fn ready(self, task: Task);

    /// A task that was woken while it ran: it goes behind the others, for it has just had its turn.
    fn again(self, task: Task);
}

/// A task in a queue: one reference, and the right to run it.
#[derive(Debug)]
pub(crate) struct Task(NonNull<Header>);

// SAFETY: the future and the output are `Send` (see `spawn`), and the state word hands them over with AcqRel.
unsafe impl Send for Task {}

impl Task {
    /// Runs the task: polls it once, and resubmits, parks or completes it.
    pub(crate) fn run(self) {
        let task = self.into_raw();
        // SAFETY: the reference keeps the header alive.
        let vtable = unsafe { task.as_ref() }.vtable;
        // SAFETY: the reference goes with the call; the table is the task's own.
        unsafe { (vtable.run)(task) };
    }

    /// The task's place in its slab.
    #[cfg(feature = "testing")]
    pub(crate) fn place(&self) -> Place {
        // SAFETY: the reference keeps the header alive.
        unsafe { self.0.as_ref() }.place()
    }

    pub(crate) fn into_raw(self) -> NonNull<Header> {
        mem::ManuallyDrop::new(self).0
    }

    /// # Safety
    /// The pointer comes from `into_raw`, or from a transition that counted a reference for the queue.
    pub(crate) unsafe fn from_raw(task: NonNull<Header>) -> Self {
        Self(task)
    }
}

impl Drop for Task {
    /// Only the end of a runtime drops queued tasks; it has ended them.
    fn drop(&mut self) {
        // SAFETY: the reference keeps the header alive.
        let vtable = unsafe { self.0.as_ref() }.vtable;
        // SAFETY: the queue's reference, not used again; the table is the task's own.
        unsafe { (vtable.dispose)(self.0) };
    }
}

/// Makes a task and binds it to `slab`, whose claims the caller has. Returns the task to be queued, or none if the slab
/// is closed: the handle then says "cancelled".
pub(crate) fn spawn<F, S>(
    future: F,
    slab: &Slab<S>,
    claims: &impl Claimant,
    origin: Origin,
) -> (Option<Task>, JoinHandle<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    S: Schedule,
{
    let task = cell::allocate(watch::instrument(future, origin.site), slab);
    // SAFETY: the join handle's reference of a new task with this output.
    let handle = unsafe { JoinHandle::from_raw(task) };
    (slab.bind(claims, task, origin), handle)
}

/// Ends a task unless its poller does. `true`: the queue's reference now comes with a count of the runtime.
///
/// # Safety
/// The caller owns a reference for the time of the call.
unsafe fn shut_down(task: NonNull<Header>) -> bool {
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    let Shutdown::Cancel { kept } = header.state.shutdown() else { return false };
    // SAFETY: `shutdown` gave us RUNNING.
    unsafe { (header.vtable.cancel)(task) };
    kept
}

#[cfg(test)]
mod measure;
