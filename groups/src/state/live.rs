//! The wakers of children that wait, by which a cancel reaches them: a vector with holes, so that a group that spawns for
//! years keeps no more than its largest crowd needs. A child that is ready at its first poll is never in it.

use std::task::Waker;

/// A child, by its number in order of spawning, which no other child ever has, and by its place among those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) number: usize,
    place: usize,
}

/// No place yet.
const NOWHERE: usize = usize::MAX;

impl Seat {
    /// Whether it has no place.
    #[inline]
    pub(super) fn is_nowhere(self) -> bool {
        self.place == NOWHERE
    }

    /// That of a child that has not waited yet.
    pub(super) fn new(number: usize) -> Self {
        Self { number, place: NOWHERE }
    }
}

#[derive(Debug)]
struct Child {
    number: usize,
    /// None before its first poll that was pending.
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
pub(super) struct Live {
    places: Vec<Option<Child>>,
    holes: Vec<usize>,
}

impl Live {
    /// Gives the child a place if it has none.
    pub(super) fn settle(&mut self, seat: &mut Seat) {
        if !seat.is_nowhere() {
            return;
        }
        let child = Some(Child { number: seat.number, waker: None });
        seat.place = match self.holes.pop() {
            Some(hole) => {
                self.places[hole] = child;
                hole
            }
            None => {
                self.places.push(child);
                self.places.len() - 1
            }
        };
    }

    /// Takes the child out; gives its waker to be dropped without the lock.
    pub(super) fn leave(&mut self, seat: Seat) -> Option<Waker> {
        if seat.is_nowhere() {
            return None;
        }
        let child = self.places[seat.place].take().expect("a child leaves once");
        debug_assert_eq!(child.number, seat.number, "a child leaves its own place");
        self.holes.push(seat.place);
        child.waker
    }

    /// Leaves a waker; gives the one before, to be dropped without the lock.
    pub(super) fn listen(&mut self, seat: &mut Seat, waker: &Waker) -> Option<Waker> {
        self.settle(seat);
        self.child(*seat)?.waker.replace(waker.clone())
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
