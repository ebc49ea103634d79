//! Who wants to hear of a cancel: a vector with holes, so that entering and leaving by number cost the same with one
//! listener and with a million.

use std::{mem, sync::Weak, task::Waker};

use crate::{
    Cause,
    node::Node,
    sync::{AtomicUsize, Ordering},
};

/// A function that a cancel calls.
pub(crate) type Call = Box<dyn FnOnce(&Cause) + Send>;

pub(crate) enum Listener {
    /// Its child does not keep itself alive by listening.
    Child(Weak<Node>),
    Wake(Waker),
    Call(Call),
}

/// Where a listener stands, until it leaves or the node closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// A place that its maker notes once, after the node is shared, and that is looked up by the destructor. Relaxed: the counted
/// reference orders the two.
#[derive(Default)]
pub(crate) struct AtomicPlace(AtomicUsize);

impl AtomicPlace {
    /// Not noted yet.
    const NONE: usize = 0;

    pub(crate) fn set(&self, place: Place) {
        self.0.store(place.0 + 1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Place> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            noted => Some(Place(noted - 1)),
        }
    }
}

#[derive(Default)]
pub(crate) struct Listeners {
    places: Vec<Option<Listener>>,
    holes: Vec<usize>,
}

/// A context that once had many children gives the memory back when the last one is gone, if it is more than this.
const KEPT: usize = 1024;

impl Listeners {
    pub(crate) fn enter(&mut self, listener: Listener) -> Place {
        match self.holes.pop() {
            Some(hole) => {
                self.places[hole] = Some(listener);
                Place(hole)
            }
            None => {
                self.places.push(Some(listener));
                Place(self.places.len() - 1)
            }
        }
    }

    /// Takes the listener out; it is for the caller to drop, without the lock.
    pub(crate) fn leave(&mut self, place: Place) -> Option<Listener> {
        let listener = self.places[place.0].take();
        debug_assert!(listener.is_some(), "a place is left once");
        self.holes.push(place.0);
        if self.holes.len() == self.places.len() {
            self.reset();
        }
        listener
    }

    pub(crate) fn at(&mut self, place: Place) -> Option<&mut Listener> {
        self.places[place.0].as_mut()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.holes.len()
    }

    /// Everybody in order of entry, but for holes that were filled again.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Listener> {
        self.places.into_iter().flatten()
    }

    fn reset(&mut self) {
        self.holes.clear();
        self.places.clear();
        if self.places.capacity() > KEPT {
            drop(mem::take(self));
        }
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use super::*;

    fn waker() -> Listener {
        Listener::Wake(Waker::noop().clone())
    }

    #[test]
    fn a_place_that_was_left_is_taken_again_and_the_memory_of_a_crowd_is_given_back() {
        let mut listeners = Listeners::default();
        let stays = listeners.enter(waker());
        for _ in 0..10_000 {
            let place = listeners.enter(waker());
            assert!(listeners.leave(place).is_some());
        }
        assert_eq!(listeners.places.len(), 2);
        let crowd: Vec<_> = (0..10_000).map(|_| listeners.enter(waker())).collect();
        assert!(crowd.into_iter().all(|place| listeners.leave(place).is_some()));
        assert!(listeners.at(stays).is_some());
        listeners.leave(stays);
        assert!(listeners.places.capacity() <= KEPT && listeners.holes.capacity() <= KEPT);
    }
}
