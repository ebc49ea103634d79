//! One node of the tree: a flag to look at, a state behind a lock, and links to at most two parents.
//!
//! ```text
//!            mode       state
//!   parent  [LISTED]   [open: listeners ──┬─ Weak ─► child    ┐
//!      ▲                                  ├─ Waker            │ a cancel closes the state, which takes
//!      │                                  └─ function         ┘ the listeners out, and passes itself on
//!      ├───────── link (Arc, place) ── child   [LISTED]
//!      └───────── link (Arc) ───────── another [UNLISTED]: looks at the parent's mode as well
//! ```
//!
//! **Listing.** A node that nobody waits for and that is no parent needs not be told of a cancel: it looks at its parent
//! when it is looked at, and falls in with it (`follow`). It is listed, once and for good, before somebody listens to it or a node is
//! made below it; so a parent is always listed, and a look is two loads at the most. A context that is made, handed to another
//! task, looked at and dropped never takes its parent's lock.
//!
//! **Check.** One load of the mode, or two. All that can cancel a listed node (a call, a parent, a deadline) pushes itself into it.
//!
//! **Cancel.** 1. Close: under the node's lock, store the cause, set the mode, take the listeners. Whoever finds the state
//! closed came too late; so there is one cause. An unlisted node whose parent was first closes with the parent's cause. 2. Close every
//! child among the listeners, and its children, in a loop and not by recursion: a chain may be long. 3. When the modes of the
//! whole tree below are set, wake the wakers and call the functions, with no lock held.
//!
//! **Birth into the list.** A child enters itself under the parent's lock, and becomes `LISTED` there. If the parent is closed by
//! then, the child closes with the parent's cause. So no child is missed: it entered before the close and is among the listeners
//! taken, or after.
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
    sync::{AtomicU8, Mutex, Ordering, lock},
};

/// Open, and nobody tells it of a parent's cancel: it looks itself. It has no listeners.
const UNLISTED: u8 = 0;
/// Open, and in its parents' lists.
const LISTED: u8 = 1;
/// Closed.
const CANCELLED: u8 = 2;

pub(crate) struct Node {
    mode: AtomicU8,
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

/// Our place among the listeners of a parent, once we are listed.
#[derive(Default)]
struct Link {
    parent: Option<Arc<Node>>,
    place: AtomicPlace,
}

impl Node {
    /// A node below `parent`, or below nothing. Not listed.
    pub(crate) fn below(parent: Option<Arc<Self>>) -> Arc<Self> {
        let deadline = parent.as_ref().and_then(|parent| parent.deadline);
        Arc::new(Self::linked([parent, None], deadline, None))
    }

    /// A node that is cancelled at `deadline`, which is before that of the parent. Not listed.
    pub(crate) fn until(parent: Arc<Self>, deadline: Instant, now: Instant, clock: &Clock) -> Arc<Self> {
        let alarm = Alarm::new(clock.clone());
        let node = Arc::new(Self::linked([Some(parent), None], Some(deadline), Some(alarm)));
        if !node.alarm.as_ref().is_some_and(|alarm| alarm.set(deadline, now, &node)) {
            node.cancel(&Cause::DeadlineExceeded);
        }
        node
    }

    /// A node below both, cancelled with whichever is cancelled first: listed, for the two have to be told apart.
    pub(crate) fn merged(a: Arc<Self>, b: Arc<Self>) -> Arc<Self> {
        let deadline = a.deadline.into_iter().chain(b.deadline).min();
        let node = Arc::new(Self::linked([Some(a), Some(b)], deadline, None));
        node.list();
        node
    }

    fn linked(parents: [Option<Arc<Self>>; 2], deadline: Option<Instant>, alarm: Option<Alarm>) -> Self {
        let root = parents.iter().all(Option::is_none);
        parents.iter().flatten().for_each(Self::list);
        Self {
            mode: AtomicU8::new(if root { LISTED } else { UNLISTED }),
            state: Mutex::new(State::Open(Listeners::default())),
            deadline,
            links: parents.map(|parent| Link { parent, place: AtomicPlace::default() }),
            alarm,
        }
    }

    /// The parent that was given to [`below`](Self::below), of a node that nobody has seen.
    pub(crate) fn into_parent(mut self) -> Option<Arc<Self>> {
        self.links[0].parent.take()
    }

