//! Waiting: a ticket in the queue, a timer at the head, and a drop that gives back exactly what was held.
//!
//! A waiter looks at the core on every poll. Its tokens were set aside for it by whoever passed last; it claims them in
//! the very look that finds them granted, so there is no await between owning tokens and returning. Until then it
//! sleeps to its alarm: its deadline, and for the head the time its tokens are open, whichever is first.

use std::{
    future::{pending, poll_fn},
    mem::replace,
    pin::pin,
    task::{Poll, Waker},
    time::Duration,
};

use super::{
    RateLimiter, Refused,
    core::Core,
    later,
    queue::{Heard, Left},
    rate::saturating_nanos,
};
use crate::{
    Clock,
    ambient::{obeying, time_left},
};

/// No deadline: further off than the limiter's axis reaches.
pub(super) const NEVER: u64 = u64::MAX;

/// What a look at the core tells a waiter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Turn {
    /// The tokens were granted, and are now claimed.
    Granted,
    /// Look again when woken, or at this time.
    Wait(u64),
    /// The deadline has come.
    TooLate { ready_at: u64, now: u64 },
    /// The burst has become smaller than what is asked for.
    Refused(Refused),
}

/// What becomes of the tokens when they are granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Claim {
    /// They are charged.
    Spend,
    /// They stay set aside.
    Hold,
}

impl<C: Clock> RateLimiter<C> {
    /// Takes `n` tokens, waiting behind all who came before.
    ///
    /// Allocates only if it has to wait; then it obeys the ambient [`Context`](tidemill_context::Context): it does not begin a
    /// wait for which the context has no time left, and ends when the context is cancelled. *Cancel safe*: dropped while it
    /// waits, it loses its place and nothing else. Kept but no longer polled, it keeps what was granted to it from everyone
    /// else; so drop what you stop waiting for.
    ///
    /// # Errors
    /// [`Refused::ExceedsBurst`], [`Refused::QueueFull`], and [`Refused::Later`] by the context's deadline; all at once.
    /// [`Refused::Cancelled`].
    pub async fn acquire(&self, n: u64) -> Result<(), Refused> {
        self.acquire_by(n, |_| NEVER).await
    }

    /// Takes `n` tokens, waiting no longer than `timeout`.
    ///
    /// If the wait would be longer, it says so at once rather than at the end of it. Should those ahead turn out slower
    /// than they promised, it gives up at the deadline; tokens granted by then are taken. *Cancel safe* as
    /// [`acquire`](Self::acquire) is.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire); [`Refused::Later`] with the wait it would have needed.
    pub async fn acquire_within(&self, n: u64, timeout: Duration) -> Result<(), Refused> {
        self.acquire_by(n, |now| now.saturating_add(saturating_nanos(timeout))).await
    }

    /// Takes `n` tokens, waiting until `deadline` at most; otherwise as [`acquire_within`](Self::acquire_within).
    ///
    /// # Errors
    /// As [`acquire_within`](Self::acquire_within).
    pub async fn acquire_until(&self, n: u64, deadline: C::Instant) -> Result<(), Refused> {
        self.acquire_by(n, |_| self.nanos_of(deadline)).await
    }

    /// The deadline is worked out only by a caller that has to wait, from the time it begins to.
    async fn acquire_by(&self, n: u64, deadline: impl FnOnce(u64) -> u64) -> Result<(), Refused> {
        let home = self.leases.home();
        if self.spend(home, n) {
            return Ok(());
        }
        match self.enter(home, n, Claim::Spend, deadline)? {
            None => Ok(()),
            Some(ticket) => obeying(ticket.wait()).await,
        }
    }

