//! The options of a keyed limiter, checked once.

use std::{
    fmt,
    hash::BuildHasher,
    marker::PhantomData,
    sync::{Arc, RwLock},
    time::Duration,
};

use foldhash::quality::RandomState;

use super::{KeyedRateLimiter, PlanOf, table::Table, waits::Waits};
use crate::{
    Clock, InvalidLimiter, Rate, TokioClock,
    limiter::{Plan, saturating_nanos},
    line::MAX_WAITERS,
};

/// Keys in debt at once by default: two megabytes of table, and half a megabyte per thread that leases.
const MAX_KEYS: usize = 16_384;

/// How long a key's lease should last: long enough that a key of some dozen calls a second leases at all, short enough that
/// what it spent from a lease is charged soon. With 10 ms, 10,000 keys in turn cost 23 ns at best and 33 in the
/// median, with 50 ms 21 and 26.
const LEASE_TIME: Duration = Duration::from_millis(50);

/// Options of a [`KeyedRateLimiter`]; made by [`KeyedRateLimiter::builder`].
///
/// # Examples
/// ```
/// use tidemill_resilience::{KeyedRateLimiter, Rate};
///
/// let per_user = KeyedRateLimiter::<str>::builder()
///     .rate(Rate::per_minute(60))
///     .plan(Rate::per_minute(6000), 100) // plan 1
///     .plan_of(|user: &str| usize::from(user.starts_with("paid:")))
///     .build()?;
/// assert!(per_user.try_acquire("ann", 2).is_err());
/// assert!(per_user.try_acquire("paid:bob", 2).is_ok());
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[must_use]
pub struct KeyedBuilder<K: ?Sized, C = TokioClock, S = RandomState> {
    rate: Option<Rate>,
    burst: u64,
    others: Vec<(Rate, u64)>,
    plan_of: Option<PlanOf<K>>,
    max_keys: usize,
    max_waiters: usize,
    lease_time: Duration,
    hasher: S,
    clock: C,
}

impl<K: ?Sized> KeyedBuilder<K> {
    pub(super) fn new() -> Self {
        Self {
            rate: None,
            burst: 1,
            others: Vec::new(),
            plan_of: None,
            max_keys: MAX_KEYS,
            max_waiters: MAX_WAITERS,
            lease_time: LEASE_TIME,
            hasher: RandomState::default(),
            clock: TokioClock,
        }
    }
}

impl<K: ?Sized, C, S> KeyedBuilder<K, C, S> {
    /// The pace at which each key's tokens come, on plan 0. Required.
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The most tokens that a key can save up, on plan 0. Default 1.
    pub fn burst(mut self, burst: u64) -> Self {
        self.burst = burst;
        self
    }

    /// One more plan: the first call adds plan 1. [`plan_of`](Self::plan_of) puts keys on it.
    pub fn plan(mut self, rate: Rate, burst: u64) -> Self {
        self.others.push((rate, burst));
        self
    }

    /// Which plan a key is on; all are on plan 0 by default, and so is one that is put on a plan that there is not.
    ///
    /// It is asked whenever a call has to look at the key's bucket, so a key that changes its plan may spend its lease first. The
    /// key keeps its tokens, up to the new burst.
    pub fn plan_of(mut self, plan_of: impl Fn(&K) -> usize + Send + Sync + 'static) -> Self {
        self.plan_of = Some(Box::new(plan_of));
        self
    }

    /// Keys in debt at once for which there is room without crowding, and so the memory: about 130 bytes each, and 21 to
    /// 43 more for each of the first eight threads that lease. Default 16,384.
    ///
    /// Keys whose buckets are full again need no room. Beyond it newcomers may start with less than a full bucket.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// How many callers may wait at once, for all keys together; the next is refused. Default 65,536.
    pub fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// How long the tokens that a hot key is given in advance should last it. Default 50 ms.
    ///
    /// Only a key with more than twenty calls a second gets any, and at most an eighth of what is open per thread. After a sudden stop
    /// so much may come back one refill late. Zero turns leases off: each call then locks and reads the clock.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = time;
        self
    }

    /// How keys are hashed. Default foldhash, seeded at random: fast, and as good as a hash without proof of security.
    ///
    /// Who can make keys whose 64 bits collide with another's shares that one's limit. Where that is to be feared, use
    /// [`std::hash::RandomState`], for about 10 ns more.
    pub fn hasher<T: BuildHasher>(self, hasher: T) -> KeyedBuilder<K, C, T> {
        let Self { rate, burst, others, plan_of, max_keys, max_waiters, lease_time, clock, .. } = self;
        KeyedBuilder { rate, burst, others, plan_of, max_keys, max_waiters, lease_time, hasher, clock }
    }

    /// The clock to read and to sleep by. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> KeyedBuilder<K, D, S> {
        let Self { rate, burst, others, plan_of, max_keys, max_waiters, lease_time, hasher, .. } = self;
        KeyedBuilder { rate, burst, others, plan_of, max_keys, max_waiters, lease_time, hasher, clock }
    }
}

impl<K: ?Sized, C: Clock, S: BuildHasher> KeyedBuilder<K, C, S> {
    /// The limiter, every bucket full. Allocates all the memory that keys will ever need.
    ///
    /// # Errors
    /// [`InvalidLimiter`] names the option at fault.
    pub fn build(self) -> Result<KeyedRateLimiter<K, C, S>, InvalidLimiter> {
        let first = (self.rate.ok_or(InvalidLimiter::NoRate)?, self.burst);
        let plans: Result<Vec<_>, _> = std::iter::once(first)
            .chain(self.others)
            .map(|(rate, burst)| Plan::checked(rate, burst).map(Arc::new))
            .collect();
        let plans = plans?;
        if plans.len() > usize::from(u16::MAX) {
            return Err(InvalidLimiter::NoPlan { asked: plans.len() });
        }
        Ok(KeyedRateLimiter {
            table: Table::new(self.max_keys, saturating_nanos(self.lease_time), &plans[0]),
            plans: RwLock::new(plans),
            plan_of: self.plan_of,
            waits: Waits::new(self.max_waiters),
            hasher: self.hasher,
            origin: self.clock.now(),
            clock: self.clock,
            keys: PhantomData,
        })
    }
}

impl<K: ?Sized, C, S> fmt::Debug for KeyedBuilder<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBuilder")
            .field("rate", &self.rate)
            .field("burst", &self.burst)
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}
