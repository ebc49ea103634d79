//! Limits that change while callers wait: another rate or burst, a pause, a level told by a server.
//!
//! Each is one pass through the core, which ends every lease first. Only the head of the queue has a timer for its tokens;
//! the pass sees that its time has changed and wakes it to set the timer anew, so all who wait are re-timed by one wake-up.
//!
//! **What becomes of the tokens** is told in `bucket`: they are kept, up to the new burst; what was promised stays
//! promised and is charged at the new price.
//!
//! **A pause** closes the bucket until an instant, and the bucket fills meanwhile: afterwards up to a burst goes at once.
//! [`drain_to`](RateLimiter::drain_to) makes that less.

use std::time::Duration;

use super::{InvalidLimiter, Rate, RateLimiter, builder::Plan, core::Core};
use crate::Clock;

impl<C: Clock> RateLimiter<C> {
    /// Sets another rate and burst from now on, for newcomers and for all who wait already.
    ///
    /// The tokens in the bucket are kept, up to the new burst. Who waits for more than the new burst ends with
    /// [`Refused::ExceedsBurst`](super::Refused::ExceedsBurst); the others are re-timed. A deadline that the new rate
    /// cannot meet still ends its waiter when it comes.
    ///
    /// From any instant on, at most the burst of that instant plus what the rates of the time bring is let through; what was
    /// granted or reserved under a larger burst, and not taken yet, comes out of that of the smaller one first.
    ///
    /// # Errors
    /// As for [`build`](super::Builder::build); then nothing has changed.
    ///
    /// # Examples
    /// ```
    /// use tidemill_resilience::{Rate, RateLimiter};
    ///
    /// let limiter = RateLimiter::builder().rate(Rate::per_day(1)).burst(10).build()?;
    /// limiter.change(Rate::per_second(100), 4)?;
    /// assert_eq!(limiter.available(), 4);
    /// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
    /// ```
    pub fn change(&self, rate: Rate, burst: u64) -> Result<(), InvalidLimiter> {
        let Plan { grid, burst } = Plan::checked(rate, burst)?;
        let turned_away = self.overhaul(|core| {
            core.bucket.change(grid, burst, core.nanos);
            core.now = core.bucket.at(core.nanos);
            core.queue.turn_away(burst)
        });
        for waker in turned_away {
            waker.wake();
        }
        Ok(())
    }

    /// Lets nothing through before `until`, whether it is a newcomer or waits already, as a server asks by `Retry-After`.
    ///
    /// A later call replaces an earlier one, whichever is longer. What has been granted or reserved already goes on.
    /// The bucket fills meanwhile.
    pub fn pause_until(&self, until: C::Instant) {
        let until = self.nanos_of(until);
        self.overhaul(|core| core.paused_until = until);
    }

    /// [`pause_until`](Self::pause_until) `time` from now.
    pub fn pause(&self, time: Duration) {
        let time = super::saturating_nanos(time);
        self.overhaul(|core| core.paused_until = core.nanos.saturating_add(time));
    }

    /// Ends a pause now.
    pub fn resume(&self) {
        self.overhaul(|core| core.paused_until = 0);
    }

    /// Leaves at most `level` tokens in the bucket, as a server says by `RateLimit-Remaining`. It never adds any.
    pub fn drain_to(&self, level: u64) {
        self.overhaul(|core| core.bucket.drain_to(level, core.now));
    }

    /// A pass with no lease left, that serves the queue once more after `verb`.
    fn overhaul<R>(&self, verb: impl FnOnce(&mut Core) -> R) -> R {
        let home = self.leases.home();
        let result = self.pass(home, |core| {
            self.settle_all(core);
            verb(core)
        });
        // What has become open now goes to those who wait: serving begins every pass.
        self.pass(home, |_| ());
        result
    }
}
