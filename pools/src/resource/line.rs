//! The line of waiters, and the direct hand-off: a thing that comes free is *given* to the first in line, under the lock,
//! before that one is even woken. Nothing is left lying about that a newcomer could snatch, so a woken waiter competes
//! with nobody, and no wake-up can be lost: what a waiter was given waits in its place until it looks, or leaves.
//!
//! Places are in order of the callers' keys. One that stood in line, was given something unusable and comes back with its
//! old key stands before everybody who came later.

use std::{collections::VecDeque, task::Waker};

/// A waker that is no longer needed. It may be the last reference to a task, and so run the destructors of whatever the task
/// holds, a lease perhaps: it is dropped after the lock is released.
pub(super) type Spent = Option<Waker>;

/// Owned by the core, behind the pool's lock. `G` is what is handed over.
#[derive(Debug)]
pub(super) struct Line<G> {
    /// In order of ascending key.
    places: VecDeque<Place<G>>,
    /// How many places have been given something.
    given: usize,
}

#[derive(Debug)]
struct Place<G> {
    key: u64,
    waker: Waker,
    given: Option<G>,
}

impl<G> Default for Line<G> {
    fn default() -> Self {
        Self { places: VecDeque::new(), given: 0 }
    }
}

impl<G> Line<G> {
    /// Those who were given nothing so far.
    pub(super) fn waiting(&self) -> usize {
        self.places.len() - self.given
    }

    /// The key of the one before whom so many wait.
    pub(super) fn nth_waiting(&self, nth: usize) -> Option<u64> {
        self.places.iter().filter(|place| place.given.is_none()).nth(nth).map(|place| place.key)
    }

    pub(super) fn join(&mut self, key: u64, waker: &Waker) {
        let position = self.places.partition_point(|place| place.key < key);
        self.places.insert(position, Place { key, waker: waker.clone(), given: None });
    }

    /// Hands `gift` to the first who waits and returns whom to wake, or returns the gift if nobody waits.
    pub(super) fn give(&mut self, gift: G) -> Result<Waker, G> {
        // Those before it were given something and have not looked yet; they are never more than there are things.
        let Some(place) = self.places.iter_mut().find(|place| place.given.is_none()) else { return Err(gift) };
        place.given = Some(gift);
        self.given += 1;
        Ok(place.waker.clone())
    }

    /// Leaves with what was given; if it is nothing yet, stays in line, and `waker` is the one to wake.
    pub(super) fn look(&mut self, key: u64, waker: &Waker) -> (Option<G>, Spent) {
        let position = self.position(key);
        let place = &mut self.places[position];
        if place.given.is_some() {
            return self.leave(key);
        }
        let known = place.waker.will_wake(waker);
        (None, (!known).then(|| std::mem::replace(&mut place.waker, waker.clone())))
    }

    /// Leaves the line, with what was given if it was something.
    pub(super) fn leave(&mut self, key: u64) -> (Option<G>, Spent) {
        let position = self.position(key);
        let Some(place) = self.places.remove(position) else { return (None, None) };
        self.given -= usize::from(place.given.is_some());
        (place.given, Some(place.waker))
    }

    /// Everybody in line, for news that concern all.
    pub(super) fn wakers(&self) -> Vec<Waker> {
        self.places.iter().map(|place| place.waker.clone()).collect()
    }

    fn position(&self, key: u64) -> usize {
        self.places.binary_search_by_key(&key, |place| place.key).expect("a waiter stays in line until it leaves")
    }
}
