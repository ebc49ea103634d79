//! One breaker, bulkhead, limit, throttle or retry budget for each key, in bounded memory.
//!
//! Keys are spread over shards, each a map under a lock of its own and a ring of slots. A new key in a full shard takes the slot
//! of one that has not been asked for lately (a clock hand goes round; one that was asked for gets a second chance),
//! after a look at eight slots at most, however many there are. What must not be forgotten stays (an open breaker,
//! a bulkhead with calls inside, anything somebody holds); if all eight must, the new key shares one value with all others
//! in that case, until a slot is free: so a flood of keys costs no memory, and resets no penalty.
//!
//! Rejected: a list in order of use (a write to it for every read); a sweep from time to time (unbounded between sweeps, and
//! a pause during them).

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use foldhash::quality::RandomState;

use crate::{AdaptiveLimit, Bulkhead, CircuitBreaker, Clock, RetryBudget, State};

/// Slots looked at before a new key has to share.
const LOOKS: usize = 8;

/// Shards of a registry that is large enough for it: the chance that two threads meet in one is small.
const SHARDS: usize = 16;

/// What a registry keeps for a key.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use tidemill_resilience::{Keep, Keyed};
///
/// /// What a client has done wrong.
/// struct Strikes(AtomicU32);
/// impl Keep for Strikes {
///     fn must_stay(&self) -> bool { self.0.load(Relaxed) > 0 }
/// }
/// let clients = Keyed::new(1, |_: &u32| Strikes(AtomicU32::new(0)));
/// clients.get(&7).0.store(3, Relaxed);
/// drop(clients.get(&8)); // there is no room for both
/// assert_eq!(clients.get(&7).0.load(Relaxed), 3);
/// ```
pub trait Keep {
    /// Whether forgetting it now would change what callers may do.
    fn must_stay(&self) -> bool;
}

/// An open breaker whose time has been over for so long may be forgotten: nobody has asked for it since.
const FORGET_OPEN_AFTER: Duration = Duration::from_secs(600);

impl<C: Clock> Keep for CircuitBreaker<C> {
    /// In every state but closed, until ten minutes after its open time is over.
    fn must_stay(&self) -> bool {
        self.state() != State::Closed && self.overdue().is_none_or(|time| time < FORGET_OPEN_AFTER)
    }
}

impl<C: Clock> Keep for Bulkhead<C> {
    /// While calls are inside or wait.
    fn must_stay(&self) -> bool {
        !self.is_idle()
    }
}

impl Keep for RetryBudget {
    /// While it allows no further request, or knows of one under way. One that stays spent (a server that is gone) keeps its
    /// slot, so there should be more slots than servers.
    fn must_stay(&self) -> bool {
        self.left() == 0 || self.in_flight() > 0
    }
}

impl<C: Clock> Keep for AdaptiveLimit<C> {
    /// While calls are in flight.
    fn must_stay(&self) -> bool {
        self.in_flight() > 0
    }
}

/// A value for each key, made when it is first asked for, in bounded memory.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{CircuitBreaker, Keyed, State};
///
/// let options = CircuitBreaker::builder().failures_in_a_row(3).per_thread(false);
/// options.clone().build()?; // sound for one is sound for all
/// let breakers = Keyed::new(10_000, move |_host: &String| options.clone().build().expect("checked above"));
///
/// breakers.get(&"db.example".to_owned()).trip();
/// assert_eq!(breakers.get(&"db.example".to_owned()).state(), State::Open);
/// assert_eq!(breakers.get(&"web.example".to_owned()).state(), State::Closed);
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
pub struct Keyed<K, T> {
    shards: Box<[Mutex<Shard<K, T>>]>,
    hasher: RandomState,
    make: Make<K, T>,
    evicted: AtomicU64,
    shared: AtomicU64,
}

type Make<K, T> = Box<dyn Fn(&K) -> T + Send + Sync>;

