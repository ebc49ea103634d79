//! A growing table of pointers that one owner fills and anybody empties: the places of live tasks.
//!
//! ```text
//! owner, holding the claims:   insert   one plain store into a free place
//! owner:                       remove   one swap; the place goes to the claims' own list
//! anybody else:                remove   one swap, and one compare-and-swap to give the place back
//! the end of a runtime:        drain    one swap for each place that is in use
//! a look at all tasks:         visit    borrows one pointer at a time
//! ```
//!
//! A place is three words: the pointer, or if it is free the next free place; the site of the spawn; and its time.
//!
//! A pointer is taken out of its place by a swap, so exactly one of a remover and a drain gets it, and with it the
//! duty that it stands for (the slab's reference to a task). Places given back by others are on a list that the
//! owner takes as a whole, so no place can be popped from it twice.
//!
//! A drain misses what is inserted behind it. The owner looks at [`is_closed`](Slots::is_closed) before it inserts, but
//! without a fence; so whoever ends the owner drains once more, after its last insertion.
//!
//! Memory comes in chunks that double and never move, so a place is an index for ever. They are freed with the table.
//!
//! Rejected: shards of `Mutex<Vec>`, which cost four read-modify-writes a task, a third of the whole time per task in
//! workloads that only spawn. Intrusive lists: 24 bytes more a task, and two neighbours touched per removal.

use std::cell::Cell;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use crate::sync::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Mutex, Ordering, Padded, fill, lock};

/// Places in the first chunk; each chunk has twice as many as the one before.
#[cfg(not(tidemill_loom))]
const FIRST: u32 = 64;
/// Shrunk, so that the models reach the second chunk.
#[cfg(tidemill_loom)]
const FIRST: u32 = 1;

/// Chunks enough for all places that an index can name, but a few.
const CHUNKS: usize = (u32::BITS - FIRST.ilog2()) as usize;

/// The end of a list of places.
const END: Place = Place::MAX;

/// Where a pointer is, for as long as it is in the table.
pub(crate) type Place = u32;

/// The table.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    /// The list of places that others than the owner gave back.
    returned: Padded<AtomicU32>,
    closed: AtomicBool,
    /// Insertions ever. Written by the owner alone, so a load and a store.
    inserted: Padded<AtomicU64>,
}

#[derive(Debug)]
struct Slot<T> {
    /// A pointer; or what [`is_pointer`] tells from one: null, the place is drained; `borrowed`, a visitor has the
    /// pointer; a `link`, the place is on a list of free ones.
    pointer: AtomicPtr<T>,
    /// The two parts of an [`Origin`].
    site: AtomicPtr<Location<'static>>,
    born: AtomicU32,
}

/// Where a task comes from, beside its pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Where it was spawned.
    pub(crate) site: &'static Location<'static>,
    /// When, on the coarse clock.
    pub(crate) born: u32,
}

/// The owner's part of one table: the right to insert.
#[derive(Debug)]
pub(crate) struct Claims {
    /// The owner's own list of free places.
    free: Cell<Place>,
    /// The first place never used.
    fresh: Cell<Place>,
}

/// Who can show the claims of a table: their owner, or a lock around them.
pub(crate) trait Claimant {
    fn with<R>(&self, f: impl FnOnce(&Claims) -> R) -> R;
}

impl Claimant for Claims {
    fn with<R>(&self, f: impl FnOnce(&Claims) -> R) -> R {
        f(self)
    }
}

impl Claimant for Mutex<Claims> {
    fn with<R>(&self, f: impl FnOnce(&Claims) -> R) -> R {
        f(&lock(self))
    }
}