    /// Sees to it that the parents tell it of a cancel.
    pub(crate) fn list(self: &Arc<Self>) {
        // Acquire, with the Release below; that of `close` would do as well.
        if self.mode.load(Ordering::Acquire) != UNLISTED {
            return;
        }
        for (index, link) in self.links.iter().enumerate() {
            let Some(parent) = &link.parent else { continue };
            let last = self.links[index + 1..].iter().all(|link| link.parent.is_none());
            if let Err(cause) = parent.enter_child(self, link, last) {
                self.cancel(&cause);
            }
        }
    }

    /// Enters `child` unless it has been; with its `last` parent it is listed.
    fn enter_child(&self, child: &Arc<Self>, link: &Link, last: bool) -> Result<(), Cause> {
        match &mut *lock(&self.state) {
            State::Closed(cause) => Err(cause.clone()),
            State::Open(listeners) => {
                if link.place.get().is_none() {
                    link.place.set(listeners.enter(Listener::Child(Arc::downgrade(child))));
                }
                if last {
                    // Under this lock: whoever sees our flag, which is set under it later, finds it listed or looks here again.
                    // Release, with the Acquire in `list`: it is in the list. If it fails, the child is cancelled, or listed.
                    let _ = child.mode.compare_exchange(UNLISTED, LISTED, Ordering::Release, Ordering::Relaxed);
                }
                Ok(())
            }
        }
    }

    /// One load, or two.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // Acquire, with the Release in `close`: who sees the cancel sees what the canceller did before it.
        match self.mode.load(Ordering::Acquire) {
            LISTED => false,
            UNLISTED => self.follow(),
            _ => true,
        }
    }

    /// Whether the parent of this unlisted node was cancelled, and it with it.
    #[inline]
    fn follow(&self) -> bool {
        // A node is unlisted with one parent only, when others see it. The parent is listed. Acquire: as in `is_cancelled`.
        let is_fine = |parent: &Arc<Self>| parent.mode.load(Ordering::Acquire) == LISTED;
        !self.links[0].parent.as_ref().is_some_and(is_fine) && self.fall_in()
    }

    /// Closes it with its parent's cause, for good: who has once seen it cancelled sees it cancelled. If it was listed
    /// meanwhile, its parent's canceller does it in a moment, and then tells its listeners.
    #[cold]
    fn fall_in(&self) -> bool {
        let Some(cause) = self.links[0].parent.as_ref().and_then(|parent| parent.cause()) else { return false };
        let mut state = lock(&self.state);
        // Release, with the Acquire in `is_cancelled`, though after it the lock orders the cause. Acquire: as there.
        match self.mode.compare_exchange(UNLISTED, CANCELLED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // It has no listeners: they are entered in listed nodes only.
                *state = State::Closed(cause);
                true
            }
            Err(mode) => mode == CANCELLED,
        }
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
        // One that looks for itself may find that its parent was first.
        if self.is_cancelled() {
            return None;
        }
        let mut state = lock(&self.state);
        if matches!(*state, State::Closed(_)) {
            return None;
        }
        let before = mem::replace(&mut *state, State::Closed(cause.clone()));
        // Release, with the Acquire in `is_cancelled`. After the cause: who sees the flag finds the cause.
        self.mode.store(CANCELLED, Ordering::Release);
        match before {
            State::Open(listeners) => Some(listeners),
            State::Closed(_) => None,
        }
    }

    /// Enters what `listener` makes, or says why it comes too late. Of a listed node.
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
        let (a, b) = (Node::below(None), Node::below(None));
        let child = Node::below(Some(Arc::clone(&a)));
        assert_eq!(listeners(&a), 0, "nobody listens to it yet");
        let merged = Node::merged(Arc::clone(&a), Arc::clone(&b));
        let grandchild = Node::below(Some(Arc::clone(&child)));
        drop(child);
        assert_eq!((listeners(&a), listeners(&b)), (2, 1), "a grandchild keeps its way to the root");
        drop((grandchild, merged));
        assert_eq!((listeners(&a), listeners(&b)), (0, 0));
        assert_eq!((Arc::strong_count(&a), Arc::weak_count(&a)), (1, 0));
    }

    #[test]
    fn a_node_below_an_unlisted_one_lists_it_and_a_cancel_of_the_root_reaches_both() {
        let root = Node::below(None);
        let child = Node::below(Some(Arc::clone(&root)));
        let grandchild = Node::below(Some(Arc::clone(&child)));
        assert_eq!((listeners(&root), listeners(&child)), (1, 0));
        grandchild.list();
        grandchild.list();
        assert_eq!(listeners(&child), 1, "once");
        root.cancel(&Cause::Shutdown);
        assert_eq!((child.cause(), grandchild.cause()), (Some(Cause::Shutdown), Some(Cause::Shutdown)));
    }
}
