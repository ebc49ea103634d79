//! A resource pool for each key: for each tenant's database, each shard, each host.
//!
//! A map of pools under one mutex; a look-up clones an `Arc`, and a pool is built outside of the lock, on its key's first
//! use. **Memory is bounded**: when a new key makes them more than `max_keys`, the pools that nobody uses (no lease out,
//! nobody in line, no handle kept) are closed, the least recently asked for first. One in use is never closed, so there can
//! be more pools than `max_keys` as long as more are in use.
//!
//! `max_total` bounds the resources of all keys together; each key's pool has its own `max` besides. How the keys share it is
//! in `common` (the numbers, the order, the room) and `members` (the pools that act on it).
//!
//! Rejected: one pool whose resources carry keys (Commons' keyed pool): one lock for all keys, and one set of options. A pool
//! for each key keeps every option, and two keys meet only where one of them has to wait for a place.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Holder, Manager, ResourceBuildError, ResourceBuilder, ResourcePool, ResourceStats, common::Taken, members::Members,
};
use crate::limits;

type Make<K, M> = Box<dyn Fn(&K) -> ResourceBuilder<M> + Send + Sync>;

/// Options of a [`KeyedResourcePool`]; made by [`KeyedResourcePool::builder`], ended by [`build`](Self::build).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{KeyedResourcePool, Manager, ResourceBuildError, ResourcePool};
///
/// let options = || KeyedResourcePool::builder(|_tenant: &String| ResourcePool::builder(Numbers).max(4)); // of each tenant
/// let tenants = options()
///     .max_keys(100) // pools that are kept while nobody uses them
///     .max_total(20) // resources of all tenants
///     .build()?;
/// assert_eq!(tenants.total().max_total, Some(20));
/// assert_eq!(options().max_total(0).build().unwrap_err(), ResourceBuildError::NoKeyedPlaces("max_total"));
/// # Ok(()) }
/// ```
pub struct KeyedResourceBuilder<K, M: Manager> {
    make: Make<K, M>,
    max_keys: usize,
    max_total: Option<usize>,
}

impl<K: Clone + Eq + Hash, M: Manager> KeyedResourceBuilder<K, M> {
    /// The most pools that are kept while nobody uses them. Default: 1024.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// The most resources of all keys together, those being made and those being closed included; `None` for no bound but
    /// that of each key. Default: `None`.
    ///
    /// When they are all there, a caller of another key takes the place of the longest idle one. Is none idle, the callers
    /// of all keys get the next places in order of arrival: one that comes back is closed if a caller of another key has
    /// waited for longer than all of its own.
    pub fn max_total(mut self, resources: impl Into<Option<usize>>) -> Self {
        self.max_total = resources.into();
        self
    }

    /// Builds it; it has no pool yet.
    ///
    /// # Errors
    /// [`ResourceBuildError::NoKeyedPlaces`] if an option is 0.
    pub fn build(self) -> Result<KeyedResourcePool<K, M>, ResourceBuildError> {
        if self.max_keys == 0 {
            return Err(ResourceBuildError::NoKeyedPlaces("max_keys"));
        }
        if self.max_total == Some(0) {
            return Err(ResourceBuildError::NoKeyedPlaces("max_total"));
        }
        let members = self.max_total.map(|max| Arc::new(Members::new(max)));
        let pools = Mutex::new(Pools { by_key: HashMap::new(), asked: 0 });
        Ok(KeyedResourcePool { make: self.make, max_keys: self.max_keys, members, pools })
    }
}

impl<K, M: Manager> fmt::Debug for KeyedResourceBuilder<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedResourceBuilder")
            .field("max_keys", &self.max_keys)
            .field("max_total", &self.max_total)
            .finish_non_exhaustive()
    }
}