impl<T> Slots<T> {
    /// An empty table, and the only claims there will be for it.
    pub(crate) fn new() -> (Self, Claims) {
        let table = Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            returned: Padded(AtomicU32::new(END)),
            closed: AtomicBool::new(false),
            inserted: Padded(AtomicU64::new(0)),
        };
        (table, Claims { free: Cell::new(END), fresh: Cell::new(0) })
    }

    /// Puts a pointer in. `claims` are this table's.
    ///
    /// # Panics
    /// If there are 2^32 pointers in the table.
    pub(crate) fn insert(&self, claims: &Claims, pointer: NonNull<T>, origin: Origin) -> Place {
        let place = self.claim(claims);
        let slot = self.slot(place);
        // Relaxed: published with the pointer.
        slot.site.store(ptr::from_ref(origin.site).cast_mut(), Ordering::Relaxed);
        slot.born.store(origin.born, Ordering::Relaxed);
        // Pairs with the swaps of `remove` and `drain`.
        fill(&slot.pointer, pointer.as_ptr());
        self.inserted.0.store(self.inserted() + 1, Ordering::Relaxed);
        place
    }

    /// Takes a pointer out. `true`: what it stands for is the caller's now. `false`: a drain or a visitor has it.
    ///
    /// `claims` are this table's, if the caller is its owner.
    #[must_use]
    pub(crate) fn remove(&self, place: Place, claims: Option<&Claims>) -> bool {
        let slot = self.slot(place);
        let found = slot.pointer.swap(ptr::null_mut(), Ordering::AcqRel);
        if !is_pointer(found) {
            return false;
        }
        match claims {
            Some(claims) => slot.pointer.store(link(claims.free.replace(place)), Ordering::Relaxed),
            None => self.give_back(place),
        }
        true
    }

    /// Insertions ever.
    pub(crate) fn inserted(&self) -> u64 {
        self.inserted.0.load(Ordering::Relaxed)
    }

    /// No more insertions, as far as the owner sees it.
    pub(crate) fn close(&self) {
        // Relaxed: no order is promised (see the head of the file).
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Takes out every pointer that is seen. Not while somebody visits.
    pub(crate) fn drain(&self, mut each: impl FnMut(NonNull<T>)) {
        for slot in self.slots().filter(|slot| is_pointer(slot.pointer.load(Ordering::Relaxed))) {
            // Acquire: pairs with `insert`. A link that it may overwrite belongs to a list that nobody needs any more.
            let pointer = slot.pointer.swap(ptr::null_mut(), Ordering::Acquire);
            NonNull::new(pointer).filter(|&pointer| is_pointer(pointer.as_ptr())).into_iter().for_each(&mut each);
        }
    }

    /// Shows every pointer that is seen to `each`; what it points to stays meanwhile. Returns those that were removed
    /// during their visit: what they stand for is the caller's. One visitor at a time.
    #[must_use]
    pub(crate) fn visit(&self, mut each: impl FnMut(NonNull<T>, Origin)) -> Vec<NonNull<T>> {
        let mut removed = Vec::new();
        for (place, slot) in (0..).zip(self.slots()) {
            let seen = slot.pointer.load(Ordering::Relaxed);
            let Some(pointer) = NonNull::new(seen).filter(|_| is_pointer(seen)) else { continue };
            // Acquire: pairs with `insert`.
            if slot.pointer.compare_exchange(seen, borrowed(), Ordering::Acquire, Ordering::Relaxed).is_err() {
                continue;
            }
            // SAFETY: only `&'static` are stored, before the pointer.
            let site = unsafe { &*slot.site.load(Ordering::Relaxed) };
            each(pointer, Origin { site, born: slot.born.load(Ordering::Relaxed) });
            // Release: whoever takes the pointer out does so after the visit.
            if slot.pointer.compare_exchange(borrowed(), seen, Ordering::AcqRel, Ordering::Acquire).is_err() {
                removed.push(pointer);
                self.give_back(place);
            }
        }
        removed
    }

    /// A free place.
    fn claim(&self, claims: &Claims) -> Place {
        if claims.free.get() == END && self.returned.0.load(Ordering::Relaxed) != END {
            // Acquire: pairs with the Release of `give_back`, so that the links of the list are seen.
            claims.free.set(self.returned.0.swap(END, Ordering::Acquire));
        }
        let place = claims.free.get();
        if place == END {
            return self.fresh(claims);
        }
        claims.free.set(linked(self.slot(place).pointer.load(Ordering::Relaxed)));
        place
    }

    /// A place never used, in a new chunk if need be.
    fn fresh(&self, claims: &Claims) -> Place {
        let place = claims.fresh.get();
        let (chunk, offset) = locate(place);
        if offset == 0 {
            self.chunks[chunk].get_or_init(|| Slot::chunk((FIRST << chunk) as usize));
        }
        claims.fresh.set(place + 1);
        place
    }

    /// Puts a place on the list of the returned ones, by anybody.
    fn give_back(&self, place: Place) {
        let slot = self.slot(place);
        let mut first = self.returned.0.load(Ordering::Relaxed);
        loop {
            slot.pointer.store(link(first), Ordering::Relaxed);
            // Release: the link is seen by the owner who takes the list.
            match self.returned.0.compare_exchange_weak(first, place, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    fn slot(&self, place: Place) -> &Slot<T> {
        let (chunk, offset) = locate(place);
        &self.chunks[chunk].get().expect("a place is in a chunk that was made for it")[offset]
    }

    fn slots(&self) -> impl Iterator<Item = &Slot<T>> {
        self.chunks.iter().map_while(OnceLock::get).flatten()
    }
}

impl<T> Slot<T> {
    /// `size` free slots: zeros, straight from the system if they are many, so that none takes memory before it is used.
    #[cfg(not(any(tidemill_loom, tidemill_shuttle)))]
    fn chunk(size: usize) -> Box<[Self]> {
        let zeros = Box::new_zeroed_slice(size);
        // SAFETY: a null pointer and the number 0 are all that a slot begins with, and both are zeros.
        unsafe { zeros.assume_init() }
    }

    /// The same, of a model's atomics.
    #[cfg(any(tidemill_loom, tidemill_shuttle))]
    fn chunk(size: usize) -> Box<[Self]> {
        let slot = |_| Self {
            pointer: AtomicPtr::new(ptr::null_mut()),
            site: AtomicPtr::new(ptr::null_mut()),
            born: AtomicU32::new(0),
        };
        (0..size).map(slot).collect()
    }
}

/// Chunk and offset of a place.
fn locate(place: Place) -> (usize, usize) {
    let number = u64::from(place) + u64::from(FIRST);
    let chunk = number.ilog2() - FIRST.ilog2();
    (chunk as usize, (number - (u64::from(FIRST) << chunk)) as usize)
}

/// Neither null nor a mark: what `T` is aligned to leaves the lowest bit of its addresses free.
fn is_pointer<T>(word: *mut T) -> bool {
    const { assert!(align_of::<T>() > 2, "two bits are needed for marks") };
    !word.is_null() && word.addr() & 1 == 0
}

/// Stands for a pointer that a visitor has.
fn borrowed<T>() -> *mut T {
    ptr::without_provenance_mut(0b11)
}

/// Stands for the next place on a list of free ones.
fn link<T>(next: Place) -> *mut T {
    // `END` becomes 0.
    ptr::without_provenance_mut((next.wrapping_add(1) as usize) << 2 | 1)
}

/// The place of a link. A drained place ends the list that it was on.
fn linked<T>(word: *mut T) -> Place {
    if word.addr() & 0b11 == 1 { ((word.addr() >> 2) as Place).wrapping_sub(1) } else { END }
}

#[cfg(test)]
mod tests;
