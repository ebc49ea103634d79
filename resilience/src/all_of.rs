//! Several limits at once: all of them let a call through, or none is charged.
//!
//! **Taking.** Each limiter is asked in turn for a reservation; if one refuses, those before it are dropped, and a dropped
//! reservation never was (see `limiter/reserve.rs`). Then all are committed. So no limit is charged for a call that another
//! refused, and each limit's own bound is untouched by the others. For the moment in between, tokens are held that may not be
//! taken: another caller can be refused then, never let through wrongly.
//!
//! **Waiting.** Callers of one `AllOf` stand in one line. Its head tries all; refused by one limiter, it waits in *that*
//! limiter's queue, holding nothing elsewhere, and then, with the tokens it got, tries the others. So nobody hoards the
//! tokens of one limit while it waits for another, and no two can wait for each other, whatever order they list their limits in.
//! Under pressure from all sides that could go on for ever; so after some rounds the head goes through the limiters in the
//! order of their addresses and keeps what it has. All who hold while they wait do so in that one order, so there is no ring.
//!
//! Rejected: charging one after the other and refunding on refusal (dotnet/runtime#113314 double-charges, and a refund
//! into a bucket that has filled meanwhile mints); holding from the start (a tenant that waits for its own limit would sit
//! on the tokens of the limit that all share).

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tidemill_context::Context;

use crate::{
    Clock, RateLimiter, Refused, Reservation, TokioClock,
    ambient::time_left,
    line::{Line, MAX_WAITERS, before, deadline_in, within},
};

/// Rounds in which the head of the line holds nothing while it waits.
const ROUNDS: usize = 8;

/// Several limiters that let a call through together or not at all.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill_resilience::{AllOf, Rate, RateLimiter};
///
/// let second = Arc::new(RateLimiter::builder().rate(Rate::per_second(10)).burst(10).build()?);
/// let day = Arc::new(RateLimiter::builder().rate(Rate::per_day(5)).burst(5).build()?);
/// let both = AllOf::builder().limit("per second", second.clone()).limit("per day", day).build();
/// assert!(both.try_acquire(5).is_ok());
/// let refused = both.try_acquire(1).unwrap_err();
/// assert_eq!(refused.name, "per day");
/// assert!(second.available() >= 5, "it was not charged for what the other refused");
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[derive(Debug)]
pub struct AllOf<C: Clock = TokioClock> {
    limits: Vec<Limit<C>>,
    line: Line,
}

#[derive(Debug)]
struct Limit<C: Clock> {
    name: &'static str,
    limiter: Arc<RateLimiter<C>>,
}

/// Options of an [`AllOf`]; made by [`AllOf::builder`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use tidemill_resilience::{AllOf, Rate, RateLimiter, Refused};
///
/// let day = Arc::new(RateLimiter::builder().rate(Rate::per_day(1)).build()?);
/// let limits = AllOf::builder().limit("per day", day).max_waiters(0).build();
/// limits.acquire(1).await?;
/// let refused = limits.acquire(1).await.unwrap_err();
/// assert_eq!((refused.name, refused.refused), ("per day", Refused::QueueFull { waiters: 0 }));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct AllOfBuilder<C: Clock = TokioClock> {
    limits: Vec<Limit<C>>,
    max_waiters: usize,
}

impl<C: Clock> AllOf<C> {
    /// No limits yet: add them by [`limit`](AllOfBuilder::limit).
    pub fn builder() -> AllOfBuilder<C> {
        AllOfBuilder { limits: Vec::new(), max_waiters: MAX_WAITERS }
    }
}

impl<C: Clock> AllOfBuilder<C> {
    /// One more limit. The name says in an error which one refused.
    pub fn limit(mut self, name: &'static str, limiter: Arc<RateLimiter<C>>) -> Self {
        self.limits.push(Limit { name, limiter });
        self
    }

    /// How many callers may wait at once; the next is refused. Default 65,536.
    pub fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// The limits, to be obeyed together. Without any it lets everything through.
    pub fn build(self) -> AllOf<C> {
        AllOf { limits: self.limits, line: Line::new(self.max_waiters) }
    }
}

