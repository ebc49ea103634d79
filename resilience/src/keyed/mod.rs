//! A token bucket per key, in memory that is fixed when it is made, with debts that outlive their keys.
//!
//! **Layout.** The table is sets of eight ways, as in a processor's cache. A key is known by its hash: some bits choose the
//! set, 48 others are its *tag*. Each set has one cache line that callers touch, with a word per way, tag and leased tokens; and,
//! behind a lock, what only slow calls need (`table`). The first few threads have lines of their own besides (`front`), where a hit is
//! one hash, one cache line, and plain loads and stores; at a word it is a compare-and-swap. Neither takes a lock, reads a clock or
//! allocates.
//! Leases are those of `limiter/lease.rs`: one per key and front, and one per word.
//!
//! **The bound on memory.** Nothing is ever allocated for a key. A newcomer takes an empty way, or that of the key in its set
//! which is paid for soonest; a key that is full again has nothing to remember, and goes first. So keys expire by
//! themselves, eviction is a look at eight words, and a flood of keys costs what the table costs.
//!
//! **A debt is never reset.** If the evicted key still owes, the set remembers until when: its *floor*. A newcomer of the set
//! starts as if it would be full only then, or empty, if that is better for it. Whoever was evicted and comes back within
//! that time is a newcomer, and so never has more than if it had stayed: the bound of every key holds, whatever the others do.
//! The price is paid by newcomers in a set with more than eight keys in debt, which have less than they should. With `max_keys`
//! keys in debt at once, two sets in a hundred are that full.
//!
//! **One key in two.** Two keys whose 64 bits of hash are equal share one bucket: stricter, never laxer. Among ten
//! million keys, the odds that there is such a pair are 3 to a million. The hash is seeded per limiter.
//!
//! | call | atomic read-modify-writes | clock reads |
//! |---|---|---|
//! | allowed from a lease at the thread's front | 0 | 0 |
//! | allowed from a lease at the word | 1 | 0 |
//! | allowed otherwise, or refused | 2 of the lock, 1 | 1 |
//! | the same, after other threads' leases were taken back | 2 of the lock, 1, and a `membarrier` | 2 |
//!
//! Rejected: words alone (31 ns for 10,000 keys in turn and 64 with two threads on the same keys, in the scoreboard: a locked
//! instruction each, and lines that move between the threads; with fronts 20 and 21 at best, 27 and 44 in the median, in the
//! example); a front for every thread (memory would be keys times threads, so there are eight); a map per shard with the keys in it
//! (an allocation per new key, an order of use to keep for eviction, and a lock and a clock read per call); eviction that forgets (a
//! flood of made-up keys resets whoever it pushes out).

mod builder;
mod front;
mod table;
mod waits;

