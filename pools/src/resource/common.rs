//! One bound over the resources of all keys: how many places there are, and who wants one next. Only numbers; the pools act.
//!
//! Every pool of a [`KeyedResourcePool`](super::KeyedResourcePool) has a [`Seat`] at one [`Common`], and asks it for a place
//! before it makes a resource. The common lock is a leaf: it is taken under a pool's lock and nothing is taken under it. A
//! get and a return of an idle resource do not take it: a pool that wants nothing has nothing to say, and whether it has to
//! part with a resource is one relaxed load.
//!
//! **Order.** Callers of all keys draw their number from one counter. A pool that gets no place leaves a *demand*: the
//! number of its first caller for whom nothing is in the making, and how many more are like it. A place that comes free goes
//! to the oldest demand, one at a time, so the callers of all keys are served in order of arrival. What `min_idle` asks for
//! comes after all callers, and takes nothing away from anybody.
//!
//! **Room.** While callers want more places than are free or about to be (*shortage*), nobody keeps a resource that an older
//! caller of another key needs: the longest idle one of all is closed, and what comes back is closed if no caller of its
//! own key has waited for longer. So a key whose callers never pause cannot keep the others out. That costs a new
//! resource for each such change of hands; a pool under which that happens all the time is too small.
//!
//! Invariants, at every release of the common lock:
//! 1. `used` is the sum of `live + creating` of all pools, and never above `max`, but after `max` was lowered;
//! 2. if a place is free and there is a demand, somebody is about to serve the oldest ([`Next::Serve`]);
//! 3. if there is a shortage, no resource is idle, or somebody is about to look for one ([`Next::Search`]).
//!
//! Whoever breaks 2 or 3 in a step of its pool is told (`Todo::unsettled`), and restores it once it has released its own
//! lock (`members`). Why no resource slips by: a demand is entered before its pool's lock is released, and the search
//! takes each other pool's lock after that. A return to such a pool comes before the search, which finds the resource on
//! the shelf, or after it; then the lock shows it `pressing`. Modelled in `model_keyed.rs`.
//!
//! Rejected: a semaphore from which each task that makes a resource takes a permit. Its line is in order, but nobody tells
//! the holders of idle resources, and a key that is never idle keeps its permits for ever.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The number of no caller: a demand of `min_idle`, which comes last.
pub(super) const NOBODY: u64 = u64::MAX;

/// Shared by the seats of all pools.
#[derive(Debug)]
pub(super) struct Common {
    places: Mutex<Places>,
    /// Numbers of callers. Relaxed: only that they differ and grow matters.
    arrivals: AtomicU64,
    /// The oldest caller for whom a place is wanting, or `NOBODY`. Written under the common lock. Relaxed: who has to see it
    /// sees it through the lock of its own pool (see "Why no resource slips by").
    pressing: AtomicU64,
}

#[derive(Debug)]
struct Places {
    max: usize,
    used: usize,
    /// Of those, the places of resources that are being closed.
    leaving: usize,
    /// By the number of the first caller that is not provided for, and the pool's: how many such callers there are.
    demands: BTreeMap<(u64, u64), usize>,
    /// All of them together.
    wanted: usize,
    /// There is a shortage for which nobody has looked at what is idle.
    search_due: bool,
    pools: u64,
}

/// What has to be done about the invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Let that pool ask again.
    Serve(u64),
    /// Close the longest idle resource, and say so if there was one ([`Common::search_on`]).
    Search,
}

/// A look at the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) max: usize,
    pub(super) used: usize,
    pub(super) leaving: usize,
    pub(super) wanted: usize,
}

impl Common {
    pub(super) fn new(max: usize) -> Self {
        let places =
            Places { max, used: 0, leaving: 0, demands: BTreeMap::new(), wanted: 0, search_due: false, pools: 0 };
        Self { places: Mutex::new(places), arrivals: AtomicU64::new(0), pressing: AtomicU64::new(NOBODY) }
    }

    /// What is to be done next, if anything; the caller does it.
    pub(super) fn next(&self) -> Option<Next> {
        let (next, _unsettled) = self.change(|places| {
            let first = places.demands.keys().next().filter(|_| places.used < places.max);
            if let Some((_, pool)) = first {
                return Some(Next::Serve(*pool));
            }
            std::mem::take(&mut places.search_due).then_some(Next::Search)
        });
        next
    }

    /// One was found, there may be more.
    pub(super) fn search_on(&self) {
        self.change(|places| places.search_due |= places.shortage() > 0);
    }

    /// That pool is gone.
    pub(super) fn forget(&self, pool: u64) {
        self.change(|places| {
            places.demands.retain(|(_, of), _| *of != pool);
            places.wanted = places.demands.values().sum();
        });
    }

    pub(super) fn set_max(&self, max: usize) {
        self.change(|places| places.max = max);
    }