/// One of several limits did not let the call through. Nothing was taken from any.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill_resilience::{AllOf, Rate, RateLimiter, Refused, RefusedBy};
///
/// let of = |burst| RateLimiter::builder().rate(Rate::per_day(1)).burst(burst).build().map(Arc::new);
/// let both = AllOf::builder().limit("everyone", of(100)?).limit("this tenant", of(5)?).build();
/// let RefusedBy { index, name, refused } = both.try_acquire(10).unwrap_err();
/// assert_eq!((index, name), (1, "this tenant"));
/// assert_eq!(refused, Refused::ExceedsBurst { asked: 10, burst: 5 });
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedBy {
    /// The limit's place among the others.
    pub index: usize,
    /// Its name, as given to [`limit`](AllOfBuilder::limit).
    pub name: &'static str,
    /// Its answer.
    pub refused: Refused,
}

impl fmt::Display for RefusedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.refused)
    }
}

impl Error for RefusedBy {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.refused)
    }
}

type Held<'a, C> = Vec<Option<Reservation<'a, C>>>;

impl<C: Clock> AllOf<C> {
    /// Takes `n` tokens from each now, or none from any. Never overtakes those who wait.
    ///
    /// Costs two locks and two clock reads per limit, and an allocation.
    ///
    /// # Errors
    /// [`RefusedBy`] the first limit that has not enough; with a wait of zero while others wait, whose wait is not known.
    pub fn try_acquire(&self, n: u64) -> Result<(), RefusedBy> {
        self.try_acquire_each(&self.same(n))
    }

