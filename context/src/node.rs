//! One node of the tree: a flag to look at, a state behind a lock, and links to at most two parents.
//!
//! ```text
//!            flag   state
//!   parent  [ no ] [open: listeners ──┬─ Weak ─► child   ┐
//!      ▲                              ├─ Waker           │ a cancel closes the state, which takes
//!      │                              └─ function        ┘ the listeners out, and passes itself on
//!      └───────── link (Arc, place) ── child
//! ```
//!
//! **Check.** One load of the flag. All that can cancel (a call, a parent, a deadline) pushes itself into the flag.
//!
//! **Cancel.** 1. Close: under the node's lock, store the cause, set the flag, take the listeners. Whoever finds the state
//! closed came too late; so there is one cause. 2. Close every child among the listeners, and its children, in a loop and
//! not by recursion: a chain may be long. 3. When the flags of the whole tree below are set, wake the wakers and call the
//! functions, with no lock held.
//!
//! **Birth.** A child enters itself under the parent's lock. If the parent is closed by then, the child is born closed, with
//! the parent's cause. So no child is missed: it entered before the close and is among the listeners taken, or after.
//!
//! **Death.** The last `Arc` of a node takes it out of its parents' listeners. A child keeps its parents alive, since a cancel
//! from further up reaches it through them; the parents only know the child weakly. A chain dies in a loop.
//!
//! No lock is held while another is taken, and none while code of the user runs.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Waker,
    time::Instant,
};

use crate::{
    Cause,
    clock::{Alarm, Clock},
    listeners::{AtomicPlace, Call, Listener, Listeners, Place},
    sync::{AtomicBool, Mutex, Ordering, lock},
};

pub(crate) struct Node {
    cancelled: AtomicBool,
    state: Mutex<State>,
    /// The earliest of its own and its parents' deadlines.
    deadline: Option<Instant>,
    links: [Link; 2],
    /// For a deadline of its own.
    alarm: Option<Alarm>,
}

enum State {
    Open(Listeners),
    Closed(Cause),
}

/// Our place among the listeners of a parent. Only the maker and the destructor of the node look at it.
#[derive(Default)]
struct Link {
    parent: Option<Arc<Node>>,
    place: AtomicPlace,
}

impl Node {
    /// A node below `parents`, cancelled if one of them is.
    pub(crate) fn new(parents: [Option<&Arc<Self>>; 2]) -> Arc<Self> {
        let deadline = parents.iter().filter_map(|parent| parent.as_ref()?.deadline).min();
        Self::linked(parents, deadline, None)
    }

    /// A node that is cancelled at `deadline`, which is before that of the parent.
    pub(crate) fn until(parent: &Arc<Self>, deadline: Instant, now: Instant, clock: &Clock) -> Arc<Self> {
        let alarm = Alarm::new(clock.clone());
        let node = Self::linked([Some(parent), None], Some(deadline), Some(alarm));
        if !node.alarm.as_ref().is_some_and(|alarm| alarm.set(deadline, now, &node)) {
            node.cancel(&Cause::DeadlineExceeded);
        }
        node
    }

