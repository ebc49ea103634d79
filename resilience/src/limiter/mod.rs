//! A token bucket that never passes its bound, serves waiters in order, and costs a hot thread a few plain loads and stores.
//!
//! Three layers, each proved or tested alone:
//! - `rate` and `bucket`: the arithmetic. Time is counted in ticks of which a token costs a whole number, so there is
//!   no drift at any rate; the state is one point in time, as in GCRA; the proof of the bound is there.
//! - `lease`: tokens a hot thread holds in a cache line of its own and spends without a clock.
//! - `core` and `queue`: what the one lock protects, and the waiters.
//!
//! On these stand the calls: `acquire` and `blocking` wait, `reserve` holds, `change` alters the limit under them all.
//!
//! **The way of a call.** Spend from the thread's lease: three loads and a store, done. Else, if the *gate* (the time
//! before which not one token can be had) has not come: refused, for one load and one clock read, no lock. Else one
//! pass through the core takes the tokens, and leases some more to a thread that is hot.
//!
//! | call | atomic read-modify-writes | clock reads |
//! |---|---|---|
//! | allowed from a lease | 0; 1 for a thread without a home of its own | 0 |
//! | allowed otherwise | 2 of the lock, 2 for a thread without a home of its own | 1 |
//! | refused | 0 | 1 |
//! | waiting | 2 of the lock per poll | 1 per poll |
//! | taking back the leases of others | 2 of the lock, 1 `membarrier` | 2 |
//!
//! Leases are taken back by a call that finds the bucket short, which ends them until it has filled up again; and by `available`,
//! a change or a pause. The `membarrier` is 0.1 to 29 us (`asymmetric`).
//!
//! **Order.** Nobody overtakes: while anyone waits there are no leases, and `try_acquire` is refused unless the queue is
//! empty. So a large request is served as soon as its tokens have gathered, however many small ones follow.
//!
//! Rejected: booking future tokens on arrival, as `x/time/rate` does (a cancelled booking leaves those behind at their old
//! times, and bookings kept late and early pass the bound when they are used); a semaphore refilled by a timer task
//! (it needs a runtime, and the period is the timer's); one shared atomic word (30 ns alone and 100 ns with two threads,
//! of which the clock is 21 and the shared line the rest); for refusals, a first look at the processor's counter or at the system's coarse
//! clock (a refusal is 37 ns, of which the clock is 28 and would be 8): neither follows tokio's paused time, so a test that moves it would
//! be refused wrongly. A caller who wants it gives the limiter such a clock (25 ns).

mod acquire;
mod blocking;
mod bucket;
mod builder;
mod change;
mod core;
mod error;
mod lease;
mod queue;
mod rate;
mod reserve;

use std::{fmt, time::Duration};

pub use self::{
    builder::Builder,
    error::{InvalidLimiter, Refused},
    rate::Rate,
    reserve::{OwnedReservation, Reservation},
};

pub(crate) use self::{
    bucket::{Bucket, Moment},
    builder::Plan,
    rate::{Grid, saturating_nanos},
};

use self::{
    acquire::Claim,
    core::Core,
    lease::{Leases, Ledger, Spent},
};
use crate::{
    Clock, TokioClock,
    sync::{
        AtomicU64, Mutex, MutexGuard,
        Ordering::{Acquire, Release},
        lock,
    },
};

/// A token bucket: at most `burst + rate * w` tokens in any window of length `w`, whatever the threads do.
///
/// Share it by reference or in an `Arc`. See the [crate documentation](crate) for its rules and costs.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Rate, RateLimiter, Refused};
///
/// let limiter = RateLimiter::builder().rate(Rate::per_second(1)).burst(100).build()?;
/// assert!(limiter.try_acquire(100).is_ok());
/// let Err(Refused::Later { retry_after }) = limiter.try_acquire(1) else { unreachable!() };
/// assert!(retry_after.as_secs_f64() <= 1.0);
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
pub struct RateLimiter<C: Clock = TokioClock> {
    leases: Leases,
    slow: Slow,
    max_waiters: usize,
    clock: C,
    /// Zero on the limiter's own axis of nanoseconds.
    origin: C::Instant,
}

/// What slow calls write, on cache lines of its own, since fast calls read its neighbours.
#[repr(align(128))]
struct Slow {
    /// The time (nanoseconds) before which not one token can be had; zero when that is not known. Written under the lock.
    gate: AtomicU64,
    core: Mutex<Core>,
}

impl RateLimiter {
    /// Options for a new limiter. Only [`rate`](Builder::rate) is required.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<C: Clock> RateLimiter<C> {
    fn new(bucket: Bucket, max_waiters: usize, lease_nanos: u64, clock: C) -> Self {
        let leases = Leases::new(lease_nanos > 0);
        let ledger = Ledger::new(leases.len(), lease_nanos);
        Self {
            slow: Slow { gate: AtomicU64::new(0), core: Mutex::new(Core::new(bucket, ledger)) },
            origin: clock.now(),
            leases,
            max_waiters,
            clock,
        }
    }

