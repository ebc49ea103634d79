//! Where a handle stands in the tree, in one word: nowhere, below a parent's node, or at a node of its own.
//!
//! ```text
//!   0 ──────────────── own() ──┐
//!   parent's node | BELOW ─────┴──► own node
//! ```
//!
//! It changes once, by a compare-and-swap. The word owns a counted reference to the node that it names. A new node takes over the
//! parent's reference as its link, so that it is not counted twice; and because a node keeps its links until its end, the parent
//! lives on for whoever has just read the old word. Of two threads that make a node one loses; its node was seen by
//! nobody, and is taken apart without giving back the reference that it never owned.
//!
//! Rejected: the parent in a field and the node in a `OnceLock`. Four atomic read-modify-writes more for a child that gets a node, of
//! eleven, and 16 bytes more in every handle.

use std::{marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr, sync::Arc};

use crate::{
    node::Node,
    sync::{AtomicPtr, Ordering},
};

/// Marks the parent's node. Nodes have a lock in them, and so even addresses.
const BELOW: usize = 1;

pub(crate) struct Slot {
    word: AtomicPtr<Node>,
    owns: PhantomData<Arc<Node>>,
}

/// The own node, lent.
pub(crate) struct Lent<'a> {
    node: ManuallyDrop<Arc<Node>>,
    slot: PhantomData<&'a Slot>,
}

impl Deref for Lent<'_> {
    type Target = Arc<Node>;

    fn deref(&self) -> &Arc<Node> {
        &self.node
    }
}

impl Slot {
    pub(crate) fn nowhere() -> Self {
        Self::word(ptr::null_mut())
    }

    pub(crate) fn below(parent: Arc<Node>) -> Self {
        Self::word(Arc::into_raw(parent).cast_mut().map_addr(|address| address | BELOW))
    }

    pub(crate) fn at(node: Arc<Node>) -> Self {
        Self::word(Arc::into_raw(node).cast_mut())
    }

    fn word(word: *mut Node) -> Self {
        Self { word: AtomicPtr::new(word), owns: PhantomData }
    }

    /// The node whose flag counts.
    #[inline]
    pub(crate) fn nearest(&self) -> Option<&Node> {
        // Acquire, with the Release in `own`: who reads the address reads the node.
        let word = self.word.load(Ordering::Acquire);
        // SAFETY: null, or a node that the word owns a reference to, or the parent of the one that it names by now, whose link
        // keeps it; and the slot is borrowed.
        unsafe { node(word).as_ref() }
    }

    /// The own node, made now if there is none.
    pub(crate) fn own(&self) -> Lent<'_> {
        // Acquire: as in `nearest`.
        let word = self.word.load(Ordering::Acquire);
        if is_own(word) { lent(word) } else { self.make(word) }
    }

    #[cold]
    fn make(&self, before: *mut Node) -> Lent<'_> {
        // SAFETY: null, or made by `into_raw`. Nothing was counted for this `Arc`: it goes over to the node with the swap below, and
        // is forgotten if that fails.
        let parent = (!before.is_null()).then(|| unsafe { Arc::from_raw(node(before)) });
        let made = Arc::into_raw(Node::below(parent)).cast_mut();
        // Release: who reads the address reads the node. Acquire, with that Release, for another's.
        match self.word.compare_exchange(before, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => lent(made),
            Err(theirs) => {
                // SAFETY: from `into_raw` above; nobody else has seen it.
                let made = unsafe { Arc::from_raw(made) };
                let unseen = Arc::into_inner(made).expect("nobody else has seen it");
                let _never_counted = ManuallyDrop::new(unseen.into_parent());
                lent(theirs)
            }
        }
    }
}

/// The address in the word.
fn node(word: *mut Node) -> *mut Node {
    word.map_addr(|address| address & !BELOW)
}

fn is_own(word: *mut Node) -> bool {
    !word.is_null() && word.addr() & BELOW == 0
}

/// `word` names the own node, which never changes again.
fn lent<'a>(word: *mut Node) -> Lent<'a> {
    // SAFETY: from `into_raw`; the slot, which is borrowed for `'a`, owns a reference, and this one is never dropped.
    Lent { node: ManuallyDrop::new(unsafe { Arc::from_raw(word) }), slot: PhantomData }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Relaxed: nobody else has it any more, and whoever gave it up has ordered that.
        let word = self.word.load(Ordering::Relaxed);
        if !word.is_null() {
            // SAFETY: from `into_raw`; the reference that the word owns.
            drop(unsafe { Arc::from_raw(node(word)) });
        }
    }
}