/// A moment in the life of a [`KeyedResourcePool`]: all keys together.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{KeyedResourcePool, Manager, ResourcePool};
///
/// let shards = KeyedResourcePool::builder(|_: &u32| ResourcePool::builder(Numbers)).max_total(20).build()?;
/// let first = shards.of(&1)?.get().await?;
/// drop(shards.of(&2)?.get().await?);
///
/// let total = shards.total();
/// assert_eq!((total.keys, total.in_use, total.idle, total.used), (2, 1, 1, 2));
/// assert_eq!(total.short, 0); // often more: `max_total` is too small
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyedResourceStats {
    /// Keys that have a pool.
    pub keys: usize,
    /// The bound over all of them, if there is one.
    pub max_total: Option<usize>,
    /// Places taken under it: resources that exist, are being made or are being closed, those of forgotten keys included.
    /// Without a bound: those of the keys that have a pool.
    pub used: usize,
    /// Idle resources.
    pub idle: usize,
    /// Resources with users.
    pub in_use: usize,
    /// Resources being closed, of forgotten keys, too, if there is a bound.
    pub closing: usize,
    /// Callers that wait for a resource.
    pub waiting: usize,
    /// Of those, the ones for whom a resource would be made, were there a place under the bound.
    pub short: usize,
}

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
/// let shards = KeyedResourcePool::builder(|number: &u32| ResourcePool::builder(Shard(*number)).max(4)) // of each key
///     .max_total(20) // of all keys
///     .build()?;
/// let connection = shards.of(&7)?.get().await?;
/// assert_eq!(*connection, "a connection to shard 7");
/// # Ok(()) }
/// ```
pub struct KeyedResourcePool<K, M: Manager> {
    make: Make<K, M>,
    max_keys: usize,
    /// Of the bound over all keys.
    members: Option<Arc<Members<M>>>,
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
    /// The options; `make` gives those of each key's pool.
    pub fn builder(make: impl Fn(&K) -> ResourceBuilder<M> + Send + Sync + 'static) -> KeyedResourceBuilder<K, M> {
        KeyedResourceBuilder { make: Box::new(make), max_keys: limits::KEYS_DEFAULT, max_total: None }
    }

    /// The pool of that key. Whoever keeps it keeps it from being closed. Cost: one lock and a look-up.
    ///
    /// # Errors
    /// As [`ResourceBuilder::build`], if it is the first time.
    pub fn of(&self, key: &K) -> Result<Arc<ResourcePool<M>>, ResourceBuildError> {
        if let Some(pool) = self.pools().find(key) {
            return Ok(pool);
        }
        let built = Arc::new((self.make)(key).build_in(self.members.clone())?);
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

    /// All keys together. Cost: the locks of all pools, one after the other.
    pub fn total(&self) -> KeyedResourceStats {
        let pools = self.all();
        let mut total = KeyedResourceStats { keys: pools.len(), ..KeyedResourceStats::default() };
        for stats in pools.iter().map(|(_, pool)| pool.stats()) {
            total.idle += stats.idle;
            total.in_use += stats.in_use;
            total.closing += stats.closing;
            total.waiting += stats.waiting;
            total.used += stats.idle + stats.in_use + stats.checking + stats.closing + stats.creating;
        }
        if let Some(members) = &self.members {
            let Taken { max, used, leaving, wanted } = members.common.taken();
            total = KeyedResourceStats { max_total: Some(max), used, closing: leaving, short: wanted, ..total };
        }
        total
    }

    /// Sets how many resources there may be of all keys. If there are more, idle ones are closed now, the longest idle first,
    /// and others when they come back.
    ///
    /// # Errors
    /// [`ResourceBuildError::NoKeyedPlaces`] if it is 0, or if the pool was built without such a bound.
    pub fn set_max_total(&self, resources: usize) -> Result<(), ResourceBuildError> {
        let members = self.members.as_ref().filter(|_| resources > 0);
        let members = members.ok_or(ResourceBuildError::NoKeyedPlaces("max_total"))?;
        members.common.set_max(resources);
        members.settle();
        Ok(())
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

    /// Takes out what is too much and unused: first those that have nothing, then the least recently asked for. A pass over
    /// all keys, when there are too many.
    fn take_unused(&mut self, max: usize) -> Vec<Member<M>> {
        let surplus = self.by_key.len().saturating_sub(max);
        if surplus == 0 {
            return Vec::new();
        }
        let order = |member: &Member<M>| Some((member.idle_if_unused()? > 0, member.asked));
        let unused = self.by_key.iter().filter_map(|(key, member)| Some((order(member)?, key.clone())));
        let mut unused: Vec<_> = unused.collect();
        unused.sort_by_key(|(order, _)| *order);
        unused.iter().take(surplus).filter_map(|(_, key)| self.by_key.remove(key)).collect()
    }
}

impl<M: Manager> Member<M> {
    /// How many resources lie idle in it, or are being made, if nobody uses it.
    fn idle_if_unused(&self) -> Option<usize> {
        // No handle but ours, and new ones are made under the lock that the caller holds.
        let stats = (Arc::strong_count(&self.pool) == 1).then(|| self.pool.stats())?;
        (stats.in_use + stats.waiting == 0).then_some(stats.idle + stats.creating)
    }
}

impl<K, M: Manager> fmt::Debug for KeyedResourcePool<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max_total = self.members.as_ref().map(|members| members.common.taken().max);
        f.debug_struct("KeyedResourcePool")
            .field("max_keys", &self.max_keys)
            .field("max_total", &max_total)
            .finish_non_exhaustive()
    }
}
