//! Waiting: a place in line, a timer if the wait is bounded, and a drop that gives back exactly what was held.
//!
//! A place that is no longer in line was granted; the waiter finds that out in the very poll that returns, so there is no
//! await between owning permits and returning them in a guard.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Poll, Waker},
    time::Duration,
};

use super::{
    Bulkhead, BulkheadFull, BulkheadPermit, OwnedBulkheadPermit, narrow,
    semaphore::{Away, Heard, Place},
};
use crate::{Clock, ambient::obeying};

/// The priority of a call that does not say.
pub(crate) const NORMAL: u8 = 128;

impl<C: Clock> Bulkhead<C> {
    /// A permit, waiting behind all who came before; the wait ends with the ambient [`Context`](tidemill_context::Context).
    ///
    /// *Cancel safe*: dropped while it waits, it loses its place and nothing else. Kept but no longer polled, it keeps what was
    /// granted to it from everyone else; so drop what you stop waiting for.
    ///
    /// # Errors
    /// [`BulkheadFull::LineFull`] and [`Closed`](BulkheadFull::Closed) at once; [`TimedOut`](BulkheadFull::TimedOut) and
    /// [`Cancelled`](BulkheadFull::Cancelled) after a wait.
    pub async fn acquire(&self) -> Result<BulkheadPermit<'_, C>, BulkheadFull> {
        self.acquire_many(1).await
    }

    /// `permits` at once. *Cancel safe* as [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); [`BulkheadFull::TooLarge`] if it asks for more than the limit, or than it becomes.
    pub async fn acquire_many(&self, permits: u32) -> Result<BulkheadPermit<'_, C>, BulkheadFull> {
        self.acquire_at(permits, NORMAL).await
    }

    /// `permits` at once, before all who wait with a lower `priority`; 128 is what the other calls have. *Cancel safe* as
    /// [`acquire`](Self::acquire). As long as higher ones keep coming, lower ones wait.
    ///
    /// # Errors
    /// As [`acquire_many`](Self::acquire_many).
    pub async fn acquire_at(&self, permits: u32, priority: u8) -> Result<BulkheadPermit<'_, C>, BulkheadFull> {
        self.wait(permits, priority).await?;
        Ok(BulkheadPermit::new(self, permits))
    }

    /// A permit that borrows nothing. *Cancel safe* as [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_owned(self: &Arc<Self>) -> Result<OwnedBulkheadPermit<C>, BulkheadFull> {
        self.wait(1, NORMAL).await?;
        Ok(OwnedBulkheadPermit::new(Arc::clone(self), 1))
    }

    /// Runs `operation` with a permit.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), without a poll of `operation`.
    pub async fn call<T>(&self, operation: impl Future<Output = T>) -> Result<T, BulkheadFull> {
        let _permit = self.acquire().await?;
        Ok(operation.await)
    }

    async fn wait(&self, permits: u32, priority: u8) -> Result<(), BulkheadFull> {
        if self.semaphore.try_take(permits.into()) {
            return Ok(());
        }
        match self.semaphore.enter(permits.into(), priority, self.max_waiters) {
            Ok(None) => Ok(()),
            Ok(Some(place)) => {
                self.counters.waited.fetch_add(1, Relaxed);
                let ticket = Ticket { bulkhead: self, place, permits, held: true };
                obeying(ticket.wait()).await
            }
            Err(away) => {
                self.counters.refused.fetch_add(1, Relaxed);
                Err(refusal(away, permits))
            }
        }
    }

    async fn sleep_until(&self, deadline: Option<C::Instant>) {
        match deadline {
            None => pending().await,
            Some(deadline) => self.clock.sleep_until(deadline).await,
        }
    }
}

fn refusal(away: Away, asked: u32) -> BulkheadFull {
    match away {
        Away::Closed => BulkheadFull::Closed,
        Away::TooLarge { limit } => BulkheadFull::TooLarge { asked, limit: narrow(limit) },
        Away::LineFull { waiters } => BulkheadFull::LineFull { waiters },
    }
}

/// A place in line, or the permits that were granted to it.
struct Ticket<'a, C: Clock> {
    bulkhead: &'a Bulkhead<C>,
    place: Place,
    permits: u32,
    /// The place or the permits are still ours to give back.
    held: bool,
}

impl<C: Clock> Ticket<'_, C> {
    async fn wait(mut self) -> Result<(), BulkheadFull> {
        let bulkhead = self.bulkhead;
        let bounds = bulkhead.max_wait.map(|max| (bulkhead.clock.now(), max));
        let mut timer = pin!(bulkhead.sleep_until(bounds.map(|(now, max)| now + max)));
        poll_fn(|cx| {
            if let Poll::Ready(result) = self.look(cx.waker()) {
                return Poll::Ready(result);
            }
            timer.as_mut().poll(cx).map(|()| self.time_out(bounds.map_or(Duration::ZERO, |(_, max)| max)))
        })
        .await
    }

    fn look(&mut self, waker: &Waker) -> Poll<Result<(), BulkheadFull>> {
        match self.bulkhead.semaphore.listen(self.place, waker) {
            Heard::Granted => {
                self.held = false;
                Poll::Ready(Ok(()))
            }
            Heard::Away(away) => {
                self.held = false;
                Poll::Ready(Err(refusal(away, self.permits)))
            }
            Heard::Waiting(replaced) => {
                drop(replaced);
                Poll::Pending
            }
        }
    }

    fn time_out(&mut self, waited: Duration) -> Result<(), BulkheadFull> {
        self.held = false;
        self.bulkhead.counters.timed_out.fetch_add(1, Relaxed);
        self.bulkhead.semaphore.leave(self.place, self.permits.into());
        Err(BulkheadFull::TimedOut { waited })
    }
}

impl<C: Clock> Drop for Ticket<'_, C> {
    fn drop(&mut self) {
        if self.held {
            self.bulkhead.counters.cancelled.fetch_add(1, Relaxed);
            self.bulkhead.semaphore.leave(self.place, self.permits.into());
        }
    }
}