    fn linked(parents: [Option<&Arc<Self>>; 2], deadline: Option<Instant>, alarm: Option<Alarm>) -> Arc<Self> {
        let node = Arc::new(Self {
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State::Open(Listeners::default())),
            deadline,
            links: parents.map(|parent| Link { parent: parent.cloned(), place: AtomicPlace::default() }),
            alarm,
        });
        for link in &node.links {
            let Some(parent) = &link.parent else { continue };
            match parent.listen(|| Listener::Child(Arc::downgrade(&node))) {
                Ok(place) => link.place.set(place),
                Err(cause) => drop(node.cancel(&cause)),
            }
        }
        node
    }

    /// One load.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire, with the Release in `close`: who sees the cancel sees what the canceller did before it.
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        if !self.is_cancelled() {
            return None;
        }
        match &*lock(&self.state) {
            State::Open(_) => None,
            State::Closed(cause) => Some(cause.clone()),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Cancels this node and all below; `false` if it was cancelled before.
    pub(crate) fn cancel(&self, cause: &Cause) -> bool {
        let Some(listeners) = self.close(cause) else { return false };
        let mut open = vec![listeners];
        let mut told = Told::default();
        while let Some(listeners) = open.pop() {
            for listener in listeners.into_all() {
                match listener {
                    Listener::Child(child) => open.extend(child.upgrade().and_then(|child| child.close(cause))),
                    Listener::Wake(waker) => told.wakers.push(waker),
                    Listener::Call(call) => told.calls.push(call),
                }
            }
        }
        told.tell(cause);
        true
    }

    /// The listeners, if the node was open.
    fn close(&self, cause: &Cause) -> Option<Listeners> {
        let mut state = lock(&self.state);
        if matches!(*state, State::Closed(_)) {
            return None;
        }
        let before = mem::replace(&mut *state, State::Closed(cause.clone()));
        // Release, with the Acquire in `is_cancelled`. After the cause: who sees the flag finds the cause.
        self.cancelled.store(true, Ordering::Release);
        match before {
            State::Open(listeners) => Some(listeners),
            State::Closed(_) => None,
        }
    }

    /// Enters what `listener` makes, or says why it comes too late.
    pub(crate) fn listen(&self, listener: impl FnOnce() -> Listener) -> Result<Place, Cause> {
        match &mut *lock(&self.state) {
            State::Open(listeners) => Ok(listeners.enter(listener())),
            State::Closed(cause) => Err(cause.clone()),
        }
    }

    /// Puts another waker in the `place` of one; says if it comes too late.
    pub(crate) fn listen_instead(&self, place: Place, waker: Waker) -> Result<(), Cause> {
        let before = match &mut *lock(&self.state) {
            State::Open(listeners) => listeners.at(place).map(|at| mem::replace(at, Listener::Wake(waker))),
            State::Closed(cause) => return Err(cause.clone()),
        };
        // A waker's destructor is code of the user's: without the lock.
        drop(before);
        Ok(())
    }

    /// Takes back what was entered; `false` if a cancel has it already.
    pub(crate) fn unlisten(&self, place: Place) -> bool {
        let listener = match &mut *lock(&self.state) {
            State::Open(listeners) => listeners.leave(place),
            State::Closed(_) => None,
        };
        // Dropped without the lock: it may hold code of the user's.
        listener.is_some()
    }

    /// Leaves the parents; those that nobody else held come to `dead`.
    fn unlink(&mut self, dead: &mut Vec<Node>) {
        for link in &mut self.links {
            let Some(parent) = link.parent.take() else { continue };
            if let Some(place) = link.place.get() {
                parent.unlisten(place);
            }
            dead.extend(Arc::into_inner(parent));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let (Some(alarm), Some(deadline)) = (&self.alarm, self.deadline) {
            alarm.stop(deadline);
        }
        let mut dead = Vec::new();
        self.unlink(&mut dead);
        while let Some(mut node) = dead.pop() {
            node.unlink(&mut dead);
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("cause", &self.cause()).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Who has to be told once all flags are set.
#[derive(Default)]
struct Told {
    wakers: Vec<Waker>,
    calls: Vec<Call>,
}

impl Told {
    fn tell(self, cause: &Cause) {
        self.wakers.into_iter().for_each(Waker::wake);
        for listener in self.calls {
            call(listener, cause);
        }
    }
}

/// Calls `f`. A panic has been reported by the panic hook; it must keep neither the others from being called nor the thread
/// of the deadlines from its work.
pub(crate) fn call(f: impl FnOnce(&Cause), cause: &Cause) {
    let _ = catch_unwind(AssertUnwindSafe(|| f(cause)));
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use super::*;

    fn listeners(node: &Node) -> usize {
        match &*lock(&node.state) {
            State::Open(listeners) => listeners.len(),
            State::Closed(_) => 0,
        }
    }

    /// In Go a child that nobody cancels stays in its parent (cockroach#149658), and a merge keeps a goroutine (poseidon#430).
    #[test]
    fn what_is_dropped_leaves_nothing_in_its_parents() {
        let (a, b) = (Node::new([None; 2]), Node::new([None; 2]));
        let (child, merged) = (Node::new([Some(&a), None]), Node::new([Some(&a), Some(&b)]));
        let grandchild = Node::new([Some(&child), None]);
        drop(child);
        assert_eq!((listeners(&a), listeners(&b)), (2, 1), "a grandchild keeps its way to the root");
        drop((grandchild, merged));
        assert_eq!((listeners(&a), listeners(&b)), (0, 0));
        assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 0));
    }
}
