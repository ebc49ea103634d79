//! The run queue of a machine: a ring that its owner fills and anybody empties, oldest first.
//!
//! ```text
//! push    owner    two plain stores (slot, tail)
//! pop     owner    one compare-and-swap (head)
//! steal   anybody  one compare-and-swap (head) for half of the queue, beside two on the count of thieves
//! ```
//!
//! `head` and `tail` only ever rise. Whoever moves `head` from `h` to `h + n` by compare-and-swap has the items `h ..
//! h + n`, which it has read *before*: the owner writes into a slot again only when it has seen `head` past it, so if an
//! item was overwritten while it was read, the swap fails and the copy is forgotten. Slots are atomics, so such a read is
//! no race in the sense of the language.
//!
//! When the ring is full it is replaced by one of twice the size; a long queue costs each item two more stores. A thief
//! may still read in the old one, which therefore stays until a moment without thieves:
//!
//! ```text
//! owner:  1. store the new ring       thief:  1. count itself in
//!         2. fence                            2. fence
//!         3. no thieves? free the old         3. load the ring
//! ```
//!
//! An empty ring that has grown is replaced by a small one when its machine goes to rest.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::{self, NonNull};

use crate::sync::{Arc, AtomicPtr, AtomicUsize, Ordering, Padded, fence};

/// Slots of a new ring: two kilobytes, and room for a theft beside what a machine has as a rule.
const SMALL: usize = if cfg!(tidemill_loom) { 2 } else { 256 };

/// Items taken by one theft: tokio's bound. More would only be stolen back.
const LOOT: usize = if cfg!(tidemill_loom) { 2 } else { 128 };

/// What a queue holds: something that is one pointer.
pub(crate) trait Item: Sized {
    type Target;

    fn into_raw(self) -> NonNull<Self::Target>;

    /// # Safety
    /// The pointer comes from `into_raw`, and is used once.
    unsafe fn from_raw(pointer: NonNull<Self::Target>) -> Self;
}

/// The owner's end.
pub(crate) struct Queue<I: Item> {
    shared: Arc<Shared<I>>,
    /// The ring in use: a copy of `Shared::ring`.
    ring: Cell<NonNull<Ring<I>>>,
    /// A value that `head` had.
    seen_head: Cell<usize>,
    /// Rings that thieves may still read in.
    retired: RefCell<Vec<Retired<I>>>,
}

/// Everybody's end.
pub(crate) struct Thieves<I: Item>(Arc<Shared<I>>);

struct Shared<I: Item> {
    /// Owner and thieves write to different ends.
    head: Padded<AtomicUsize>,
    tail: Padded<AtomicUsize>,
    ring: AtomicPtr<Ring<I>>,
    /// How many are inside of `steal`.
    thieves: AtomicUsize,
}

struct Ring<I: Item>(Box<[AtomicPtr<I::Target>]>);

/// A ring that is freed with this.
struct Retired<I: Item>(NonNull<Ring<I>>);

// SAFETY: items are handed from thread to thread; beside them there are atomics, and the ring, which is freed by the
// owner when nobody reads in it.
unsafe impl<I: Item + Send> Send for Queue<I> {}
// SAFETY: as above.
unsafe impl<I: Item + Send> Send for Thieves<I> {}
// SAFETY: through `&Thieves` items are taken, by one thread each.
unsafe impl<I: Item + Send> Sync for Thieves<I> {}

