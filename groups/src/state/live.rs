//! The children that have not ended: a vector with holes, so that a group that spawns for years keeps no more than its
//! largest crowd needs.

use std::task::Waker;

/// A child, by its place among the living and by its number in order of spawning, which no other child ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    place: usize,
    pub(crate) number: usize,
}

#[derive(Debug)]
struct Child {
    number: usize,
    /// By which a cancel reaches it; none before its first poll that was pending.
    waker: Option<Waker>,
    /// Whether it holds a slot; not while it lends it to a child of its own.
    slot: bool,
}

#[derive(Debug, Default)]
pub(super) struct Live {
    places: Vec<Option<Child>>,
    holes: Vec<usize>,
    /// The number of the next child.
    next: usize,
}

impl Live {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.holes.len()
    }

    /// How many there were, ever.
    pub(super) fn spawned(&self) -> usize {
        self.next
    }

    /// Enters a child that holds a slot.
    pub(super) fn enter(&mut self) -> Seat {
        let number = self.next;
        self.next += 1;
        let child = Some(Child { number, waker: None, slot: true });
        let place = match self.holes.pop() {
            Some(hole) => {
                self.places[hole] = child;
                hole
            }
            None => {
                self.places.push(child);
                self.places.len() - 1
            }
        };
        Seat { place, number }
    }

    /// Takes the child out; says whether it held a slot, and gives its waker to be dropped without the lock.
    pub(super) fn leave(&mut self, seat: Seat) -> (bool, Option<Waker>) {
        let child = self.places[seat.place].take().expect("a child leaves once");
        debug_assert_eq!(child.number, seat.number, "a child leaves its own place");
        self.holes.push(seat.place);
        (child.slot, child.waker)
    }

    /// Leaves a waker; gives the one before, to be dropped without the lock.
    pub(super) fn listen(&mut self, seat: Seat, waker: &Waker) -> Option<Waker> {
        self.child(seat)?.waker.replace(waker.clone())
    }

    /// Lets the slot of a child go to another; `false` if it has none.
    pub(super) fn lend(&mut self, seat: Seat) -> bool {
        self.child(seat).is_some_and(|child| std::mem::take(&mut child.slot))
    }

    /// Gives a child its slot back; `false` if it is gone.
    pub(super) fn give_back(&mut self, seat: Seat) -> bool {
        self.child(seat).map(|child| child.slot = true).is_some()
    }

    /// The waker of each, to be told of a cancel. Who comes later sees the cancel itself.
    pub(super) fn take_wakers(&mut self) -> impl Iterator<Item = Waker> {
        self.places.iter_mut().flatten().filter_map(|child| child.waker.take())
    }

    /// As above, of one.
    pub(super) fn take_waker(&mut self, seat: Seat) -> Option<Waker> {
        self.child(seat)?.waker.take()
    }

    /// The child itself, and not the next one in its place.
    fn child(&mut self, seat: Seat) -> Option<&mut Child> {
        self.places.get_mut(seat.place)?.as_mut().filter(|child| child.number == seat.number)
    }
}
