//! Which child of which group the code that runs on this thread just now belongs to.
//!
//! Set while a child is polled and put back after it. A child that spawns into its own group is known by it, and a
//! [`shield`](crate::shield) finds the child that it protects.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::AtomicUsize},
};

use crate::state::Seat;

/// How many shields protect a child; made by the first.
pub(super) type Shields = Arc<AtomicUsize>;

/// The child that is polled.
#[derive(Debug)]
pub(super) struct Current {
    /// The address of its group's shared state, which lives while the child does.
    pub(super) group: usize,
    pub(super) seat: Seat,
    pub(super) shields: Option<Shields>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Makes `child` the current one, and gives the one before. At the end of the thread there is none.
pub(super) fn replace(child: Option<Current>) -> Option<Current> {
    CURRENT.try_with(|current| current.replace(child)).ok().flatten()
}

/// The child that is polled, if it belongs to `group`.
pub(super) fn child_of(group: usize) -> Option<Seat> {
    let seat = |current: &Current| (current.group == group).then_some(current.seat);
    CURRENT.try_with(|current| current.borrow().as_ref().and_then(seat)).ok().flatten()
}

/// The shields of the child that is polled.
pub(super) fn shields() -> Option<Shields> {
    let shields = |current: &mut Current| Arc::clone(current.shields.get_or_insert_default());
    CURRENT.try_with(|current| current.borrow_mut().as_mut().map(shields)).ok().flatten()
}
