//! What a step of the core comes to: values that its caller carries out once the lock is released.

use std::task::Waker;

use super::{entry::Entry, line::Spent};

/// What is left to do once the lock is released.
#[must_use = "carried out after the lock is released"]
#[derive(Debug, Default)]
pub(super) struct Todo {
    /// Was given something.
    pub(super) wake: Option<Waker>,
    /// Resources to make; their places are taken.
    pub(super) creates: usize,
    /// The pool is closed and has nothing left.
    pub(super) over: bool,
    /// To be dropped.
    pub(super) spent: Spent,
    /// The common bound of several pools needs attention.
    pub(super) unsettled: bool,
}

impl Todo {
    pub(super) fn is_nothing(&self) -> bool {
        self.wake.is_none() && self.creates == 0 && !self.over && self.spent.is_none() && !self.unsettled
    }
}

/// Where a resource went.
#[must_use = "carried out after the lock is released"]
#[derive(Debug)]
pub(super) enum Placed<R> {
    /// On the shelf, or to a waiter.
    Kept(Todo),
    /// To be closed; [`buried`](super::core::Core::buried) says when that is done.
    Condemned(Box<Entry<R>>, Todo),
    /// Not ours any more: it was given up for lost. To be closed, and counted by nobody.
    Stray(Box<Entry<R>>),
}

/// What a waiter learns.
#[derive(Debug)]
pub(super) enum Standing<R> {
    Got(Box<Entry<R>>, Todo),
    Waiting(Todo),
    /// As many wait already as may.
    Refused,
    Closed(Todo),
}
