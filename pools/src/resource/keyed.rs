//! A resource pool for each key: for each tenant's database, each shard, each host.
//!
//! A map of pools under one mutex; a look-up clones an `Arc`, and a pool is built outside of the lock, on its key's first
//! use. **Memory is bounded**: when a new key makes them more than `max_keys`, the pools that nobody uses (no lease out,
//! nobody in line, no handle kept) are closed, the least recently asked for first. One in use is never closed, so there can
//! be more pools than `max_keys` as long as more are in use.
//!
//! Rejected: one pool whose resources carry keys (Commons' keyed pool), with a bound over all of them. A caller of one key
//! would then wait for resources of another, which have to be closed to make room: a burst of one tenant is paid for by the
//! connections of all others.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Holder, Manager, ResourceBuildError, ResourceBuilder, ResourcePool, ResourceStats};

type Make<K, M> = Box<dyn Fn(&K) -> ResourceBuilder<M> + Send + Sync>;

/// A [`ResourcePool`] for each key, built when the key is first asked for.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{KeyedResourcePool, Manager, ResourcePool};
///
/// struct Shard(u32);
/// impl Manager for Shard {
///     type Resource = String;
///     type Error = std::convert::Infallible;
///     async fn create(&self) -> Result<String, Self::Error> { Ok(format!("a connection to shard {}", self.0)) }
/// }
///
/// let shards = KeyedResourcePool::new(100, |number: &u32| ResourcePool::builder(Shard(*number)).max(4));
/// let connection = shards.of(&7)?.get().await?;
/// assert_eq!(*connection, "a connection to shard 7");
/// # Ok(()) }
/// ```
pub struct KeyedResourcePool<K, M: Manager> {
    make: Make<K, M>,
    max_keys: usize,
    pools: Mutex<Pools<K, M>>,
}

struct Pools<K, M: Manager> {
    by_key: HashMap<K, Member<M>>,
    /// Counts look-ups, to tell which pool was asked for last.
    asked: u64,
}

struct Member<M: Manager> {
    pool: Arc<ResourcePool<M>>,
    asked: u64,
}

impl<K: Clone + Eq + Hash, M: Manager> KeyedResourcePool<K, M> {
    /// Pools with the options that `make` gives for each key; of those that nobody uses, `max_keys` at most are kept.
    pub fn new(max_keys: usize, make: impl Fn(&K) -> ResourceBuilder<M> + Send + Sync + 'static) -> Self {
        let pools = Mutex::new(Pools { by_key: HashMap::new(), asked: 0 });
        Self { make: Box::new(make), max_keys, pools }
    }

    /// The pool of that key. Whoever keeps it keeps it from being closed. Cost: one lock and a look-up.
    ///
    /// # Errors
    /// As [`ResourceBuilder::build`], if it is the first time.
    pub fn of(&self, key: &K) -> Result<Arc<ResourcePool<M>>, ResourceBuildError> {
        if let Some(pool) = self.pools().find(key) {
            return Ok(pool);
        }
        let built = Arc::new((self.make)(key).build()?);
        let (pool, _spare, _unused) = {
            let mut pools = self.pools();
            match pools.find(key) {
                Some(theirs) => (theirs, Some(built), Vec::new()),
                None => {
                    pools.enter(key.clone(), Arc::clone(&built));
                    let unused = pools.take_unused(self.max_keys);
                    (built, None, unused)
                }
            }
        };
        Ok(pool) // the others are closed here, outside of the lock
    }

    /// Every key with the state of its pool.
    pub fn stats(&self) -> Vec<(K, ResourceStats)> {
        self.all().into_iter().map(|(key, pool)| (key, pool.stats())).collect()
    }

    /// Closes every pool of now. A key that is asked for later gets a new one.
    pub fn close(&self) {
        self.all().iter().for_each(|(_, pool)| pool.close());
        let closed = std::mem::take(&mut self.pools().by_key);
        drop(closed);
    }

    /// Closes every pool of now and waits for all of them, at most for `patience` together, on the clock of one of them; says
    /// who still has a resource. A dropped call has closed them.
    ///
    /// # Panics
    /// On tokio's clock, without its time driver.
    pub async fn drain(&self, patience: Duration) -> Vec<(K, Vec<Holder>)> {
        let pools = self.all();
        self.close();
        let mut left = Vec::new();
        let Some((_, first)) = pools.first() else { return left };
        let mut deadline = first.shared.rules.clock.sleep(patience);
        for (key, pool) in pools {
            let holders = pool.drain_until(deadline.as_mut()).await; // ready again and again
            if !holders.is_empty() {
                left.push((key, holders));
            }
        }
        left
    }

    fn all(&self) -> Vec<(K, Arc<ResourcePool<M>>)> {
        self.pools().by_key.iter().map(|(key, member)| (key.clone(), Arc::clone(&member.pool))).collect()
    }

    /// The only user code under the lock is the key's `Eq`, `Hash` and `Clone`, before anything is changed.
    fn pools(&self) -> MutexGuard<'_, Pools<K, M>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, M: Manager> Pools<K, M> {
    fn find(&mut self, key: &K) -> Option<Arc<ResourcePool<M>>> {
        self.asked += 1;
        let member = self.by_key.get_mut(key)?;
        member.asked = self.asked;
        Some(Arc::clone(&member.pool))
    }

    fn enter(&mut self, key: K, pool: Arc<ResourcePool<M>>) {
        self.by_key.insert(key, Member { pool, asked: self.asked });
    }

    /// Takes out what is too much and unused, the least recently asked for first. A pass over all keys, when there are
    /// too many.
    fn take_unused(&mut self, max: usize) -> Vec<Member<M>> {
        let surplus = self.by_key.len().saturating_sub(max);
        if surplus == 0 {
            return Vec::new();
        }
        let unused = self.by_key.iter().filter(|(_, member)| member.is_unused());
        let mut unused: Vec<_> = unused.map(|(key, member)| (member.asked, key.clone())).collect();
        unused.sort_by_key(|(asked, _)| *asked);
        unused.iter().take(surplus).filter_map(|(_, key)| self.by_key.remove(key)).collect()
    }
}

impl<M: Manager> Member<M> {
    fn is_unused(&self) -> bool {
        // No handle but ours, and new ones are made under the lock that the caller holds.
        Arc::strong_count(&self.pool) == 1 && {
            let stats = self.pool.stats();
            stats.in_use + stats.waiting == 0
        }
    }
}

impl<K, M: Manager> fmt::Debug for KeyedResourcePool<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedResourcePool").field("max_keys", &self.max_keys).finish_non_exhaustive()
    }
}
