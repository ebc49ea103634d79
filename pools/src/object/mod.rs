//! The object pool: reuse instead of allocation, at less than the price of an allocation.
//!
//! **Three levels**, after Bonwick's magazines (*Magazines and Vmem*, 2001) and the private slot of Go's `sync.Pool`:
//!
//! 1. each thread has a *magazine* per pool: a one-object slot in front of a short stack, touched by nobody else, so
//!    that `get` and the return cost a few plain loads and stores (`magazine`, found through `local`);
//! 2. an empty or full magazine moves half its load from or to the shared *depot* under a mutex (`depot`): one lock
//!    for many objects;
//! 3. an empty depot makes a new object, a full one drops the surplus.
//!
//! **The bound is exact and counts what threads hold.** A magazine *reserves* its places out of `capacity` before it
//! may hold anything, so `idle objects in the depot + places reserved by threads <= capacity` at every moment. Threads
//! reserve at most half of it; one that comes later works on the depot directly: slower, never over the bound.
//!
//! **Guards carry an id, not a reference count.** Counting would cost two read-modify-writes, more than the whole
//! operation. A returning guard finds its magazine by id on whatever thread it is dropped, and where there is none yet,
//! the pool by id in a process-wide `registry`; if the pool is gone, the object is dropped.
//!
//! Measured here (2-core Xeon VM, ns for get + push a byte + clear + return; push and clear alone are 1.5, `malloc` +
//! `free` of 1 KiB in place of the pool 8.5-11), ways to find a thread's magazine:
//!
//! | way | ns | |
//! |---|---|---|
//! | thread-local `RefCell<Vec<Option<Rc<dyn Any>>>>` with a checked downcast (safe code) | 9.6-10.2 | no better than malloc |
//! | thread-local vector with a destructor, indexed by pool, unchecked cast | 4.0-4.3 | the destructor check costs |
//! | table pointer in a plain thread-local cell, indexed by pool, unchecked cast | 3.2 | **taken** |
//! | eight direct-mapped entries inside the thread-local itself | 3.2 | no faster, and collides |
//!
//! **Counted**, a get and a return on a thread's usual path: 11 loads, 2 stores and 6 branches, none of them shared with
//! another thread while it runs. Of the get's six loads two find the table, one its row, one compares the pool's number
//! there; a return has one comparison for "my pool" and "nobody wants to look at it" (`magazine`, `Head`).
//!
//! Idle objects that nobody needs go back by the rule of `decay`; byte buffers have size classes (`buffers`).
//!
//! Objects are boxed: a get moves one pointer however large the object is, and it never moves in memory.

mod buffers;
mod builder;
mod decay;
mod depot;
mod guard;
mod local;
mod magazine;
mod registry;

use std::{fmt, sync::Arc};

pub use self::{
    buffers::{Buffer, BufferBuildError, BufferBuilder, BufferPool, BufferStats},
    builder::{ObjectBuildError, ObjectBuilder},
    depot::ObjectStats,
    guard::Pooled,
};
use self::{depot::Depot, magazine::Magazine, registry::PoolId};

