//! One thread's idle objects of one pool: a slot for the last one returned, and a stack for the others.
//!
//! The slot is why the usual pair of one get and one return is fast: it is a load and a store of one word. With only a
//! stack, its length would be read and written twice per pair, and each read would wait for the write before it.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{decay::ebb, depot::Depot, registry::RawId};
use crate::limits::RETURNS_PER_LOOK;

/// What a thread's table reads before it knows the type of a magazine. The number stands there twice, so that a return has
/// one comparison to make where it would have two.
#[derive(Debug)]
pub(super) struct Head {
    id: RawId,
    /// The same, if a returning object may go on top unseen: there are places, and no hook wants to look at it. Else
    /// nobody's number. Read and written by one thread only; an atomic, so that the head of nobody can be a static.
    plain: AtomicU64,
}

impl Head {
    /// Of no pool.
    pub(super) const fn nobody() -> Self {
        Self { id: RawId::NONE, plain: AtomicU64::new(RawId::NONE.number()) }
    }

    #[inline]
    pub(super) fn is_of(&self, id: RawId) -> bool {
        self.id == id
    }

    #[inline]
    pub(super) fn is_plain_of(&self, id: RawId) -> bool {
        self.plain.load(Relaxed) == id.number()
    }

    fn set_plain(&self, plain: bool) {
        let id = if plain { self.id } else { RawId::NONE };
        self.plain.store(id.number(), Relaxed);
    }
}

/// Reached by its own thread only. Holds at most `places` objects, all reserved in the depot.
#[repr(C)] // the head comes first
pub(super) struct Magazine<T> {
    head: Head,
    top: Cell<Option<Box<T>>>,
    depot: Arc<Depot<T>>,
    rest: RefCell<Vec<Box<T>>>,
    /// None while the threads' half of the capacity is reserved by others; then every object comes from and goes to
    /// the depot. Else at least one, the top slot.
    places: Cell<usize>,
    /// The fewest in `rest` since the window began, and the number of that window; see `decay`.
    low: Cell<usize>,
    window: Cell<u64>,
    /// Returns until the next look at the clock.
    until_look: Cell<u32>,
    /// How many calls of user code are under way from here. The magazine is not retired before they are back.
    busy: Cell<u32>,
}

impl<T> Magazine<T> {
    /// A magazine without places or objects.
    pub(super) fn new(depot: Arc<Depot<T>>) -> Self {
        Self {
            head: Head { id: depot.id().raw(), ..Head::nobody() },
            top: Cell::new(None),
            depot,
            rest: RefCell::default(),
            places: Cell::new(0),
            low: Cell::new(0),
            window: Cell::new(0),
            until_look: Cell::new(RETURNS_PER_LOOK),
            busy: Cell::new(0),
        }
    }

    /// The object on top: the fast half of a get.
    #[inline]
    pub(super) fn pop_top(&self) -> Option<Box<T>> {
        self.top.take()
    }

    /// An object from the stack, or else from the depot: the slow half.
    pub(super) fn pop_below(&self) -> Option<Box<T>> {
        let mut rest = self.rest.borrow_mut();
        let object = rest.pop().or_else(|| {
            self.set_places(self.depot.refill(&mut rest, self.places.get()));
            rest.pop()
        });
        self.low.set(self.low.get().min(rest.len()));
        object
    }

    /// The fast half of a return, for where it may go on top unseen: puts the object in `hand` there. What was on top before
    /// is in `hand` then; usually that is nothing. Whether the pool is gone is not looked at: the magazine holds no more
    /// than it may, and goes with its thread or at the next sweep.
    #[inline]
    pub(super) fn push_top(&self, hand: &mut Option<Box<T>>) {
        *hand = self.top.replace(hand.take());
    }

    fn is_plain(&self) -> bool {
        self.head.is_plain_of(self.depot.id().raw())
    }

