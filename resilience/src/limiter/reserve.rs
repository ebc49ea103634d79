//! Reservations: tokens held for later, that go back untouched if they are not wanted.
//!
//! A reservation is tokens set aside (see `bucket`): they stay in the bucket, closed to others. Committing charges them at
//! the time of the commit; dropping opens them again, and it is as if they had never been asked for. Nothing is charged and
//! refunded, so nothing can be refunded twice, late, or into a bucket that was full in between.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    RateLimiter, Refused,
    acquire::{Claim, NEVER},
    later,
    rate::saturating_nanos,
};
use crate::{Clock, ambient::obeying};

/// Tokens held but not yet spent; made by [`RateLimiter::reserve`] and its kin.
///
/// [`commit`](Self::commit) spends them. Dropped, all of them are open to others at once, to the last token, however long
/// it was held. While it is held the bucket fills no further than to its burst less the tokens held: commit or drop it soon.
///
/// # Examples
/// ```
/// use tidemill_resilience::{Rate, RateLimiter};
///
/// let limiter = RateLimiter::builder().rate(Rate::per_day(1)).burst(10).build()?;
/// let held = limiter.try_reserve(8).expect("the bucket is full");
/// assert_eq!(limiter.available(), 2);
/// held.commit_part(3);
/// assert_eq!(limiter.available(), 7);
/// drop(limiter.try_reserve(7));
/// assert_eq!(limiter.available(), 7);
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[must_use = "dropped at once, it gives its tokens back at once"]
pub struct Reservation<'a, C: Clock> {
    limiter: &'a RateLimiter<C>,
    tokens: u64,
}

impl<C: Clock> RateLimiter<C> {
    /// Holds `n` tokens, if they are there now and nobody waits for them. Costs a lock and a clock read.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn try_reserve(&self, n: u64) -> Result<Reservation<'_, C>, Refused> {
        let home = self.leases.home();
        self.pass(home, |core| {
            let held = self.try_claim(core, home, n, Claim::Hold)?;
            if held { Ok(()) } else { Err(later(core.ready_at(n), core.nanos)) }
        })?;
        Ok(Reservation { limiter: self, tokens: n })
    }

    /// Holds `n` tokens, waiting for them behind all who came before. *Cancel safe* as [`acquire`](Self::acquire) is.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn reserve(&self, n: u64) -> Result<Reservation<'_, C>, Refused> {
        self.reserve_by(n, |_| NEVER).await
    }

    /// Holds `n` tokens, waiting no longer than `timeout`. *Cancel safe* as [`acquire`](Self::acquire) is.
    ///
    /// # Errors
    /// As for [`acquire_within`](Self::acquire_within).
    pub async fn reserve_within(&self, n: u64, timeout: Duration) -> Result<Reservation<'_, C>, Refused> {
        self.reserve_by(n, |now| now.saturating_add(saturating_nanos(timeout))).await
    }

    /// Holds `n` tokens, waiting until `deadline` at most. *Cancel safe* as [`acquire`](Self::acquire) is.
    ///
    /// # Errors
    /// As for [`acquire_within`](Self::acquire_within).
    pub async fn reserve_until(&self, n: u64, deadline: C::Instant) -> Result<Reservation<'_, C>, Refused> {
        self.reserve_by(n, |_| self.nanos_of(deadline)).await
    }

    async fn reserve_by(&self, n: u64, deadline: impl FnOnce(u64) -> u64) -> Result<Reservation<'_, C>, Refused> {
        if let Some(ticket) = self.enter(self.leases.home(), n, Claim::Hold, deadline)? {
            obeying(ticket.wait()).await?;
        }
        Ok(Reservation { limiter: self, tokens: n })
    }
}

impl<C: Clock> Reservation<'_, C> {
    /// How many tokens are held.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Spends all of them. Cannot fail and does not wait; costs a lock and a clock read.
    pub fn commit(self) {
        let all = self.tokens;
        self.commit_part(all);
    }

    /// Spends `n` of them, or all if they are fewer, and gives the rest back.
    pub fn commit_part(mut self, n: u64) {
        let spent = n.min(self.tokens);
        self.tokens -= spent;
        let limiter = self.limiter;
        limiter.pass(limiter.leases.home(), |core| core.bucket.spend_aside(spent, core.now));
        // The rest goes back as it is dropped.
    }
}

impl<C: Clock> Drop for Reservation<'_, C> {
    fn drop(&mut self) {
        if self.tokens > 0 {
            let limiter = self.limiter;
            limiter.pass(limiter.leases.home(), |core| core.bucket.put_back(self.tokens));
        }
    }
}

impl<C: Clock> fmt::Debug for Reservation<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// A [`Reservation`] that holds its limiter in an `Arc`, so it can be kept or go to another task.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill_resilience::{Rate, RateLimiter};
///
/// let limiter = Arc::new(RateLimiter::builder().rate(Rate::per_day(1)).burst(10).build()?);
/// let held = limiter.try_reserve_owned(8).expect("the bucket is full");
/// drop(limiter.try_reserve_owned(2)); // not wanted: they are open again
/// assert_eq!(limiter.available(), 2);
/// std::thread::spawn(move || held.commit()).join().expect("it does not panic");
/// assert_eq!(limiter.available(), 2);
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[must_use = "dropped at once, it gives its tokens back at once"]
pub struct OwnedReservation<C: Clock> {
    limiter: Arc<RateLimiter<C>>,
    tokens: u64,
}

impl<C: Clock> RateLimiter<C> {
    /// [`try_reserve`](Self::try_reserve), borrowing nothing.
    ///
    /// # Errors
    /// As for [`try_reserve`](Self::try_reserve).
    pub fn try_reserve_owned(self: &Arc<Self>, n: u64) -> Result<OwnedReservation<C>, Refused> {
        self.try_reserve(n).map(|held| held.into_owned(Arc::clone(self)))
    }

    /// [`reserve`](Self::reserve), borrowing nothing. *Cancel safe* as [`acquire`](Self::acquire) is.
    ///
    /// # Errors
    /// As for [`reserve`](Self::reserve).
    pub async fn reserve_owned(self: Arc<Self>, n: u64) -> Result<OwnedReservation<C>, Refused> {
        self.reserve(n).await.map(|held| held.into_owned(Arc::clone(&self)))
    }
}

impl<C: Clock> Reservation<'_, C> {
    /// `limiter` is the one it is of.
    fn into_owned(mut self, limiter: Arc<RateLimiter<C>>) -> OwnedReservation<C> {
        OwnedReservation { tokens: std::mem::take(&mut self.tokens), limiter }
    }
}

impl<C: Clock> OwnedReservation<C> {
    /// Spends all of them, as [`Reservation::commit`] does.
    pub fn commit(mut self) {
        self.borrowed().commit();
    }

    fn borrowed(&mut self) -> Reservation<'_, C> {
        Reservation { tokens: std::mem::take(&mut self.tokens), limiter: &self.limiter }
    }
}

impl<C: Clock> Drop for OwnedReservation<C> {
    fn drop(&mut self) {
        drop(self.borrowed());
    }
}

impl<C: Clock> fmt::Debug for OwnedReservation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedReservation").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}
