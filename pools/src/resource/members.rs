//! The pools under one common bound, and what they do for each other: see `common`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    common::{Common, Next, Seat},
    manager::Manager,
    shared::Shared,
};

/// Owned by the keyed pool and by each of its pools; holds these weakly.
pub(super) struct Members<M: Manager> {
    pub(super) common: Arc<Common>,
    pools: Mutex<HashMap<u64, Weak<Shared<M>>>>,
}

impl<M: Manager> Members<M> {
    pub(super) fn new(max: usize) -> Self {
        Self { common: Arc::new(Common::new(max)), pools: Mutex::default() }
    }

    pub(super) fn seat(&self) -> Seat {
        Seat::new(&self.common)
    }

    pub(super) fn enter(&self, pool: u64, shared: &Arc<Shared<M>>) {
        self.lock().insert(pool, Arc::downgrade(shared));
    }

    pub(super) fn leave(&self, pool: u64) {
        self.lock().remove(&pool);
    }

    /// Serves who is to be served and makes room where it is needed. No lock may be held.
    pub(super) fn settle(&self) {
        while let Some(next) = self.common.next() {
            match next {
                Next::Serve(pool) => match self.find(pool) {
                    Some(shared) => shared.ask_again(),
                    None => self.common.forget(pool),
                },
                Next::Search => {
                    if self.close_longest_idle() {
                        self.common.search_on();
                    }
                }
            }
        }
    }

    /// A pass over all pools, their locks one after the other. Who needs it is about to wait for a resource to be made.
    fn close_longest_idle(&self) -> bool {
        let all: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        let idle = all.iter().filter_map(|shared| Some((shared.lock().idle_since()?, shared)));
        let longest = idle.min_by_key(|(since, _)| *since);
        longest.inspect(|(_, shared)| shared.make_room()).is_some()
    }

    fn find(&self, pool: u64) -> Option<Arc<Shared<M>>> {
        self.lock().get(&pool).and_then(Weak::upgrade)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Shared<M>>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