use std::{
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use foldhash::quality::RandomState;

pub use self::builder::KeyedBuilder;

use self::{
    table::{Spot, Table, Visit},
    waits::Waits,
};
use crate::{
    Clock, InvalidLimiter, Rate, Refused, TokioClock,
    ambient::{obeying, time_left},
    limiter::{Plan, later, saturating_nanos},
    line::{deadline_in, in_line, within},
};

/// Which plan a key is on.
type PlanOf<K> = Box<dyn Fn(&K) -> usize + Send + Sync>;

/// A token bucket for each key: at most `burst + rate * w` tokens per key in any window of length `w`.
///
/// Its memory is fixed by [`max_keys`](KeyedBuilder::max_keys); see the bound on memory and on what a flood of keys does in
/// the [README](crate).
///
/// # Examples
/// ```
/// use tidemill_resilience::{KeyedRateLimiter, Rate};
///
/// let per_user = KeyedRateLimiter::<str>::builder().rate(Rate::per_minute(60)).burst(2).build()?;
/// assert!(per_user.try_acquire("ann", 2).is_ok());
/// assert!(per_user.try_acquire("ann", 1).is_err());
/// assert!(per_user.try_acquire("bob", 1).is_ok());
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
pub struct KeyedRateLimiter<K: ?Sized, C: Clock = TokioClock, S = RandomState> {
    table: Table,
    plans: RwLock<Vec<Arc<Plan>>>,
    plan_of: Option<PlanOf<K>>,
    waits: Waits,
    hasher: S,
    clock: C,
    origin: C::Instant,
    keys: PhantomData<fn(&K)>,
}

impl<K: ?Sized> KeyedRateLimiter<K> {
    /// Options for a new limiter. Only [`rate`](KeyedBuilder::rate) is required.
    pub fn builder() -> KeyedBuilder<K> {
        KeyedBuilder::new()
    }
}

impl<K: Hash + ?Sized, C: Clock, S: BuildHasher> KeyedRateLimiter<K, C, S> {
    /// Takes `n` of the key's tokens now, or none. Never overtakes those who wait for the same key. Never allocates.
    ///
    /// # Errors
    /// [`Refused::Later`] with the wait it would take; [`Refused::ExceedsBurst`] if no wait would do.
    #[inline]
    pub fn try_acquire(&self, key: &K, n: u64) -> Result<(), Refused> {
        self.try_acquire_at(self.table.front(), key, n)
    }

    #[inline]
    fn try_acquire_at(&self, front: Option<usize>, key: &K, n: u64) -> Result<(), Refused> {
        let spot = self.spot(key);
        if self.table.spend(front, spot, n) {
            return Ok(());
        }
        self.try_slowly(front, key, spot, n)
    }

    #[inline(never)]
    fn try_slowly(&self, front: Option<usize>, key: &K, spot: Spot, n: u64) -> Result<(), Refused> {
        self.take(front, key, spot, n, self.waits.anyone_for(spot.hash))
    }

    /// Takes `n` of the key's tokens, waiting behind all who wait for the same key, and obeying the ambient
    /// [`Context`](tidemill_context::Context). *Cancel safe*: dropped, it loses its place and nothing else.
    ///
    /// # Errors
    /// [`Refused::ExceedsBurst`], [`Refused::QueueFull`], and [`Refused::Later`] by the context's deadline; all at once.
    /// [`Refused::Cancelled`].
    pub async fn acquire(&self, key: &K, n: u64) -> Result<(), Refused> {
        self.acquire_by(key, n, None).await
    }

    /// As [`acquire`](Self::acquire), waiting no longer than `timeout`, and not at all if it is seen that this cannot suffice.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire); [`Refused::Later`] with the wait it would have needed at least.
    pub async fn acquire_within(&self, key: &K, n: u64, timeout: Duration) -> Result<(), Refused> {
        self.acquire_by(key, n, deadline_in(&self.clock, timeout)).await
    }

    async fn acquire_by(&self, key: &K, n: u64, deadline: Option<C::Instant>) -> Result<(), Refused> {
        let Err(refused) = self.try_acquire(key, n) else { return Ok(()) };
        let Some(wait) = refused.retry_after() else { return Err(refused) };
        if time_left()?.is_some_and(|left| left < wait) || within(&self.clock, wait, deadline).is_none() {
            return Err(refused);
        }
        let spot = self.spot(key);
        let queue = self.waits.join(spot.hash)?;
        // At the head of the line nobody is ahead.
        // Each attempt asks anew at which front it is: a task may go on on another thread.
        let attempt = || self.take(self.table.front(), key, spot, n, false);
        obeying(in_line(queue.line(), &self.clock, deadline, attempt)).await
    }

    /// Tokens of the key that could be taken at once now.
    pub fn available(&self, key: &K) -> u64 {
        let spot = self.spot(key);
        if self.waits.anyone_for(spot.hash) {
            return 0;
        }
        self.visit(self.table.front(), key, spot, |visit| {
            visit.take_back();
            visit.open()
        })
    }

    /// Forgets what the key owes: it is full again, unless it comes anew to a set that remembers an evicted debt.
    pub fn forget(&self, key: &K) {
        self.table.forget(self.spot(key));
    }

    /// Sets another rate and burst for plan number `plan`, for its keys that are known and all that come.
    ///
    /// Each key keeps its tokens, up to the new burst, as in [`RateLimiter::change`](crate::RateLimiter::change); who waits is
    /// re-timed when its wait, as last told, is over. Costs a lock per eight keys of the table.
    ///
    /// # Errors
    /// As for [`build`](KeyedBuilder::build), and [`InvalidLimiter::NoPlan`]; then nothing has changed.
    pub fn change(&self, plan: usize, rate: Rate, burst: u64) -> Result<(), InvalidLimiter> {
        let new = Arc::new(Plan::checked(rate, burst)?);
        {
            let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
            let old = plans.get_mut(plan).ok_or(InvalidLimiter::NoPlan { asked: plan })?;
            *old = Arc::clone(&new);
        }
        // A newcomer that read the old plan is in its set by now, or reads the new one.
        self.table.change(plan, &new, || self.nanos());
        Ok(())
    }

    fn take(&self, front: Option<usize>, key: &K, spot: Spot, n: u64, someone_waits: bool) -> Result<(), Refused> {
        if n == 0 {
            return Ok(());
        }
        self.visit(front, key, spot, |visit| {
            let burst = visit.burst();
            if n > burst {
                return Err(Refused::ExceedsBurst { asked: n, burst });
            }
            // Tokens of one who waits are not for us; and no leases while anyone does.
            let taken = !someone_waits && visit.take(n);
            if taken {
                if !self.waits.anyone() {
                    visit.lease(n);
                }
                return Ok(());
            }
            Err(later(visit.ready_at(n), visit.nanos()))
        })
    }

    fn visit<R>(&self, front: Option<usize>, key: &K, spot: Spot, verb: impl FnOnce(&mut Visit<'_>) -> R) -> R {
        let number = self.plan_of.as_ref().map_or(0, |plan_of| plan_of(key));
        self.table.visit(front, spot, (number, |number| self.plan(number)), || self.nanos(), verb)
    }

    fn plan(&self, number: usize) -> Arc<Plan> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(plans.get(number).unwrap_or(&plans[0]))
    }

    #[inline]
    fn spot(&self, key: &K) -> Spot {
        self.table.spot(self.hasher.hash_one(key))
    }

    fn nanos(&self) -> u64 {
        let now = self.clock.now();
        if now > self.origin { saturating_nanos(now - self.origin) } else { 0 }
    }
}

impl<K: ?Sized, C: Clock, S> KeyedRateLimiter<K, C, S> {
    /// Bytes of the table: all the memory that keys ever cost.
    pub fn table_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Keys that have a way in the table: those that came, less those whose way another took. Looks at the whole table.
    pub fn keys(&self) -> usize {
        self.table.keys()
    }

    /// How many callers wait, for any key.
    pub fn waiters(&self) -> usize {
        self.waits.len()
    }
}

impl<K: ?Sized, C: Clock, S> fmt::Debug for KeyedRateLimiter<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimiter")
            .field("keys", &self.keys())
            .field("table_bytes", &self.table_bytes())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, tidemill_loom))]
mod models;
#[cfg(test)]
mod tests;
