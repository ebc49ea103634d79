//! Waiting for a slot: the future of a spawn that finds the group full, and of a child that has lent its slot to its own.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
};

use crate::state::{Entry, Seat, State};

/// A seat; and if its slot was lent by the child that spawns, the wait for another.
#[derive(Debug)]
pub(super) struct Entered<'a, O> {
    pub(super) seat: Seat,
    pub(super) lent: Option<Reclaim<'a, O>>,
}

/// Waits for a slot in order of arrival. Dropped before, it leaves the line, and a slot that it was granted goes to the next.
#[derive(Debug)]
pub(super) struct Enter<'a, O> {
    state: &'a State<O>,
    /// The number of the child that spawns, if it is one of this group.
    parent: Option<usize>,
    key: Option<u64>,
}

impl<'a, O> Enter<'a, O> {
    pub(super) fn new(state: &'a State<O>, parent: Option<usize>) -> Self {
        Self { state, parent, key: None }
    }
}

impl<'a, O> Future for Enter<'a, O> {
    /// The entry that refuses, if it is one.
    type Output = Result<Entered<'a, O>, Entry>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let (entry, key) = match self.key {
            Some(key) => (self.state.enter_waiting(key, cx.waker()), Some(key)),
            None => self.state.enter_or_join(self.parent, cx.waker()),
        };
        match entry {
            Entry::Full => {
                self.key = key;
                Poll::Pending
            }
            Entry::In(seat) => {
                let lent = if self.key.take().is_some() { None } else { key.zip(self.parent) };
                let lent = lent.map(|(key, child)| Reclaim { state: self.state, child, key: Some(key) });
                Poll::Ready(Ok(Entered { seat, lent }))
            }
            refused => {
                self.key = None;
                Poll::Ready(Err(refused))
            }
        }
    }
}

impl<O> Drop for Enter<'_, O> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.state.leave_line(key);
        }
    }
}

/// Waits for a slot in place of the one that `child` has lent. Dropped before, the child goes on without one.
#[derive(Debug)]
pub(super) struct Reclaim<'a, O> {
    state: &'a State<O>,
    child: usize,
    key: Option<u64>,
}

impl<O> Future for Reclaim<'_, O> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let Some(key) = self.key else { return Poll::Ready(()) };
        if !self.state.reclaim(key, self.child, cx.waker()) {
            return Poll::Pending;
        }
        self.key = None;
        Poll::Ready(())
    }
}

impl<O> Drop for Reclaim<'_, O> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.state.leave_line(key);
        }
    }
}
