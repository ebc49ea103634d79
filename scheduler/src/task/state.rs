//! The state of a task: one word, every transition a method, no other code touches the bits.
//!
//! ```text
//!             spawn                      start              finish_poll
//!   (new) ───────────► SCHEDULED ──────────────► RUNNING ───────────────► idle
//!                          ▲                        │ │                     │
//!                          │   finish_poll: woken   │ │ complete            │ wake, abort
//!                          ├────────────────────────┘ ▼                     │
//!                          │                       COMPLETE                 │
//!                          └────────────────────────────────────────────────┘
//! ```
//!
//! | bit | who sets it | what it grants |
//! |---|---|---|
//! | `RUNNING` | `start`, `shutdown` | the setter alone may touch the future |
//! | `SCHEDULED` | spawn, wake, abort | one reference is in a queue, or will be put there by the poller |
//! | `COMPLETE` | `complete` | the future is gone; the output belongs to the join handle |
//! | `CANCELLED` | `abort`, `shutdown` | the next one to hold `RUNNING` drops the future instead of polling it |
//! | `JOIN_INTEREST` | spawn | a join handle exists |
//! | `JOIN_WAKER` | the join handle | the waker slot is readable by the completer; clear: it belongs to the join handle |
//! | `KEPT` | `shutdown` | the queue's reference comes with a count of the runtime (see `slab.rs`) |
//!
//! Above the bits is the reference count. References are held by the slab (until the task is about to complete), by the
//! queue or the poller, by the join handle, and by each waker. Who holds the only reference of a complete task needs no
//! read-modify-write to release it: no further one can be made.
//!
//! **Orderings.** Every transition is a read-modify-write with `AcqRel`: what one holder of `RUNNING` wrote to the
//! future is seen by the next, and what a waker's owner wrote before `wake` is seen by the poll that the wake causes,
//! also when that wake found the task already scheduled (hence no early return on a plain load).

use crate::sync::{AtomicUsize, Ordering};

const RUNNING: usize = 1;
const SCHEDULED: usize = 1 << 1;
const COMPLETE: usize = 1 << 2;
const CANCELLED: usize = 1 << 3;
const JOIN_INTEREST: usize = 1 << 4;
const JOIN_WAKER: usize = 1 << 5;
const KEPT: usize = 1 << 6;
const REF: usize = 1 << 7;

/// References of a new task: slab, queue, join handle.
const INITIAL: usize = (3 * REF) | SCHEDULED | JOIN_INTEREST;

/// What the caller of a wake owes.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Wake {
    /// Put the task into a queue; a reference for the queue has been counted.
    Submit,
    /// Nothing: it is queued, or complete, or its poller will queue it.
    Nothing,
    /// The waker's reference was the last one: free the task.
    Free,
}

/// What the holder of a queued task may do with it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Start {
    /// Poll the future.
    Poll,
    /// Drop the future, then complete.
    Cancel,
    /// Somebody else ended it: only release the queue's reference.
    Gone,
}

/// What the poller does after a pending poll.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Pending {
    /// The task sleeps; the poller's reference is released.
    Idle,
    /// It was woken meanwhile: queue it again, with the poller's reference.
    Resubmit,
    /// It was aborted meanwhile: the poller still holds `RUNNING` and drops the future.
    Cancel,
}

/// What the completer is to do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Completion {
    /// Nobody will take the output: drop it first, the task is not complete yet.
    Unclaimed,
    /// The task is complete, and its references still the completer's: wake the join waker, then release them.
    Wake,
    /// The task is complete and the references are released; `true`: they were the last, free it.
    Done(bool),
}

/// What the end of a runtime finds.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Shutdown {
    /// The caller holds `RUNNING` and drops the future. `kept`: the task is in a queue, or on its way there, with a
    /// count of the runtime.
    Cancel { kept: bool },
    /// The poller ends it, or it is complete.
    Theirs,
}

/// What comes with a queue's reference that is disposed of.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Disposal {
    /// A count of the runtime.
    pub(super) kept: bool,
    /// The duty to free the task.
    pub(super) last: bool,
}