    /// Takes the tokens if they are open, else joins the queue, unless it is full or too slow.
    pub(super) fn enter(
        &self,
        home: usize,
        n: u64,
        claim: Claim,
        deadline: impl FnOnce(u64) -> u64,
    ) -> Result<Option<Ticket<'_, C>>, Refused> {
        self.pass(home, |core| {
            if self.try_claim(core, home, n, claim)? {
                return Ok(None);
            }
            let (ready_at, deadline) = (core.ready_at(n), deadline(core.nanos));
            let left = time_left()?.map_or(NEVER, saturating_nanos);
            if ready_at > deadline.min(core.nanos.saturating_add(left)) {
                return Err(later(ready_at, core.nanos));
            }
            let waiters = core.queue.len();
            if waiters >= self.max_waiters {
                return Err(Refused::QueueFull { waiters });
            }
            let number = core.queue.join(n);
            Ok(Some(Ticket { limiter: self, number, tokens: n, claim, deadline, held: true }))
        })
    }

    async fn sleep_until_nanos(&self, nanos: u64) {
        if nanos == NEVER {
            pending::<()>().await;
        } else {
            self.clock.sleep_until(self.origin + Duration::from_nanos(nanos)).await;
        }
    }
}

/// Lets others run. A sleep can end before its clock says so, if that clock is read once per turn of an event loop, say;
/// looking again in the same poll would then go on for ever.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A place in the queue, or the tokens granted to it.
pub(super) struct Ticket<'a, C: Clock> {
    limiter: &'a RateLimiter<C>,
    number: u64,
    tokens: u64,
    claim: Claim,
    deadline: u64,
    /// The place or the tokens are still ours to give back.
    held: bool,
}

impl<'a, C: Clock> Ticket<'a, C> {
    pub(super) fn limiter(&self) -> &'a RateLimiter<C> {
        self.limiter
    }

    pub(super) async fn wait(mut self) -> Result<(), Refused> {
        let mut alarm = NEVER;
        loop {
            let mut sleep = pin!(self.limiter.sleep_until_nanos(alarm));
            let turn = poll_fn(|cx| {
                let turn = self.look(cx.waker());
                if turn != Turn::Wait(alarm) {
                    return Poll::Ready(turn);
                }
                sleep.as_mut().poll(cx).map(|()| turn)
            })
            .await;
            match turn {
                Turn::Granted => return Ok(()),
                Turn::Wait(at) => {
                    if at == alarm {
                        yield_once().await;
                    }
                    alarm = at;
                }
                Turn::TooLate { ready_at, now } => return Err(later(ready_at, now)),
                Turn::Refused(refused) => return Err(refused),
            }
        }
    }

    /// Claims the tokens if they are granted; otherwise makes sure `waker` is woken for whatever comes next.
    pub(super) fn look(&mut self, waker: &Waker) -> Turn {
        let limiter = self.limiter;
        let (turn, replaced) =
            limiter.pass(limiter.leases.home(), |core| match core.queue.listen(self.number, waker) {
                Heard::Granted => {
                    if self.claim == Claim::Spend {
                        core.bucket.spend_aside(self.tokens, core.now);
                    }
                    (Turn::Granted, None)
                }
                Heard::TurnedAway => (self.turned_away(core), None),
                Heard::Waiting(replaced) => (self.outlook(core), replaced),
            });
        drop(replaced);
        self.held = turn != Turn::Granted;
        turn
    }

    fn turned_away(&self, core: &Core) -> Turn {
        Turn::Refused(Refused::ExceedsBurst { asked: self.tokens, burst: core.bucket.burst() })
    }

    /// What one who waits still has to expect.
    fn outlook(&self, core: &Core) -> Turn {
        if self.deadline <= core.nanos {
            return Turn::TooLate { ready_at: core.ready_at(0), now: core.nanos };
        }
        let tokens_at = match core.alarm() {
            Some((head, Some(at))) if head == self.number => at,
            _ => NEVER,
        };
        Turn::Wait(tokens_at.min(self.deadline))
    }
}

impl<C: Clock> Drop for Ticket<'_, C> {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        let limiter = self.limiter;
        let left = limiter.pass(limiter.leases.home(), |core| {
            let left = core.queue.leave(self.number);
            if matches!(left, Left::Granted) {
                core.bucket.put_back(self.tokens);
            }
            left
        });
        drop(left);
    }
}