struct Shard<K, T> {
    index: HashMap<K, usize, RandomState>,
    slots: Vec<Slot<K, T>>,
    capacity: usize,
    hand: usize,
    /// For keys that find no slot.
    overflow: Option<Arc<T>>,
}

struct Slot<K, T> {
    key: K,
    value: Arc<T>,
    /// Asked for since the hand went by.
    used: bool,
}

impl<K: Clone + Eq + Hash, T: Keep> Keyed<K, T> {
    /// A registry of about `capacity` keys (at least one, rounded up to its shards), whose values `make` makes. It is called
    /// under the lock of a shard, so it must not ask the registry.
    pub fn new(capacity: usize, make: impl Fn(&K) -> T + Send + Sync + 'static) -> Self {
        let shards = if capacity < SHARDS * LOOKS { 1 } else { SHARDS };
        let capacity = capacity.div_ceil(shards).max(1);
        let shard = || Shard { index: HashMap::default(), slots: Vec::new(), capacity, hand: 0, overflow: None };
        Self {
            shards: (0..shards).map(|_| Mutex::new(shard())).collect(),
            hasher: RandomState::default(),
            make: Box::new(make),
            evicted: AtomicU64::new(0),
            shared: AtomicU64::new(0),
        }
    }

    /// The value of `key`. One lock, two hashes, one count of an `Arc`; at most eight slots looked at for a new key.
    pub fn get(&self, key: &K) -> Arc<T> {
        let number = self.hasher.hash_one(key) as usize % self.shards.len();
        let mut shard = lock(&self.shards[number]);
        if let Some(&at) = shard.index.get(key) {
            shard.slots[at].used = true;
            return Arc::clone(&shard.slots[at].value);
        }
        match shard.room() {
            Room::New => {
                let value = Arc::new((self.make)(key));
                shard.add(key.clone(), Arc::clone(&value));
                value
            }
            Room::At(at) => {
                let value = Arc::new((self.make)(key));
                self.evicted.fetch_add(1, Relaxed);
                shard.replace(at, key.clone(), Arc::clone(&value));
                value
            }
            Room::None => {
                self.shared.fetch_add(1, Relaxed);
                Arc::clone(shard.overflow.get_or_insert_with(|| Arc::new((self.make)(key))))
            }
        }
    }

    /// Keys that have a value of their own.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).slots.len()).sum()
    }

    /// Whether no key has a value yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys forgotten so far, to make room for others.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// How often a key found no slot and had to share a value so far: the capacity is too small.
    pub fn shared(&self) -> u64 {
        self.shared.load(Relaxed)
    }
}

/// Where a new key may go.
enum Room {
    New,
    At(usize),
    None,
}

impl<K: Clone + Eq + Hash, T: Keep> Shard<K, T> {
    fn room(&mut self) -> Room {
        if self.slots.len() < self.capacity {
            return Room::New;
        }
        // If nothing better turns up: one that was asked for, but may be forgotten.
        let mut second_best = Room::None;
        for _ in 0..LOOKS.min(self.capacity) {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.capacity;
            let slot = &mut self.slots[at];
            if Arc::strong_count(&slot.value) > 1 || slot.value.must_stay() {
                continue;
            }
            if !std::mem::replace(&mut slot.used, false) {
                return Room::At(at);
            }
            second_best = Room::At(at);
        }
        second_best
    }

    fn add(&mut self, key: K, value: Arc<T>) {
        self.index.insert(key.clone(), self.slots.len());
        self.slots.push(Slot { key, value, used: false });
    }

    fn replace(&mut self, at: usize, key: K, value: Arc<T>) {
        let old = std::mem::replace(&mut self.slots[at], Slot { key: key.clone(), value, used: false });
        self.index.remove(&old.key);
        self.index.insert(key, at);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A `make` that panics has changed nothing yet.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, T> fmt::Debug for Keyed<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("shards", &self.shards.len())
            .field("evicted", &self.evicted)
            .finish_non_exhaustive()
    }
}