    /// The slow half of a return, for what [`push_top`](Self::push_top) left over: an object that was on top and goes
    /// below, or one that the hooks have to see, or one for which there is no place here.
    #[inline]
    pub(super) fn push_rest(&self, object: Box<T>) {
        let _busy = Busy::new(&self.busy);
        if self.depot.is_closed() {
            return drop(object);
        }
        let displaced = if self.is_plain() { Some(object) } else { self.push_checked(object) };
        let homeless = displaced.and_then(|object| self.push_below(object));
        homeless.into_iter().for_each(|object| self.depot.push(object));
        if !self.is_plain() {
            self.count_down();
        }
    }

    /// Looks at the clock now and then.
    #[inline]
    fn count_down(&self) {
        self.until_look.set(self.until_look.get() - 1);
        if self.until_look.get() == 0 {
            std::hint::cold_path();
            self.until_look.set(RETURNS_PER_LOOK);
            self.depot.count_returned(RETURNS_PER_LOOK);
            self.depot.ebb_if_due();
            self.ebb();
        }
    }

    /// Drops what the windows that have ended since did not need here. User code: the objects' destructors.
    #[inline(never)]
    fn ebb(&self) {
        let ended = self.depot.window() - self.window.get();
        if ended == 0 {
            return;
        }
        self.window.set(self.window.get() + ended);
        let unneeded: Vec<_> = {
            let mut rest = self.rest.borrow_mut();
            // The thread was there all the time, or its objects would not be here: one window, however many have ended.
            let count = ebb(rest.len(), self.low.get(), 1);
            self.low.set(rest.len() - count);
            rest.drain(..count).collect()
        };
        self.depot.forget(unneeded);
    }

    /// As [`ebb`](Self::ebb), for a thread that asks for it.
    pub(super) fn trim(&self) {
        let _busy = Busy::new(&self.busy);
        self.ebb();
    }

    /// Drops everything that is idle here. User code: the objects' destructors.
    pub(super) fn clear(&self) {
        let _busy = Busy::new(&self.busy);
        let mut objects = self.rest.take();
        objects.extend(self.top.take());
        self.low.set(0);
        self.depot.forget(objects);
    }

    /// Runs the hooks and puts what passes on top; returns what has to make way.
    #[inline]
    fn push_checked(&self, object: Box<T>) -> Option<Box<T>> {
        let object = self.depot.recycled(object)?;
        // The top is taken unseen, so what a get has to look at goes below.
        if self.places.get() == 0 || self.depot.validates() { Some(object) } else { self.top.replace(Some(object)) }
    }

    /// Keeps an object under the one on top, or gives back one for which there is no place, not even after the depot has
    /// taken what it can.
    #[inline(never)]
    fn push_below(&self, object: Box<T>) -> Option<Box<T>> {
        let stack = self.places.get().saturating_sub(1); // the top has the one place
        let mut rest = self.rest.borrow_mut();
        if rest.len() == stack {
            self.depot.relieve(&mut rest, self.places.get());
        }
        if rest.len() == stack {
            return Some(object);
        }
        rest.push(object);
        None
    }

    /// Asks for places without objects, for a thread whose first act is a return.
    pub(super) fn claim(&self) {
        self.set_places(self.depot.reserve());
    }

    fn set_places(&self, places: usize) {
        self.places.set(places);
        self.head.set_plain(places > 0 && !self.depot.cares());
    }
}

/// Counts a call of user code for as long as it lives, also if the call panics.
struct Busy<'m>(&'m Cell<u32>);

impl<'m> Busy<'m> {
    fn new(calls: &'m Cell<u32>) -> Self {
        calls.set(calls.get() + 1);
        Self(calls)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A magazine of whatever type, as its thread's table owns it.
pub(super) trait Member {
    /// Whether the pool is gone, and no call of its user code under way here.
    fn may_retire(&self) -> bool;
    /// Gives objects and places back for good; objects of a pool that is gone are dropped, which runs user code.
    fn retire(&self);
}

impl<T> Member for Magazine<T> {
    fn may_retire(&self) -> bool {
        self.depot.is_closed() && self.busy.get() == 0
    }

    fn retire(&self) {
        let mut objects = self.rest.take();
        objects.extend(self.top.take());
        self.depot.count_returned(RETURNS_PER_LOOK - self.until_look.get());
        self.depot.close_magazine(self.places.get(), &mut objects);
    }
}
