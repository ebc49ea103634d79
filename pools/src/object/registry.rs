//! Names for pools: small enough to index a thread's table, and never used twice.
//!
//! A [`RawId`] is `generation << INDEX_BITS | index`. The index is dense and reused after a pool is gone, so tables stay
//! short; the generation counts all pools ever made, so an id tells a pool from its predecessors at the same index.
//! Generations last for 2^44 pools. A [`PoolId`] is the same with the type of the pool's objects; only [`register`] makes
//! one, so whoever holds a `PoolId<T>` knows that the pool of that number is one of `T`s.
//!
//! The registry also leads from an id to the pool, for guards that come home on a thread that never saw the pool. Only
//! the cold paths come here.

use std::{
    any::Any,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::depot::Depot;

/// At most so many bits of pools at the same time (a million).
const INDEX_BITS: u32 = 20;

/// The number of one pool, and of no other before or after it in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawId(u64);

impl RawId {
    /// Nobody's number: generations start at one.
    pub(super) const NONE: Self = Self(0);

    fn new(generation: u64, index: usize) -> Self {
        assert!(index < 1 << INDEX_BITS, "more than a million object pools at the same time");
        Self((generation << INDEX_BITS) | index as u64)
    }

    #[inline]
    pub(super) const fn number(self) -> u64 {
        self.0
    }

    /// The place of the pool in every thread's table.
    #[inline]
    pub(super) fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// The number of a pool of `T`s, invariant in `T`: as a guard of a supertype, an object of that wider type would come home
/// to a pool of the narrower one.
pub(super) struct PoolId<T> {
    raw: RawId,
    objects: PhantomData<fn(T) -> T>,
}

impl<T> PoolId<T> {
    #[inline]
    pub(super) fn raw(self) -> RawId {
        self.raw
    }
}

impl<T> Clone for PoolId<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PoolId<T> {}

type Slot = Option<(RawId, Weak<dyn Any + Send + Sync>)>;

struct Registry {
    generation: u64,
    slots: Vec<Slot>,
    free: Vec<usize>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { generation: 0, slots: Vec::new(), free: Vec::new() });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the depot of a new pool, which knows its id, and enters it.
pub(super) fn register<T: Send + 'static>(make: impl FnOnce(PoolId<T>) -> Depot<T>) -> Arc<Depot<T>> {
    let raw = {
        let mut registry = registry();
        registry.generation += 1;
        let index = registry.free.pop().unwrap_or_else(|| {
            registry.slots.push(None);
            registry.slots.len() - 1
        });
        RawId::new(registry.generation, index)
    };
    let depot = Arc::new(make(PoolId { raw, objects: PhantomData }));
    let weak: Weak<Depot<T>> = Arc::downgrade(&depot);
    registry().slots[raw.index()] = Some((raw, weak));
    depot
}

/// Strikes the pool out; its index is free for the next one.
pub(super) fn forget(id: RawId) {
    let mut registry = registry();
    registry.slots[id.index()] = None;
    registry.free.push(id.index());
}

/// The depot of that pool, if the pool is still there.
pub(super) fn find<T: Send + 'static>(id: PoolId<T>) -> Option<Arc<Depot<T>>> {
    let depot = match registry().slots.get(id.raw.index()) {
        Some(Some((owner, depot))) if *owner == id.raw => depot.upgrade(),
        _ => None,
    };
    depot.and_then(|depot| depot.downcast().ok())
}