/// A pool of idle `T`s that any thread or task may take from and return to.
///
/// [`get`](Self::get) never waits: it takes an idle object or makes one. How many are in use is not bounded, how many
/// are *kept* is: at most `capacity` idle objects in all, those cached by threads included.
///
/// **Cost.** Get and return on a thread that has used the pool before: no atomic read-modify-write, no lock, no
/// allocation; about 3 ns together. When a thread's magazine is empty or full: one mutex for half a magazine of objects.
///
/// **Threads.** A thread that ends gives its objects to the depot. Dropping the pool frees the depot's objects and those
/// of the dropping thread at once. What another thread has cached, a magazine at most, is freed when that thread next uses
/// a pool it has not used before, or ends. Guards outlive the pool; their objects go the same way.
///
/// ```
/// use tidemill_pools::ObjectPool;
///
/// let buffers = ObjectPool::builder(|| Vec::with_capacity(4096))
///     .capacity(256)
///     .reset(Vec::clear)
///     .keep_if(|buffer: &Vec<u8>| buffer.capacity() <= 65_536) // a giant is not kept
///     .build()?;
/// {
///     let mut buffer = buffers.get();
///     buffer.extend_from_slice(b"tide");
/// } // returned here
/// let buffer = buffers.get();
/// assert!(buffer.is_empty() && buffer.capacity() >= 4096);
/// # Ok::<(), tidemill_pools::ObjectBuildError>(())
/// ```
pub struct ObjectPool<T: Send + 'static> {
    /// The depot's, at hand without a visit there.
    id: PoolId<T>,
    depot: Arc<Depot<T>>,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Send + 'static> ObjectPool<T> {
    /// The options of a pool whose objects are made by `make`.
    pub fn builder(make: impl Fn() -> T + Send + Sync + 'static) -> ObjectBuilder<T> {
        ObjectBuilder::new(make)
    }

    /// An idle object, or a new one. The thread's most recently returned object comes first, its memory is the warmest.
    ///
    /// # Panics
    /// As `make` does; the pool is not affected.
    #[inline]
    pub fn get(&self) -> Pooled<T> {
        match local::with(self.id, Magazine::pop_top) {
            Some(Some(object)) => Pooled::new(object, self.id),
            _ => {
                std::hint::cold_path();
                self.get_slow()
            }
        }
    }

    /// An idle object that this thread can reach (its own or the depot's), or `None`; never calls `make`.
    #[inline]
    pub fn try_get(&self) -> Option<Pooled<T>> {
        let top = local::with(self.id, Magazine::pop_top).flatten();
        top.or_else(|| self.idle()).map(|object| Pooled::new(object, self.id))
    }

    #[inline(never)]
    fn get_slow(&self) -> Pooled<T> {
        match self.idle() {
            Some(object) => Pooled::new(object, self.id),
            None => self.attach(self.made()),
        }
    }

    /// As [`reach`](Self::reach), until one is fit for use.
    #[inline(never)]
    fn idle(&self) -> Option<Box<T>> {
        std::iter::from_fn(|| self.reach()).find_map(|object| self.depot.validated(object))
    }

    /// An object from below the top of this thread's magazine, opening one if need be, or from the depot.
    #[inline(never)]
    fn reach(&self) -> Option<Box<T>> {
        match local::with(self.id, Magazine::pop_below) {
            Some(object) => object,
            None if local::open(&self.depot) => local::with(self.id, Magazine::pop_below).flatten(),
            None => self.depot.pop(),
        }
    }

    fn made(&self) -> T {
        self.depot.count_made();
        (self.make)()
    }

    /// Puts an object that was made elsewhere under the care of the pool: dropping the guard returns it here.
    pub fn attach(&self, object: T) -> Pooled<T> {
        Pooled::new(Box::new(object), self.id)
    }

    /// The most idle objects the pool keeps, those cached by threads included.
    pub fn capacity(&self) -> usize {
        self.depot.capacity()
    }

    /// Ends the window of `decay` now, by hand: of the objects that lay idle in the depot since the window began, and of
    /// those on this thread's stack, half are dropped, the oldest first. Works with and without `decay`.
    pub fn trim(&self) {
        self.depot.trim();
        local::with(self.id, Magazine::trim);
    }

    /// Drops every idle object in the depot and those cached by this thread; for when memory is short.
    pub fn clear(&self) {
        local::with(self.id, Magazine::clear);
        self.depot.clear();
    }

    /// A look at the depot. Objects cached by threads cannot be counted from outside without slowing those threads
    /// down; the places reserved for them can. Cost: one lock.
    pub fn stats(&self) -> ObjectStats {
        self.depot.stats()
    }
}

impl<T: Send + 'static> Drop for ObjectPool<T> {
    fn drop(&mut self) {
        self.depot.close();
        local::sweep();
    }
}

impl<T: Send + 'static> fmt::Debug for ObjectPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
