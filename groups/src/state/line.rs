//! The slots of a group with a limit, and the line of those who wait for one. Pure data under the group's lock.
//!
//! A slot is *taken* by a child, or *granted* to a waiter that was woken for it. Waiters stand in line in order of arrival;
//! the first `granted` of them own a slot each. A slot that comes free is granted at once, so free slots imply that
//! nobody waits: a newcomer that finds one overtakes nobody. A granted waiter that leaves without its slot passes it on.
//!
//! Rejected: tokio's semaphore. It is sound, but a second lock beside the group's own for each child, and its permits
//! cannot be handed from a child to its child.

use std::{collections::VecDeque, task::Waker};

/// No limit.
pub(crate) const UNLIMITED: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Line {
    limit: usize,
    /// Slots that children hold. Above the limit after the limit was lowered.
    taken: usize,
    /// The first so many waiters own a slot.
    granted: usize,
    /// In order of arrival, and so of ascending key.
    waiters: VecDeque<Waiter>,
    next_key: u64,
}

#[derive(Debug)]
struct Waiter {
    key: u64,
    waker: Waker,
}

impl Line {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: 0, granted: 0, waiters: VecDeque::new(), next_key: 0 }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.taken).saturating_sub(self.granted)
    }

    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len() - self.granted
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Begins to count slots, when so many are taken.
    pub(super) fn begin(&mut self, taken: usize) {
        self.taken = taken;
    }

    /// To be followed by as many [`grant`](Self::grant)s as it gives.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes a slot if one is free.
    pub(super) fn take(&mut self) -> bool {
        let free = self.room() > 0;
        self.taken += usize::from(free);
        free
    }

    /// A child gives its slot back, to be [granted](Self::grant).
    pub(super) fn free(&mut self) {
        debug_assert!(self.taken > 0, "a slot is freed once");
        self.taken -= 1;
    }

    /// Gives one free slot to the first waiter without one.
    #[must_use = "the waker is woken after the lock is released"]
    pub(super) fn grant(&mut self) -> Option<Waker> {
        if self.room() == 0 {
            return None;
        }
        let waiter = self.waiters.get(self.granted)?;
        self.granted += 1;
        Some(waiter.waker.clone())
    }

    /// Joins the line; the key names the new waiter.
    pub(super) fn join(&mut self, waker: &Waker) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.waiters.push_back(Waiter { key, waker: waker.clone() });
        key
    }

    /// Takes the slot of a waiter that was granted one, and takes the waiter out; `false` if it still waits, and is to be
    /// woken through `waker`.
    pub(super) fn claim(&mut self, key: u64, waker: &Waker) -> bool {
        let position = self.position(key);
        if position >= self.granted {
            self.waiters[position].waker.clone_from(waker);
            return false;
        }
        self.waiters.remove(position);
        self.granted -= 1;
        self.taken += 1;
        true
    }

    /// Leaves the line. A slot that was granted is free again, to be [granted](Self::grant) to the next.
    pub(super) fn leave(&mut self, key: u64) {
        let position = self.position(key);
        self.waiters.remove(position);
        self.granted -= usize::from(position < self.granted);
    }

    /// Everybody in line, to learn that the group takes no more children.
    pub(super) fn wakers(&self) -> impl Iterator<Item = Waker> {
        self.waiters.iter().map(|waiter| waiter.waker.clone())
    }

    fn position(&self, key: u64) -> usize {
        self.waiters.binary_search_by_key(&key, |waiter| waiter.key).expect("a waiter stays in line until it leaves")
    }
}