    /// Takes `n` tokens now, or none. Never waits and never overtakes those who do. `n == 0` always passes.
    ///
    /// Costs no atomic read-modify-write from a lease, a lock and a clock read without, a clock read when refused. Allocates
    /// only if it finds that waiters are due and wakes them.
    ///
    /// # Errors
    /// [`Refused::Later`] with the wait it would take; [`Refused::ExceedsBurst`] if no wait would do.
    #[inline]
    pub fn try_acquire(&self, n: u64) -> Result<(), Refused> {
        self.try_acquire_at(self.leases.home(), n)
    }

    #[inline]
    fn try_acquire_at(&self, home: usize, n: u64) -> Result<(), Refused> {
        if self.spend(home, n) {
            return Ok(());
        }
        if n == 1
            && let Some(wait) = self.shut_for()
        {
            return Err(Refused::Later { retry_after: Duration::from_nanos(wait) });
        }
        self.try_acquire_slowly(home, n)
    }

    /// Spends `n` tokens of the lease of the caller's home, if it holds that many.
    #[inline]
    fn spend(&self, home: usize, n: u64) -> bool {
        match self.leases.spend(home, n) {
            Spent::Yes => true,
            Spent::No => false,
            Spent::IfCounted(count) => self.was_counted(home, count),
        }
    }

    #[cold]
    fn was_counted(&self, home: usize, count: u64) -> bool {
        self.lock().ledger.counted(home, count)
    }

    #[inline(never)]
    fn try_acquire_slowly(&self, home: usize, n: u64) -> Result<(), Refused> {
        self.pass(home, |core| self.take(core, home, n))
    }

    /// Tokens that could be taken at once now; zero while anyone waits. Ends all leases, so it is no call for a hot path.
    pub fn available(&self) -> u64 {
        self.pass(self.leases.home(), |core| {
            self.settle_all(core);
            if core.queue.is_empty() && !core.is_paused() { core.bucket.open(core.now) } else { 0 }
        })
    }

    /// The most tokens that can be taken at once.
    pub fn burst(&self) -> u64 {
        self.lock().bucket.burst()
    }

    /// How many callers wait.
    pub fn waiters(&self) -> usize {
        self.lock().queue.len()
    }

    /// How long (nanoseconds) not even one token can be open; without the lock. `None` if that is not known.
    ///
    /// A function of its own, and its answer two registers: it is all that a refused call does, and the rest of the slow way
    /// needs a large frame.
    #[inline(never)]
    fn shut_for(&self) -> Option<u64> {
        // Acquire, with the Release store in `pass`: the clock is read after the gate. It was shut when it was loaded, and
        // if its time has not come by the later clock read, it had not come then.
        let gate = self.slow.gate.load(Acquire);
        if gate == 0 {
            return None;
        }
        gate.checked_sub(self.nanos()).filter(|&wait| wait > 0)
    }

    /// Takes `n` tokens in a pass, or says when.
    fn take(&self, core: &mut Core, home: usize, n: u64) -> Result<(), Refused> {
        if self.try_claim(core, home, n, Claim::Spend)? { Ok(()) } else { Err(later(core.ready_at(n), core.nanos)) }
    }

    /// Takes or holds `n` tokens in a pass, from the leases of others if need be. Fails only if no wait would do.
    fn try_claim(&self, core: &mut Core, home: usize, n: u64, claim: Claim) -> Result<bool, Refused> {
        core.check_burst(n)?;
        if core.claim(n, claim) {
            if claim == Claim::Spend {
                core.lease(&self.leases, home, n);
            }
            return Ok(true);
        }
        self.settle_all(core);
        Ok(core.claim(n, claim))
    }

    fn settle_all(&self, core: &mut Core) {
        if core.ledger.any_outstanding() {
            let settled = core.ledger.settle_all(&self.leases);
            core.charge(&settled, || self.nanos());
        }
    }

    /// One pass through the core (see `core`) for a caller at `home`.
    fn pass<R>(&self, home: usize, verb: impl FnOnce(&mut Core) -> R) -> R {
        let mut woken = Vec::new();
        let mut core = self.lock();
        let before = core.alarm();
        let settled = core.ledger.settle_own(&self.leases, home);
        core.charge(&settled, || self.nanos());
        core.serve(&mut woken);
        let result = verb(&mut core);
        if core.alarm() != before {
            woken.extend(core.queue.rouse_head());
        }
        // Release: the partner is the load in `shut_for`.
        self.slow.gate.store(core.gate(), Release);
        drop(core);
        // After the lock is let go: a waker is foreign code and may call us.
        for waker in woken {
            waker.wake();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // Only the clock and the cloning of a waker are foreign code under the lock, and a pass that one of them
        // ends early leaves promises, never spent tokens, behind.
        lock(&self.slow.core)
    }

    pub(crate) fn clock(&self) -> &C {
        &self.clock
    }

    fn nanos(&self) -> u64 {
        self.nanos_of(self.clock.now())
    }

    fn nanos_of(&self, at: C::Instant) -> u64 {
        if at > self.origin { saturating_nanos(at - self.origin) } else { 0 }
    }
}

pub(crate) fn later(ready_nanos: u64, now_nanos: u64) -> Refused {
    let wait = ready_nanos.saturating_sub(now_nanos);
    Refused::Later { retry_after: Duration::from_nanos(wait) }
}

impl<C: Clock> fmt::Debug for RateLimiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("burst", &self.burst())
            .field("available", &self.available())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, tidemill_loom))]
mod models;
#[cfg(test)]
mod tests;
