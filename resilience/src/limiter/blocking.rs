//! Waiting without async: the same ticket in the same queue, and a thread that parks where a task would be pending.
//!
//! The thread's waker unparks it. It parks for no longer than its alarm, through the clock, and looks again, so a wake-up out
//! of turn costs one look.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use tidemill_context::Context;

use super::{
    RateLimiter, Refused,
    acquire::{Claim, NEVER, Ticket, Turn},
    later,
    rate::saturating_nanos,
};
use crate::Clock;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<C: Clock> RateLimiter<C> {
    /// [`acquire`](Self::acquire) for a thread that may block: first come, first served, together with the tasks that wait.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use tidemill_resilience::{Clock, ManualClock, Rate, RateLimiter};
    ///
    /// let clock = ManualClock::new(); // waiting moves it
    /// let limiter = RateLimiter::builder().rate(Rate::per_second(2)).clock(clock.clone()).build()?;
    /// for _ in 0..3 {
    ///     limiter.acquire_blocking(1)?;
    /// }
    /// assert_eq!(clock.now(), Duration::from_secs(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn acquire_blocking(&self, n: u64) -> Result<(), Refused> {
        self.acquire_blocking_by(n, |_| NEVER)
    }

    /// [`acquire_within`](Self::acquire_within) for a thread that may block.
    ///
    /// # Errors
    /// As for [`acquire_within`](Self::acquire_within).
    pub fn acquire_blocking_within(&self, n: u64, timeout: Duration) -> Result<(), Refused> {
        self.acquire_blocking_by(n, |now| now.saturating_add(saturating_nanos(timeout)))
    }

    fn acquire_blocking_by(&self, n: u64, deadline: impl FnOnce(u64) -> u64) -> Result<(), Refused> {
        let home = self.leases.home();
        if self.spend(home, n) {
            return Ok(());
        }
        self.enter(home, n, Claim::Spend, deadline)?.map_or(Ok(()), Ticket::wait_blocking)
    }
}

impl<C: Clock> Ticket<'_, C> {
    fn wait_blocking(mut self) -> Result<(), Refused> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cancelled = Context::try_current().map(|context| context.cancelled());
        loop {
            let turn = self.look(&waker);
            if turn != Turn::Granted
                && let Some(Poll::Ready(cause)) = cancelled.as_mut().map(|future| poll(future, &waker))
            {
                return Err(cause.into());
            }
            match turn {
                Turn::Granted => return Ok(()),
                Turn::Refused(refused) => return Err(refused),
                Turn::TooLate { ready_at, now } => return Err(later(ready_at, now)),
                Turn::Wait(NEVER) => thread::park(),
                Turn::Wait(at) => {
                    let limiter = self.limiter();
                    limiter.clock.park(Duration::from_nanos(at.saturating_sub(limiter.nanos())));
                }
            }
        }
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut task::Context::from_waker(waker))
}
