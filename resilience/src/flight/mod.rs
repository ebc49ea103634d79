//! Many ask for the same at once, one goes and fetches it, and all get what it brought.
//!
//! A map holds one *flight* per key: a cell that is filled once (tokio's `OnceCell`, whose waiters take turns in order), and a
//! count of those who want it. Whoever finds the cell empty and free fills it: the leader. Everyone else waits for the cell.
//!
//! - **The leader is dropped or panics**: the cell is free again, and the next waiter becomes leader with an operation of its own. A
//!   panic unwinds in the leader alone; nobody else sees it.
//! - **An answer is an answer**: errors are shared like values. A flight ends with the first answer: the leader takes it off the
//!   map before it returns, so that who asks later asks anew. It is no cache.
//! - **Bounded**: at most `max_keys` flights; the key after them is refused at once, and there is nothing to evict, since a flight
//!   leaves the map with its last caller. Waiters of a flight can be bounded too.
//!
//! Rejected: the operation in a task of its own, so that it outlives its callers (needs a runtime to spawn on, and works on what
//! nobody waits for); a list of wakers of our own (the cell of tokio is tested by more people than we are).

mod error;

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

pub use self::error::{FlightError, InvalidFlight};
use crate::ambient;

/// Locks of the map. A lock is held for one look-up; this many let as many threads look up at once.
const SHARDS: usize = 16;

/// The most of anything; far below what overflows.
const MOST: usize = u32::MAX as usize;

/// Joins calls for the same key that run at the same time. `V` is what a call brings, usually a `Result` whose parts are cheap to clone.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::{cell::Cell, time::Duration};
/// use tidemill_resilience::SingleFlight;
///
/// let flights = SingleFlight::new(1000).expect("the options are sound");
/// let fetched = Cell::new(0);
/// let fetch = || async {
///     fetched.set(fetched.get() + 1);
///     tokio::time::sleep(Duration::from_millis(50)).await;
///     Ok::<u32, &str>(42)
/// };
/// let (a, b) = tokio::join!(flights.run("answer", fetch), flights.run("answer", fetch));
/// assert_eq!((a, b, fetched.get()), (Ok(Ok(42)), Ok(Ok(42)), 1));
/// # }
/// ```
#[derive(Debug)]
pub struct SingleFlight<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    max_keys: usize,
    max_waiters: usize,
}

type Shard<K, V> = HashMap<K, Flight<V>>;

#[derive(Debug)]
struct Flight<V> {
    cell: Arc<OnceCell<V>>,
    /// Callers in it, the leader included.
    callers: usize,
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// Room for about `max_keys` different keys at once (a sixteenth of it, rounded up, for each sixteenth of the keys), and any number of
    /// callers for each.
    ///
    /// # Errors
    /// If `max_keys` is zero.
    pub fn new(max_keys: usize) -> Result<Self, InvalidFlight> {
        if max_keys == 0 {
            return Err(InvalidFlight::NoKeys);
        }
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Ok(Self { shards, hasher: RandomState::new(), max_keys: max_keys.div_ceil(SHARDS), max_waiters: MOST })
    }

    /// Lets at most `max` callers wait for one leader.
    #[must_use]
    pub const fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// Runs `operation`, or waits for the answer of who runs his for the same `key` now.
    ///
    /// Locks the key's shard twice; the first caller for a key allocates its flight. *Cancel safe*: a dropped leader leaves the flight to
    /// the next waiter, and a dropped waiter leaves nothing.
    ///
    /// # Errors
    /// [`FlightError::TooManyKeys`], [`FlightError::TooManyWaiters`]; both at once. [`FlightError::Cancelled`] if the ambient context is
    /// cancelled before the answer is there; a leader then leaves the flight to the next.
    pub async fn run<F, Fut>(&self, key: K, operation: F) -> Result<V, FlightError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = V>,
    {
        let seat = self.board(key)?;
        ambient::until_cancelled(seat.cell.get_or_init(operation)).await.cloned().map_err(FlightError::Cancelled)
    }

    /// Keys with a call under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets the next caller for `key` start anew, whatever is under way; those who wait go on waiting for what they joined.
    pub fn forget(&self, key: &K) {
        lock(self.shard(key)).remove(key);
    }

    fn shard(&self, key: &K) -> &Mutex<Shard<K, V>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// Joins the flight of `key`, or makes it.
    fn board(&self, key: K) -> Result<Seat<'_, K, V>, FlightError> {
        let mut shard = lock(self.shard(&key));
        let keys = shard.len();
        let cell = match shard.entry(key.clone()) {
            // Nothing is in the air any more: who asks now asks anew.
            Entry::Occupied(mut entry) if entry.get().cell.initialized() => {
                entry.insert(Flight::default());
                entry.get().cell.clone()
            }
            Entry::Occupied(mut entry) => {
                let flight = entry.get_mut();
                if flight.callers > self.max_waiters {
                    return Err(FlightError::TooManyWaiters { waiters: flight.callers - 1 });
                }
                flight.callers += 1;
                flight.cell.clone()
            }
            Entry::Vacant(_) if keys >= self.max_keys => return Err(FlightError::TooManyKeys { keys }),
            Entry::Vacant(entry) => entry.insert(Flight::default()).cell.clone(),
        };
        Ok(Seat { flights: self, key, cell })
    }
}

impl<V> Default for Flight<V> {
    fn default() -> Self {
        Self { cell: Arc::new(OnceCell::new()), callers: 1 }
    }
}

/// A caller in a flight; the last one takes it off the map, and so does the first after the landing.
struct Seat<'f, K: Clone + Eq + Hash, V: Clone> {
    flights: &'f SingleFlight<K, V>,
    key: K,
    cell: Arc<OnceCell<V>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let mut shard = lock(self.flights.shard(&self.key));
        // A flight that was forgotten, or made anew since, is somebody else's.
        let Some(flight) = shard.get_mut(&self.key).filter(|flight| Arc::ptr_eq(&flight.cell, &self.cell)) else {
            return;
        };
        flight.callers -= 1;
        if flight.callers == 0 || self.cell.initialized() {
            shard.remove(&self.key);
        }
    }
}

/// Nothing foreign but a key's `Eq` and `Hash` runs under the lock, and it leaves the map whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
