//! The shared level of a pool: idle objects, and who may keep how many of them.
//!
//! Invariant, at every release of the lock: `idle.len() + reserved <= capacity` and `reserved <= capacity / 2`. `idle`
//! are the objects here, `reserved` the places promised to magazines, filled or not. The half that is never reserved is
//! what objects travel through, from threads that return to threads that get. User code (`make`, hooks, destructors)
//! never runs under the lock.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::{
    decay::{Decay, ebb},
    registry::{self, PoolId},
};

/// Judges a returning object and readies it for the next user; `false` drops it.
pub(super) type Recycle<T> = Box<dyn Fn(&mut T) -> bool + Send + Sync>;

/// Judges an idle object before it is given out; `false` drops it.
pub(super) type Valid<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// What a pool does with its objects besides keeping them.
pub(super) struct Care<T> {
    pub(super) recycle: Option<Recycle<T>>,
    pub(super) valid: Option<Valid<T>>,
    pub(super) decay: Option<Decay>,
}

/// Owned by an `Arc` in the pool's handle and in each magazine.
pub(super) struct Depot<T> {
    id: PoolId<T>,
    capacity: usize,
    /// Places a magazine asks for.
    magazine: usize,
    care: Care<T>,
    /// Set once, when the pool is dropped. Relaxed: who misses it for a moment caches one object more and frees it later;
    /// where it must be seen, a lock is the partner (see [`close`](Self::close)).
    closed: AtomicBool,
    stock: Mutex<Stock<T>>,
    /// Counts, relaxed because they order nothing.
    made: AtomicU64,
    discarded: AtomicU64,
    decayed: AtomicU64,
    returned: AtomicU64,
    /// How many windows of decay have ended; relaxed, a magazine that sees it late ebbs late.
    window: AtomicU64,
}

#[derive(Debug)]
struct Stock<T> {
    idle: Vec<Box<T>>,
    reserved: usize,
    /// The fewest that were idle since the window began.
    low: usize,
    /// The most that ever were.
    most: usize,
}

/// A moment in the life of an [`ObjectPool`](crate::ObjectPool).
///
/// ```
/// use tidemill_pools::ObjectPool;
///
/// let names = ObjectPool::builder(String::new).keep_if(|name: &String| name.capacity() <= 100).build()?;
/// drop(names.attach("x".repeat(1_000))); // too large to be kept
/// drop(names.get());
///
/// let stats = names.stats();
/// assert_eq!((stats.made, stats.discarded), (1, 1)); // many made of few used: the pool helps little
/// assert!(stats.shared + stats.reserved <= names.capacity());
/// # Ok::<(), tidemill_pools::ObjectBuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectStats {
    /// Idle objects in the shared depot.
    pub shared: usize,
    /// Places that threads keep for themselves: the most idle objects they may hold. `shared + reserved` never exceeds
    /// the capacity.
    pub reserved: usize,
    /// Objects made because no idle one was at hand.
    pub made: u64,
    /// Objects that were dropped: refused by `keep_if` or `valid_if`, or over the bound.
    pub discarded: u64,
    /// Idle objects that were dropped because they were not needed (`decay`, `trim`, `clear`).
    pub decayed: u64,
    /// Objects that came back, in steps of 64 per thread. Counted only by pools with `reset`, `keep_if`, `valid_if` or
    /// `decay`: without, a count would be a good part of what a return costs.
    pub returned: u64,
    /// The most idle objects that the shared depot ever held.
    pub most_shared: usize,
}

impl<T> Depot<T> {
    pub(super) fn new(id: PoolId<T>, capacity: usize, magazine: usize, care: Care<T>) -> Self {
        Self {
            id,
            capacity,
            magazine,
            care,
            closed: AtomicBool::new(false),
            stock: Mutex::new(Stock { idle: Vec::new(), reserved: 0, low: 0, most: 0 }),
            made: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            decayed: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            window: AtomicU64::new(0),
        }
    }