impl<I: Item> Queue<I> {
    pub(crate) fn new() -> Self {
        let ring = Ring::leak(SMALL);
        let shared = Shared {
            head: Padded(AtomicUsize::new(0)),
            tail: Padded(AtomicUsize::new(0)),
            ring: AtomicPtr::new(ring.as_ptr()),
            thieves: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared), ring: Cell::new(ring), seen_head: Cell::new(0), retired: RefCell::default() }
    }

    pub(crate) fn thieves(&self) -> Thieves<I> {
        Thieves(Arc::clone(&self.shared))
    }

    pub(crate) fn push(&self, item: I) {
        let tail = self.tail();
        self.reserve(1);
        // Relaxed: published by the tail.
        self.ring().slot(tail).store(item.into_raw().as_ptr(), Ordering::Relaxed);
        self.publish(tail + 1);
    }

    pub(crate) fn pop(&self) -> Option<I> {
        let tail = self.tail();
        let mut head = self.shared.head.0.load(Ordering::Relaxed);
        while head != tail {
            let item = self.ring().slot(head).load(Ordering::Relaxed);
            match self.shared.advance(head, 1) {
                // SAFETY: `push` stored it, and now it is ours.
                Ok(()) => return NonNull::new(item).map(|item| unsafe { I::from_raw(item) }),
                Err(now) => head = now,
            }
        }
        None
    }

    /// Takes half of another queue: the oldest item as the answer, the others into this queue.
    pub(crate) fn steal(&self, from: &Thieves<I>) -> Option<I> {
        self.reserve(LOOT);
        let (ring, tail, mut first) = (self.ring(), self.tail(), ptr::null_mut());
        let half = |length: usize| length.div_ceil(2).min(LOOT);
        let taken = from.0.take(half, |i, item| match i {
            0 => first = item,
            // Relaxed: published by the tail.
            _ => ring.slot(tail + i - 1).store(item, Ordering::Relaxed),
        });
        if taken > 1 {
            self.publish(tail + taken - 1);
        }
        // SAFETY: `push` stored it, and if anything was taken it is ours.
        NonNull::new(first).filter(|_| taken > 0).map(|item| unsafe { I::from_raw(item) })
    }

    pub(crate) fn len(&self) -> usize {
        self.shared.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the memory of a long queue back, if the queue is empty.
    pub(crate) fn trim(&self) {
        if self.ring().0.len() > SMALL && self.is_empty() {
            self.replace(SMALL);
        }
        self.free_retired();
    }

    /// Relaxed: the owner alone writes it.
    fn tail(&self) -> usize {
        self.shared.tail.0.load(Ordering::Relaxed)
    }

    /// Release: a thief that sees the tail sees the items, and the ring that they are in. Pairs with `take`.
    fn publish(&self, tail: usize) {
        self.shared.tail.0.store(tail, Ordering::Release);
    }

    fn ring(&self) -> &Ring<I> {
        // SAFETY: the ring in use is freed by the owner alone, and not while it is in use.
        unsafe { self.ring.get().as_ref() }
    }

    /// Makes room for `more` items.
    fn reserve(&self, more: usize) {
        let wanted = self.tail() + more;
        if wanted - self.seen_head.get() <= self.ring().0.len() {
            return;
        }
        // Acquire: pairs with `advance`: who has taken an item has read it, before its slot is written again.
        self.seen_head.set(self.shared.head.0.load(Ordering::Acquire));
        let length = wanted - self.seen_head.get();
        if length > self.ring().0.len() {
            self.replace(length.next_power_of_two());
        }
    }

    /// Goes on with a ring of `size`, which is enough.
    #[cold]
    fn replace(&self, size: usize) {
        let (old, new) = (self.ring.get(), Ring::leak(size));
        // SAFETY: it was made this moment.
        let to = unsafe { new.as_ref() };
        for i in self.seen_head.get()..self.tail() {
            to.slot(i).store(self.ring().slot(i).load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Release: a thief that sees the ring sees its slots.
        self.shared.ring.store(new.as_ptr(), Ordering::Release);
        self.ring.set(new);
        self.retired.borrow_mut().push(Retired(old));
        self.free_retired();
    }

    /// Frees the rings in which nobody can be reading any more.
    fn free_retired(&self) {
        if self.retired.borrow().is_empty() {
            return;
        }
        // Pairs with the fence of `take`: a thief that is not counted yet will see the ring in use.
        fence(Ordering::SeqCst);
        // Acquire: pairs with the Release of a thief that left; its reads are over.
        if self.shared.thieves.load(Ordering::Acquire) == 0 {
            self.retired.borrow_mut().clear();
        }
    }
}

impl<I: Item> Thieves<I> {
    /// Takes up to `most` items, oldest first, and gives each to `each`; returns how many.
    pub(crate) fn drain(&self, most: usize, mut each: impl FnMut(I)) -> usize {
        let mut total = 0;
        loop {
            let mut items = [ptr::null_mut(); LOOT];
            let taken = self.0.take(|length| length.min(most - total).min(LOOT), |i, item| items[i] = item);
            if taken == 0 {
                return total;
            }
            total += taken;
            for item in items.into_iter().take(taken).filter_map(NonNull::new) {
                // SAFETY: `push` stored it, and now it is ours.
                each(unsafe { I::from_raw(item) });
            }
        }
    }

    /// A hint.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<I: Item> Shared<I> {
    /// Takes as many of the oldest items as `want` says for a length; shows each to `copy`, which may be called in vain:
    /// only the last round of calls counts. Returns how many it took.
    fn take(&self, want: impl Fn(usize) -> usize, mut copy: impl FnMut(usize, *mut I::Target)) -> usize {
        let _thief = self.enter();
        loop {
            // Acquire: an item that is not there any more when the tail is read was taken by a swap that is seen here.
            let head = self.head.0.load(Ordering::Acquire);
            // Acquire: pairs with `publish`.
            let tail = self.tail.0.load(Ordering::Acquire);
            let taken = want(tail.saturating_sub(head));
            if taken == 0 {
                return 0;
            }
            // Acquire: pairs with `replace`. After the tail: the items before that tail are in this ring.
            // SAFETY: this thief is counted, so a ring that it can see is not freed.
            let ring = unsafe { &*self.ring.load(Ordering::Acquire) };
            for i in 0..taken {
                copy(i, ring.slot(head + i).load(Ordering::Relaxed));
            }
            if self.advance(head, taken).is_ok() {
                return taken;
            }
        }
    }

    /// Counts a thief in, for as long as the answer lives.
    fn enter(&self) -> impl Drop {
        struct Inside<'a>(&'a AtomicUsize);
        impl Drop for Inside<'_> {
            fn drop(&mut self) {
                // Release: our reads come before the end of the ring. Pairs with `free_retired`.
                self.0.fetch_sub(1, Ordering::Release);
            }
        }
        self.thieves.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence of `free_retired`.
        fence(Ordering::SeqCst);
        Inside(&self.thieves)
    }

    /// Takes the items `head .. head + n`, or says where `head` is by now.
    fn advance(&self, head: usize, n: usize) -> Result<(), usize> {
        // Release: the items were read before. Pairs with `reserve`. Acquire: the next taker reads after this one.
        self.head.0.compare_exchange(head, head + n, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }

    fn len(&self) -> usize {
        let head = self.head.0.load(Ordering::Relaxed);
        self.tail.0.load(Ordering::Relaxed).saturating_sub(head)
    }
}

impl<I: Item> Ring<I> {
    fn leak(size: usize) -> NonNull<Self> {
        let slots = (0..size).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        NonNull::from(Box::leak(Box::new(Self(slots))))
    }

    /// The slot of the item with this number. The size is a power of two.
    fn slot(&self, number: usize) -> &AtomicPtr<I::Target> {
        &self.0[number & (self.0.len() - 1)]
    }
}

impl<I: Item> Drop for Retired<I> {
    fn drop(&mut self) {
        // SAFETY: it was leaked by `leak`, and whoever drops this knows that nobody reads in it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<I: Item> Drop for Shared<I> {
    fn drop(&mut self) {
        // The last end is gone, so nobody else takes anything.
        let ring = Retired(NonNull::new(self.ring.load(Ordering::Relaxed)).expect("there is always a ring"));
        let (head, tail) = (self.head.0.load(Ordering::Relaxed), self.tail.0.load(Ordering::Relaxed));
        for i in head..tail {
            // SAFETY: the ring is freed at the end of this function.
            let item = unsafe { ring.0.as_ref() }.slot(i).load(Ordering::Relaxed);
            // SAFETY: `push` stored it, and nobody took it.
            drop(NonNull::new(item).map(|item| unsafe { I::from_raw(item) }));
        }
    }
}

impl<I: Item> fmt::Debug for Queue<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<I: Item> fmt::Debug for Thieves<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thieves").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