    pub(super) fn taken(&self) -> Taken {
        let places = self.lock();
        Taken { max: places.max, used: places.used, leaving: places.leaving, wanted: places.wanted }
    }

    /// Also says whether an invariant does not hold now.
    fn change<T>(&self, change: impl FnOnce(&mut Places) -> T) -> (T, bool) {
        let mut places = self.lock();
        let before = places.shortage();
        let result = change(&mut places);
        // What is idle when a shortage begins has to be looked for; later, nothing becomes idle.
        places.search_due |= before == 0 && places.shortage() > 0;
        self.pressing.store(places.pressing(), Relaxed);
        (result, places.is_unsettled())
    }

    /// No user code runs under it.
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// How many resources have to go, beyond those that are going.
    fn shortage(&self) -> usize {
        (self.used + self.wanted).saturating_sub(self.leaving + self.max)
    }

    fn pressing(&self) -> u64 {
        if self.shortage() == 0 {
            NOBODY
        } else if self.used > self.leaving + self.max {
            0 // the bound was lowered: nobody is old enough to keep one
        } else {
            self.oldest()
        }
    }

    fn oldest(&self) -> u64 {
        self.demands.keys().next().map_or(NOBODY, |(number, _)| *number)
    }

    /// A place, unless there is none or somebody was here before.
    fn grant(&mut self, number: u64, pool: u64) -> bool {
        let first = self.demands.keys().next().is_none_or(|before| (number, pool) < *before);
        let granted = first && self.used < self.max;
        self.used += usize::from(granted);
        granted
    }

    fn is_unsettled(&self) -> bool {
        self.search_due || (self.used < self.max && !self.demands.is_empty())
    }
}

/// One pool's part in the bound; owned by its core, and used under its lock.
#[derive(Debug)]
pub(super) struct Seat {
    common: Arc<Common>,
    pool: u64,
    /// The number under which our demand is entered.
    demand: Option<u64>,
    /// One of our steps has broken an invariant.
    unsettled: bool,
}

impl Seat {
    pub(super) fn new(common: &Arc<Common>) -> Self {
        let (pool, _unsettled) = common.change(|places| {
            places.pools += 1;
            places.pools
        });
        Self { common: Arc::clone(common), pool, demand: None, unsettled: false }
    }

    /// The pool's number.
    pub(super) fn pool(&self) -> u64 {
        self.pool
    }

    /// A caller's number. Cost: one read-modify-write.
    pub(super) fn arrive(&self) -> u64 {
        self.common.arrivals.fetch_add(1, Relaxed) + 1
    }

    /// Takes up to `wanted` places, and leaves a demand for the rest; `number` is that of the caller who comes so many
    /// places behind the first who is not provided for, or `NOBODY`.
    pub(super) fn claim(&mut self, wanted: usize, number: impl Fn(usize) -> u64) -> usize {
        if wanted == 0 && self.demand.is_none() {
            return 0;
        }
        let (pool, old) = (self.pool, self.demand.take());
        let (claimed, demand) = self.step(|places| {
            let before = old.and_then(|old| places.demands.remove(&(old, pool)));
            places.wanted -= before.unwrap_or(0);
            let claimed = (0..wanted).take_while(|nth| places.grant(number(*nth), pool)).count();
            if claimed == wanted {
                return (claimed, None);
            }
            let callers = (claimed..wanted).filter(|nth| number(*nth) != NOBODY).count();
            places.demands.insert((number(claimed), pool), callers);
            places.wanted += callers;
            (claimed, Some(number(claimed)))
        });
        self.demand = demand;
        claimed
    }

    /// A place for a resource that is there already, if nobody waits for one.
    pub(super) fn take(&mut self) -> bool {
        self.step(|places| places.grant(NOBODY, u64::MAX))
    }

    /// Gives a place back.
    pub(super) fn release(&mut self) {
        self.step(|places| places.used -= 1);
    }

    /// One of our resources is going to be closed.
    pub(super) fn leaves(&mut self) {
        self.step(|places| places.leaving += 1);
    }

    /// It is.
    pub(super) fn left(&mut self) {
        self.step(|places| {
            places.leaving -= 1;
            places.used -= 1;
        });
    }

    /// Whether a resource for which our oldest caller has that number has to go; it counts as leaving then.
    pub(super) fn yields(&mut self, number: u64) -> bool {
        self.common.pressing.load(Relaxed) < number
            && self.step(|places| {
                let yields = places.pressing() < number;
                places.leaving += usize::from(yields);
                yields
            })
    }

    /// Whether a step since the last call has broken an invariant.
    pub(super) fn take_unsettled(&mut self) -> bool {
        std::mem::take(&mut self.unsettled)
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Places) -> T) -> T {
        let (result, unsettled) = self.common.change(step);
        self.unsettled |= unsettled;
        result
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.common.forget(self.pool);
    }
}