    pub(super) fn id(&self) -> PoolId<T> {
        self.id
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Whether a return is to be seen by more than the top slot.
    pub(super) fn cares(&self) -> bool {
        self.care.recycle.is_some() || self.care.valid.is_some() || self.care.decay.is_some()
    }

    /// Whether a get has to look at what it takes.
    pub(super) fn validates(&self) -> bool {
        self.care.valid.is_some()
    }

    /// Runs the hook of a get; `None` if the object is no longer fit for use. User code, as in
    /// [`recycled`](Self::recycled).
    pub(super) fn validated(&self, object: Box<T>) -> Option<Box<T>> {
        if self.care.valid.as_ref().is_none_or(|valid| valid(&object)) {
            return Some(object);
        }
        self.discard(object);
        None
    }

    /// Runs the hooks; `None` if the object is not to be kept. User code: nothing of ours may be borrowed or locked.
    #[inline]
    pub(super) fn recycled(&self, mut object: Box<T>) -> Option<Box<T>> {
        let Some(recycle) = &self.care.recycle else { return Some(object) };
        if !std::thread::panicking() && recycle(&mut object) {
            return Some(object);
        }
        self.discard(object);
        None
    }

    pub(super) fn count_made(&self) {
        self.made.fetch_add(1, Relaxed);
    }

    /// Drops a surplus object, or a refused one.
    #[cold]
    pub(super) fn discard(&self, object: Box<T>) {
        self.discarded.fetch_add(1, Relaxed);
        drop(object);
    }

    /// Reserves places for a magazine: as many as it should have, or what is left, possibly none.
    pub(super) fn reserve(&self) -> usize {
        let mut stock = self.stock();
        let places = self.unreserved(&stock).min(self.room(&stock));
        stock.reserved += places;
        places
    }

    /// Brings half a magazine of objects, or as many as there are. A magazine without places gets some if it can be, and
    /// one object all the same if it cannot. Returns the places.
    pub(super) fn refill(&self, objects: &mut Vec<Box<T>>, places: usize) -> usize {
        let mut stock = self.stock();
        if places > 0 {
            stock.move_to(objects, half(places));
            return places;
        }
        let wanted = self.unreserved(&stock);
        stock.move_to(objects, half(wanted).max(1));
        // The load has made room for itself, so the places are no fewer than it.
        let places = wanted.min(self.room(&stock));
        stock.reserved += places;
        places
    }

    /// Takes back a magazine's places and its objects. They fit: the objects are no more than the places.
    pub(super) fn close_magazine(&self, places: usize, objects: &mut Vec<Box<T>>) {
        let mut stock = self.stock();
        stock.reserved -= places;
        if !self.is_closed() {
            debug_assert!(objects.len() <= places, "a magazine held more than it reserved");
            stock.idle.append(objects);
            stock.grown();
        }
    }

    /// Takes half a magazine off a full one, as far as there is room here; the older half, the warm objects stay.
    pub(super) fn relieve(&self, objects: &mut Vec<Box<T>>, places: usize) {
        let mut stock = self.stock();
        let count = half(places).min(objects.len()).min(self.room(&stock));
        stock.idle.extend(objects.drain(..count));
        stock.grown();
    }

    /// One object, past the magazines.
    pub(super) fn pop(&self) -> Option<Box<T>> {
        let mut stock = self.stock();
        let object = stock.idle.pop();
        stock.shrunk();
        object
    }

    /// Keeps one object, past the magazines, or drops it if all places are taken.
    pub(super) fn push(&self, object: Box<T>) {
        let mut stock = self.stock();
        if self.is_closed() || self.room(&stock) == 0 {
            drop(stock);
            return self.discard(object);
        }
        stock.idle.push(object);
        stock.grown();
    }

    // What goes back.

    pub(super) fn count_returned(&self, objects: u32) {
        self.returned.fetch_add(objects.into(), Relaxed);
    }

    /// How many windows have ended so far.
    pub(super) fn window(&self) -> u64 {
        self.window.load(Relaxed)
    }

    /// Drops what the windows that have ended since did not need. User code: the objects' destructors.
    pub(super) fn ebb_if_due(&self) {
        if let Some(decay) = self.care.decay.as_ref().filter(|decay| decay.is_due()) {
            self.ebb(|| decay.pass());
        }
    }

    /// Ends the window now.
    pub(super) fn trim(&self) {
        self.ebb(|| 1);
    }

    fn ebb(&self, windows: impl FnOnce() -> u64) {
        let unneeded = {
            let mut stock = self.stock();
            let windows = windows();
            self.window.fetch_add(windows, Relaxed);
            stock.ebb(windows)
        };
        self.forget(unneeded);
    }

    /// Drops everything that is idle here.
    pub(super) fn clear(&self) {
        let idle = {
            let mut stock = self.stock();
            stock.low = 0;
            std::mem::take(&mut stock.idle)
        };
        self.forget(idle);
    }

    /// Drops objects that nobody needed.
    pub(super) fn forget(&self, objects: Vec<Box<T>>) {
        self.decayed.fetch_add(objects.len() as u64, Relaxed);
        drop(objects);
    }

    /// The end of the pool: nothing is kept from now on.
    ///
    /// Marked closed *before* the index is free for another pool: whoever uses that next pool has, through the registry's
    /// lock, also seen the mark, and sweeps our magazine out of the row that it needs.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        registry::forget(self.id.raw());
        let idle = std::mem::take(&mut self.stock().idle);
        drop(idle);
    }

    pub(super) fn stats(&self) -> ObjectStats {
        let stock = self.stock();
        ObjectStats {
            shared: stock.idle.len(),
            reserved: stock.reserved,
            made: self.made.load(Relaxed),
            discarded: self.discarded.load(Relaxed),
            decayed: self.decayed.load(Relaxed),
            returned: self.returned.load(Relaxed),
            most_shared: stock.most,
        }
    }

    /// The places of a new magazine, as far as threads have not reserved their half of the capacity.
    fn unreserved(&self, stock: &Stock<T>) -> usize {
        self.magazine.min(self.capacity / 2 - stock.reserved)
    }

    /// Places that nobody has reserved and no object fills.
    fn room(&self, stock: &Stock<T>) -> usize {
        self.capacity - stock.idle.len() - stock.reserved
    }

    /// No user code runs under the lock, so poison means nothing.
    fn stock(&self) -> MutexGuard<'_, Stock<T>> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Stock<T> {
    /// Moves out the `count` most recently returned objects, or all.
    fn move_to(&mut self, objects: &mut Vec<Box<T>>, count: usize) {
        let start = self.idle.len().saturating_sub(count);
        objects.extend(self.idle.drain(start..));
        self.shrunk();
    }

    fn shrunk(&mut self) {
        self.low = self.low.min(self.idle.len());
    }

    fn grown(&mut self) {
        self.most = self.most.max(self.idle.len());
    }

    /// Takes out what so many windows did not need, the oldest first.
    fn ebb(&mut self, windows: u64) -> Vec<Box<T>> {
        let count = ebb(self.idle.len(), self.low, windows);
        let unneeded = self.idle.drain(..count).collect();
        self.idle.shrink_to(2 * self.idle.len());
        self.low = self.idle.len();
        unneeded
    }
}

/// Half, rounded up: what moves between a magazine and the depot, so that neither a get nor a return right after the
/// move needs the depot again.
fn half(places: usize) -> usize {
    places.div_ceil(2)
}
