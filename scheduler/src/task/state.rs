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
//!
//! Above the bits is the reference count. References are held by the registry (until the task is complete), by the
//! queue or the poller, by the join handle, and by each waker.
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
const REF: usize = 1 << 6;

/// References of a new task: registry, queue, join handle.
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

/// What the completer finds.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct Completion {
    /// Somebody will take the output. If not, the completer drops it.
    pub(super) join_interest: bool,
    /// The join waker is set and is to be woken.
    pub(super) join_waker: bool,
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

    /// Ends the task from the registry: `true` if the caller now holds `RUNNING` and has to drop the future. If not,
    /// the poller does, or it is complete.
    #[must_use]
    pub(super) fn shutdown(&self) -> bool {
        self.update(|s| match s & (RUNNING | COMPLETE) {
            0 => (s | CANCELLED | RUNNING, true),
            _ => (s | CANCELLED, false),
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
                // The registry's reference outlives this one: a task leaves the registry complete or cancelled.
                _ => ((s & !RUNNING) - REF, Pending::Idle),
            }
        })
    }

    /// The output is in its place; the future is gone.
    pub(super) fn complete(&self) -> Completion {
        let before = self.0.fetch_xor(RUNNING | COMPLETE, Ordering::AcqRel);
        debug_assert!(before & RUNNING != 0 && before & COMPLETE == 0, "completed twice");
        Completion { join_interest: before & JOIN_INTEREST != 0, join_waker: before & JOIN_WAKER != 0 }
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
    /// last, because a task that is not complete is held by the registry or by its poller.
    #[must_use]
    pub(super) fn drop_join_interest(&self) -> bool {
        // The output needs no read-modify-write: complete is complete.
        self.is_complete()
            || self.update(|s| {
                let complete = s & COMPLETE != 0;
                if complete { (s, true) } else { ((s & !(JOIN_INTEREST | JOIN_WAKER)) - REF, false) }
            })
    }

    /// One more reference. The caller has one already, so nothing needs ordering.
    pub(super) fn ref_inc(&self) {
        let before = self.0.fetch_add(REF, Ordering::Relaxed);
        assert!(before < usize::MAX / 2, "reference count of a task overflows");
    }

    /// `count` references less; `true` if none is left: the caller frees the task. `AcqRel` so that all that others did
    /// with the task comes before its end.
    #[must_use]
    pub(super) fn release(&self, count: usize) -> bool {
        let before = self.0.fetch_sub(count * REF, Ordering::AcqRel);
        debug_assert!(before >= count * REF, "reference count of a task underflows");
        before < (count + 1) * REF
    }
}

fn free_if(last: bool) -> Wake {
    if last { Wake::Free } else { Wake::Nothing }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_task_lives_from_spawn_to_completion() {
        let state = State::new();
        assert_eq!(state.start(), Start::Poll);
        assert_eq!(state.finish_poll(), Pending::Idle);
        assert_eq!(state.wake_by_ref(), Wake::Submit);
        assert_eq!(state.wake_by_ref(), Wake::Nothing, "already queued");
        assert_eq!(state.start(), Start::Poll);
        assert_eq!(state.wake_by_ref(), Wake::Nothing, "the poller resubmits");
        assert_eq!(state.finish_poll(), Pending::Resubmit);
        assert_eq!(state.start(), Start::Poll);
        let completion = state.complete();
        assert!(completion.join_interest && !completion.join_waker);
        assert_eq!(state.wake_by_ref(), Wake::Nothing, "complete");
    }

    #[test]
    fn an_abort_wins_wherever_it_falls() {
        let queued = State::new();
        assert_eq!(queued.abort(), Wake::Nothing);
        assert_eq!(queued.start(), Start::Cancel);

        let running = State::new();
        assert_eq!(running.start(), Start::Poll);
        assert_eq!(running.abort(), Wake::Nothing);
        assert_eq!(running.finish_poll(), Pending::Cancel);

        let idle = State::new();
        assert_eq!(idle.start(), Start::Poll);
        assert_eq!(idle.finish_poll(), Pending::Idle);
        assert_eq!(idle.abort(), Wake::Submit);
        assert_eq!(idle.start(), Start::Cancel);
    }

    #[test]
    fn the_last_reference_frees() {
        let state = State::new();
        assert!(!state.release(1));
        assert!(state.release(2));
    }

    #[test]
    fn a_shut_down_task_is_gone_for_the_queue() {
        let state = State::new();
        assert!(state.shutdown());
        assert_eq!(state.start(), Start::Gone);
        let _ = state.complete();
        assert!(!state.shutdown());
    }
}

#[cfg(all(test, tidemill_loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::{cell::UnsafeCell, thread};

    struct Model {
        state: State,
        /// Stands for the future: touched only by the holder of `RUNNING`.
        future: UnsafeCell<u32>,
        /// Written by the waker before it wakes, read by the poll.
        message: AtomicUsize,
    }

    impl Model {
        fn new() -> Arc<Self> {
            Arc::new(Self { state: State::new(), future: UnsafeCell::new(0), message: AtomicUsize::new(0) })
        }

        /// Runs the task until it is idle or complete; returns the last message that a poll saw.
        fn run(&self, polls: &mut Vec<usize>) -> bool {
            loop {
                match self.state.start() {
                    Start::Gone => return true,
                    Start::Cancel => {
                        self.touch();
                        let _ = self.state.complete();
                        return true;
                    }
                    Start::Poll => {}
                }
                self.touch();
                polls.push(self.message.load(Ordering::Relaxed));
                match self.state.finish_poll() {
                    Pending::Idle => return false,
                    Pending::Resubmit => {}
                    Pending::Cancel => {
                        self.touch();
                        let _ = self.state.complete();
                        return true;
                    }
                }
            }
        }

        fn touch(&self) {
            // SAFETY: the caller holds RUNNING; loom reports any overlap.
            self.future.with_mut(|f| unsafe { *f += 1 });
        }
    }

    #[test]
    fn loom_a_wake_is_never_lost_and_its_writes_are_seen() {
        loom::model(|| {
            let task = Model::new();
            let waker = Arc::clone(&task);
            let other = thread::spawn(move || {
                waker.message.store(1, Ordering::Relaxed);
                waker.state.wake_by_ref() == Wake::Submit
            });
            let mut polls = Vec::new();
            task.run(&mut polls);
            if other.join().expect("no panic in the model") {
                task.run(&mut polls);
            }
            // The first poll may or may not see the message; the last one after the wake must.
            assert_eq!(polls.last(), Some(&1), "the wake's message was not polled: {polls:?}");
        });
    }

    #[test]
    fn loom_shutdown_and_poller_never_both_hold_the_future() {
        loom::model(|| {
            let task = Model::new();
            let closer = Arc::clone(&task);
            let other = thread::spawn(move || {
                let mine = closer.state.shutdown();
                if mine {
                    closer.touch();
                    let _ = closer.state.complete();
                }
                mine
            });
            let ended = task.run(&mut Vec::new());
            let closed = other.join().expect("no panic in the model");
            assert!(closed || ended || !task.state.shutdown(), "an idle task was missed by both");
        });
    }

    #[test]
    fn loom_join_waker_and_completion_meet() {
        loom::model(|| {
            let task = Model::new();
            assert_eq!(task.state.start(), Start::Poll);
            let joiner = Arc::clone(&task);
            let other = thread::spawn(move || joiner.state.publish_join_waker());
            let completion = task.state.complete();
            let published = other.join().expect("no panic in the model");
            assert_eq!(completion.join_waker, published, "the joiner sleeps and nobody wakes it, or the reverse");
        });
    }
}