    /// As [`try_acquire`](Self::try_acquire), with a number of tokens for each limit, such as one call and its bytes. Limits
    /// beyond the end of `tokens` are asked for none.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_each(&self, tokens: &[u64]) -> Result<(), RefusedBy> {
        if self.line.len() > 0 {
            return Err(self.by(0, Refused::Later { retry_after: Duration::ZERO }));
        }
        let mut held = self.nothing();
        self.hold_rest(tokens, &mut held)?;
        commit(held);
        Ok(())
    }

    /// Takes `n` tokens from each, waiting behind all who came before, and obeying the ambient
    /// [`Context`](tidemill_context::Context).
    ///
    /// *Cancel safe*: dropped while it waits, it gives back its place and whatever it holds, to the last token.
    ///
    /// # Errors
    /// A limit can never give that many, or has no room for another waiter.
    pub async fn acquire(&self, n: u64) -> Result<(), RefusedBy> {
        self.acquire_by(&self.same(n), None).await
    }

    /// As [`acquire`](Self::acquire), waiting no longer than `timeout`, and not at all if it is seen that this cannot suffice.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire); [`Refused::Later`] by the limit that would take too long.
    pub async fn acquire_within(&self, n: u64, timeout: Duration) -> Result<(), RefusedBy> {
        self.acquire_each_within(&self.same(n), timeout).await
    }

    /// As [`acquire_within`](Self::acquire_within), with a number of tokens for each limit.
    ///
    /// # Errors
    /// As for [`acquire_within`](Self::acquire_within).
    pub async fn acquire_each_within(&self, tokens: &[u64], timeout: Duration) -> Result<(), RefusedBy> {
        let deadline = self.limits.first().and_then(|limit| deadline_in(limit.limiter.clock(), timeout));
        self.acquire_by(tokens, deadline).await
    }

    async fn acquire_by(&self, tokens: &[u64], deadline: Option<C::Instant>) -> Result<(), RefusedBy> {
        let Some(first) = self.limits.first() else { return Ok(()) };
        let clock = first.limiter.clock();
        let Err(refused) = self.try_acquire_each(tokens) else { return Ok(()) };
        let left = time_left().map_err(|cause| self.by(refused.index, cause.into()))?;
        if left.is_some_and(|left| refused.refused.retry_after().is_none_or(|wait| left < wait)) {
            return Err(refused);
        }
        self.worth_waiting(&refused, clock, deadline)?;
        match Context::try_current() {
            None => self.wait(tokens, deadline, refused).await,
            Some(context) => {
                let index = refused.index;
                let done = context.run(self.wait(tokens, deadline, refused)).await;
                done.unwrap_or_else(|cause| Err(self.by(index, cause.into())))
            }
        }
    }

    async fn wait(
        &self,
        tokens: &[u64],
        deadline: Option<C::Instant>,
        mut refused: RefusedBy,
    ) -> Result<(), RefusedBy> {
        let clock = self.limits[0].limiter.clock();
        let mut place = self.line.join().map_err(|full| self.by(0, full))?;
        if !before(clock, deadline, place.turn()).await {
            return Err(refused);
        }
        for _ in 0..ROUNDS {
            let mut held = self.nothing();
            match self.hold_rest(tokens, &mut held) {
                Ok(()) => {
                    commit(held);
                    return Ok(());
                }
                Err(why) => refused = why,
            }
            drop(held);
            self.worth_waiting(&refused, clock, deadline)?;
            let mut held = self.nothing();
            self.hold(refused.index, tokens, deadline, &mut held).await?;
            if self.hold_rest(tokens, &mut held).is_ok() {
                commit(held);
                return Ok(());
            }
        }
        self.hold_in_order(tokens, deadline).await
    }

    /// Goes through all limits in the order of their addresses, and keeps what it has while it waits for the next.
    async fn hold_in_order(&self, tokens: &[u64], deadline: Option<C::Instant>) -> Result<(), RefusedBy> {
        let mut order: Vec<_> = (0..self.limits.len()).collect();
        order.sort_by_key(|&index| Arc::as_ptr(&self.limits[index].limiter).addr());
        let mut held = self.nothing();
        for index in order {
            self.hold(index, tokens, deadline, &mut held).await?;
        }
        commit(held);
        Ok(())
    }

    /// Waits for the tokens of one limit.
    async fn hold<'a>(
        &'a self,
        index: usize,
        tokens: &[u64],
        deadline: Option<C::Instant>,
        held: &mut Held<'a, C>,
    ) -> Result<(), RefusedBy> {
        let (limiter, n) = (&self.limits[index].limiter, wanted(tokens, index));
        let reservation = match deadline {
            Some(deadline) => limiter.reserve_until(n, deadline).await,
            None => limiter.reserve(n).await,
        };
        held[index] = Some(reservation.map_err(|refused| self.by(index, refused))?);
        Ok(())
    }

    /// Holds what is not held yet, without waiting; on refusal some may be held.
    fn hold_rest<'a>(&'a self, tokens: &[u64], held: &mut Held<'a, C>) -> Result<(), RefusedBy> {
        for (index, limit) in
            self.limits.iter().enumerate().filter(|(index, _)| held[*index].is_none()).collect::<Vec<_>>()
        {
            let reservation = limit.limiter.try_reserve(wanted(tokens, index));
            held[index] = Some(reservation.map_err(|refused| self.by(index, refused))?);
        }
        Ok(())
    }

    /// Hands the refusal back if no wait would do, or none within the deadline.
    fn worth_waiting(&self, refused: &RefusedBy, clock: &C, deadline: Option<C::Instant>) -> Result<(), RefusedBy> {
        let ready = refused.refused.retry_after().and_then(|wait| within(clock, wait, deadline));
        ready.map(|_| ()).ok_or_else(|| refused.clone())
    }

    /// How many callers wait.
    pub fn waiters(&self) -> usize {
        self.line.len()
    }

    fn nothing(&self) -> Held<'_, C> {
        self.limits.iter().map(|_| None).collect()
    }

    fn same(&self, n: u64) -> Vec<u64> {
        vec![n; self.limits.len()]
    }

    fn by(&self, index: usize, refused: Refused) -> RefusedBy {
        let name = self.limits.get(index).map_or("", |limit| limit.name);
        RefusedBy { index, name, refused }
    }
}

fn wanted(tokens: &[u64], index: usize) -> u64 {
    tokens.get(index).copied().unwrap_or(0)
}

fn commit<C: Clock>(held: Held<'_, C>) {
    held.into_iter().flatten().for_each(Reservation::commit);
}

#[cfg(test)]
mod tests;