/// What a task does, for those who only look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits to be woken.
    Idle,
    /// It is in a queue.
    Queued,
    /// It is being polled.
    Running,
    /// It is complete.
    Complete,
}

/// The word. See the head of the file.
#[derive(Debug)]
pub(super) struct State(AtomicUsize);

impl State {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(INITIAL))
    }

    /// Applies `next` until it sticks; returns what `next` returned beside the new value.
    fn update<R>(&self, mut next: impl FnMut(usize) -> (usize, R)) -> R {
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            let (new, result) = next(current);
            match self.0.compare_exchange_weak(current, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return result,
                Err(actual) => current = actual,
            }
        }
    }

    /// A wake that keeps the waker.
    pub(super) fn wake_by_ref(&self) -> Wake {
        self.update(|s| match s {
            _ if s & (COMPLETE | SCHEDULED) != 0 => (s, Wake::Nothing),
            _ if s & RUNNING != 0 => (s | SCHEDULED, Wake::Nothing),
            _ => ((s | SCHEDULED) + REF, Wake::Submit),
        })
    }

    /// A wake that uses the waker up: its reference goes to the queue, or is released.
    pub(super) fn wake_by_value(&self) -> Wake {
        self.update(|s| match s {
            _ if s & (COMPLETE | SCHEDULED) != 0 => (s - REF, free_if(s < 2 * REF)),
            // The poller holds a reference, so ours is not the last.
            _ if s & RUNNING != 0 => ((s | SCHEDULED) - REF, Wake::Nothing),
            _ => (s | SCHEDULED, Wake::Submit),
        })
    }

    /// Asks for the task's end. An idle task is queued so that a machine drops its future.
    pub(super) fn abort(&self) -> Wake {
        self.update(|s| match s {
            _ if s & COMPLETE != 0 => (s, Wake::Nothing),
            _ if s & (RUNNING | SCHEDULED) != 0 => (s | CANCELLED, Wake::Nothing),
            _ => ((s | CANCELLED | SCHEDULED) + REF, Wake::Submit),
        })
    }

    /// Ends the task at the end of its runtime.
    pub(super) fn shutdown(&self) -> Shutdown {
        self.update(|s| {
            if s & (RUNNING | COMPLETE) != 0 {
                return (s | CANCELLED, Shutdown::Theirs);
            }
            let kept = s & SCHEDULED != 0;
            let keep = if kept { KEPT } else { 0 };
            (s | CANCELLED | RUNNING | keep, Shutdown::Cancel { kept })
        })
    }

    /// A task that was queued is not run: it leaves the queue, whose reference is released. A later shutdown finds it
    /// out of the queue, an earlier one has left a count with it.
    pub(super) fn dispose(&self) -> Disposal {
        self.update(|s| {
            let left = (s & !SCHEDULED) - REF;
            (left, Disposal { kept: s & KEPT != 0, last: left < REF })
        })
    }

    /// Taken from a queue: claims the future.
    pub(super) fn start(&self) -> Start {
        self.update(|s| match s {
            _ if s & (RUNNING | COMPLETE) != 0 => (s, Start::Gone),
            _ if s & CANCELLED != 0 => ((s | RUNNING) & !SCHEDULED, Start::Cancel),
            _ => ((s | RUNNING) & !SCHEDULED, Start::Poll),
        })
    }

    /// The poll returned `Pending`.
    pub(super) fn finish_poll(&self) -> Pending {
        self.update(|s| {
            debug_assert!(s & RUNNING != 0 && s & COMPLETE == 0, "finish_poll without the future");
            match s {
                _ if s & CANCELLED != 0 => (s, Pending::Cancel),
                _ if s & SCHEDULED != 0 => (s & !RUNNING, Pending::Resubmit),
                // The slab's reference outlives this one: it is given up by a poller or by a shutdown.
                _ => ((s & !RUNNING) - REF, Pending::Idle),
            }
        })
    }

    /// The output is in its place (or `dropped`), the future is gone. Releases `references` of the completer's in the
    /// same step, unless a join waker has to be woken first.
    pub(super) fn complete(&self, references: usize, dropped: bool) -> Completion {
        self.update(|s| {
            debug_assert!(s & RUNNING != 0 && s & COMPLETE == 0, "completed twice");
            let complete = s ^ (RUNNING | COMPLETE);
            match s & (JOIN_INTEREST | JOIN_WAKER) {
                0 if !dropped => (s, Completion::Unclaimed),
                0 | JOIN_INTEREST => {
                    let left = complete - references * REF;
                    (left, Completion::Done(left < REF))
                }
                _ => (complete, Completion::Wake),
            }
        })
    }

    /// Will somebody take the output? A `false` stays so.
    pub(super) fn has_join_interest(&self) -> bool {
        // Relaxed: a handle that goes leaves nothing behind that the completer reads.
        self.0.load(Ordering::Relaxed) & JOIN_INTEREST != 0
    }

    /// Is there an output to take? Acquires what the completer wrote.
    pub(super) fn is_complete(&self) -> bool {
        self.0.load(Ordering::Acquire) & COMPLETE != 0
    }

    /// Does the waker slot hold a waker that the completer may read?
    pub(super) fn has_join_waker(&self) -> bool {
        self.0.load(Ordering::Relaxed) & JOIN_WAKER != 0
    }

    /// Publishes the waker slot; `false` if the task completed first (the slot then stays the join handle's).
    #[must_use]
    pub(super) fn publish_join_waker(&self) -> bool {
        self.update(|s| if s & COMPLETE != 0 { (s, false) } else { (s | JOIN_WAKER, true) })
    }

    /// Takes the waker slot back; `false` if the task completed first (the completer may be reading the slot).
    #[must_use]
    pub(super) fn retract_join_waker(&self) -> bool {
        self.update(|s| if s & COMPLETE != 0 { (s, false) } else { (s & !JOIN_WAKER, true) })
    }

    /// The join handle goes. `true`: the task is complete, so its output is the caller's to drop, after which it releases
    /// its reference. `false`: the completer drops the output, and the reference is released already; it is not the
    /// last, because a task that is not complete is held by its slab or by its poller.
    #[must_use]
    pub(super) fn drop_join_interest(&self) -> bool {
        // The output needs no read-modify-write: complete is complete.
        self.is_complete()
            || self.update(|s| {
                let complete = s & COMPLETE != 0;
                if complete { (s, true) } else { ((s & !(JOIN_INTEREST | JOIN_WAKER)) - REF, false) }
            })
    }

    /// A glance. Relaxed: it may be over when the caller reads it.
    pub(super) fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            s if s & COMPLETE != 0 => Phase::Complete,
            s if s & RUNNING != 0 => Phase::Running,
            s if s & SCHEDULED != 0 => Phase::Queued,
            _ => Phase::Idle,
        }
    }

    /// One more reference. The caller has one already, so nothing needs ordering.
    pub(super) fn ref_inc(&self) {
        let before = self.0.fetch_add(REF, Ordering::Relaxed);
        assert!(before < usize::MAX / 2, "reference count of a task overflows");
    }

    /// `count` references less; `true` if none is left: the caller frees the task.
    #[must_use]
    pub(super) fn release(&self, count: usize) -> bool {
        // Acquire: pairs with the releases of the others, so that all they did with the task comes before its end.
        if self.0.load(Ordering::Acquire) < (count + 1) * REF {
            return true;
        }
        // AcqRel: as above, and our own use comes before whoever is last.
        let before = self.0.fetch_sub(count * REF, Ordering::AcqRel);
        debug_assert!(before >= count * REF, "reference count of a task underflows");
        before < (count + 1) * REF
    }
}

fn free_if(last: bool) -> Wake {
    if last { Wake::Free } else { Wake::Nothing }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests;

#[cfg(all(test, tidemill_loom))]
mod models;
