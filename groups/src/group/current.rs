//! Which child of which group the code that runs on this thread just now belongs to.
//!
//! Set while a child is polled and put back after it. A child that spawns into its own group is known by it, and a
//! [`shield`](crate::shield) finds the child that it protects.
//!
//! Two plain cells for every poll; what has a destructor, and so costs more to reach in a thread, is apart and touched only by
//! children that have made a shield.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, atomic::AtomicUsize},
};

/// How many shields protect a child; made by the first.
pub(super) type Shields = Arc<AtomicUsize>;

/// The child that is polled.
#[derive(Clone, Copy, Debug)]
struct Current {
    /// The address of its group's shared state, which lives while the child does; 0: no child is polled.
    group: usize,
    number: usize,
    /// Whether its shields are in their cell.
    shielded: bool,
}

const NOBODY: Current = Current { group: 0, number: 0, shielded: false };

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(NOBODY) };
    static SHIELDS: RefCell<Option<Shields>> = const { RefCell::new(None) };
}

/// Runs `poll`, which does not panic, as a part of the child.
#[inline]
pub(super) fn as_child<R>(group: usize, number: usize, shields: &mut Option<Shields>, poll: impl FnOnce() -> R) -> R {
    let before = CURRENT.replace(Current { group, number, shielded: shields.is_some() });
    let theirs = if before.shielded || shields.is_some() { exchange(shields.take()) } else { None };
    let result = poll();
    if CURRENT.get().shielded {
        *shields = exchange(theirs);
    } else if theirs.is_some() {
        exchange(theirs);
    }
    CURRENT.set(before);
    result
}

/// At the end of the thread there are none.
#[cold]
fn exchange(shields: Option<Shields>) -> Option<Shields> {
    SHIELDS.try_with(|cell| cell.replace(shields)).ok().flatten()
}

/// The number of the child that is polled, if it belongs to `group`.
pub(super) fn child_of(group: usize) -> Option<usize> {
    let current = CURRENT.get();
    (current.group == group).then_some(current.number)
}

/// The shields of the child that is polled.
pub(super) fn shields() -> Option<Shields> {
    let current = CURRENT.get();
    if current.group == 0 {
        return None;
    }
    let shields = SHIELDS.try_with(|cell| Arc::clone(cell.borrow_mut().get_or_insert_default())).ok();
    CURRENT.set(Current { shielded: shields.is_some(), ..current });
    shields
}
