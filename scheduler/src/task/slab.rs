//! The live tasks of one spawner, so that the end of a runtime reaches those that nobody will wake.
//!
//! Each machine has a slab for the tasks that it spawns; those spawned from outside have some to share. A slab is the
//! table of `slots.rs` and the way to the scheduler, so a task knows both by one pointer.
//!
//! # What keeps a slab alive
//!
//! Its runtime, and not its tasks: a count per task would be two read-modify-writes more. A task looks at its slab only
//! while it is not complete, to be queued or to be taken out. Whoever polls it is a machine, which holds the runtime.
//! Whoever wakes it from elsewhere may hold nothing: between the transition to `SCHEDULED` and the push, the runtime
//! could end under it. So the end of a runtime, when it finds a task that is scheduled, leaves one count of the runtime
//! with the queue's reference ([`Schedule::keep`]), and whoever disposes of that reference gives the count back.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::header::{Header, release};
use super::slots::{Claimant, Claims, Origin, Place, Slots};
use super::{Schedule, Task};

/// The live tasks of one spawner.
///
/// On cache lines of its own: every poll of one of its tasks on another machine reads it, and what its machine writes at
/// every poll may lie beside it. That once made two machines slower than one.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slab<S> {
    pub(crate) scheduler: S,
    slots: Slots<Header>,
}

impl<S: Schedule> Slab<S> {
    /// An empty slab, and the claims of its owner.
    pub(crate) fn new(scheduler: S) -> (Self, Claims) {
        let (slots, claims) = Slots::new();
        (Self { scheduler, slots }, claims)
    }

    /// Binds a new task to this slab, which takes one of its references. None if the slab is closed: the task has ended.
    pub(super) fn bind(&self, claims: &impl Claimant, task: NonNull<Header>, origin: Origin) -> Option<Task> {
        // SAFETY: the queue's reference of a new task.
        let queued = unsafe { Task::from_raw(task) };
        let place = claims.with(|claims| (!self.slots.is_closed()).then(|| self.slots.insert(claims, task, origin)));
        let Some(place) = place else {
            self.end(task);
            return None;
        };
        // SAFETY: the queue's reference keeps the header alive.
        unsafe { task.as_ref() }.set_place(place);
        Some(queued)
    }

    /// Tasks ever spawned here.
    pub(crate) fn spawned(&self) -> u64 {
        self.slots.inserted()
    }

    /// Takes a task out that is about to complete. `true`: the slab's reference is now the caller's.
    #[must_use]
    pub(crate) fn remove(&self, place: Place, claims: Option<&Claims>) -> bool {
        self.slots.remove(place, claims)
    }

    /// No more tasks, as far as the owner sees it; it drains once more at its end.
    pub(crate) fn close(&self) {
        self.slots.close();
    }

    /// Ends every task that is seen; returns how many. Futures are dropped on this thread, but for those that are being
    /// polled: their pollers drop them.
    pub(crate) fn drain(&self) -> u64 {
        let mut ended = 0;
        self.slots.drain(|task| {
            self.end(task);
            ended += 1;
        });
        ended
    }

    /// Shows every live task to `each`. Returns how many of them completed meanwhile and were taken out by this visit. Not
    /// beside another visit or a drain.
    pub(crate) fn visit(&self, mut each: impl FnMut(&Header, Origin)) -> u64 {
        // SAFETY: a task that is visited keeps the slab's reference.
        let removed = self.slots.visit(|task, origin| each(unsafe { task.as_ref() }, origin));
        for task in &removed {
            // SAFETY: the slab's reference, which the visit was left with; it is not used again.
            unsafe { release(*task, 1) };
        }
        removed.len() as u64
    }

    /// Ends a task, unless its poller does, and releases the slab's reference.
    fn end(&self, task: NonNull<Header>) {
        let keep = self.scheduler.keep();
        // SAFETY: the slab's reference is ours.
        if unsafe { super::shut_down(task) } {
            // It stays with the queue's reference: `Schedule::take_kept`.
            let _ = ManuallyDrop::new(keep);
        }
        // SAFETY: as above; it is not used again.
        unsafe { release(task, 1) };
    }
}
