//! The options of a limiter, checked once.

use std::time::Duration;

use super::{
    InvalidLimiter, Rate, RateLimiter,
    bucket::Bucket,
    rate::{Grid, saturating_nanos},
};
use crate::{Clock, TokioClock};

/// How long a thread's lease should last (see `lease`): long enough that one settling (about 100 ns) is spread over
/// hundreds of calls of a hot thread, short enough that a caller slower than 20,000 calls a second never leases.
const LEASE_TIME: Duration = Duration::from_micros(50);

/// Callers that may wait by default: a bound, because an unbounded queue in front of a limit only turns refusals
/// into late answers; generous, because a waiter costs some 50 bytes here besides its own task.
const MAX_WAITERS: usize = 65_536;

/// The most ticks a whole burst may cost: above 70 years on any grid, and far from the end of 64 bits.
const MAX_BURST_TICKS: u64 = 1 << 62;

/// Options of a [`RateLimiter`]; made by [`RateLimiter::builder`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_resilience::{Rate, RateLimiter, Refused};
///
/// let limiter = RateLimiter::builder().rate(Rate::per_day(1)).burst(50).max_waiters(0).build()?;
/// assert_eq!((limiter.burst(), limiter.available()), (50, 50));
/// limiter.acquire(50).await?;
/// assert_eq!(limiter.acquire(1).await, Err(Refused::QueueFull { waiters: 0 })); // nobody waits for a day
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder<C = TokioClock> {
    rate: Option<Rate>,
    burst: u64,
    max_waiters: usize,
    lease_time: Duration,
    clock: C,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { rate: None, burst: 1, max_waiters: MAX_WAITERS, lease_time: LEASE_TIME, clock: TokioClock }
    }
}

impl<C> Builder<C> {
    /// The pace at which tokens come. Required.
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The most tokens that can be saved up, and so the most that can be taken at once. Default 1: evenly spaced.
    pub fn burst(mut self, burst: u64) -> Self {
        self.burst = burst;
        self
    }

    /// How many callers may wait at once; the next is refused. Default 65,536. Zero: nobody waits.
    pub fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// How long the tokens that a hot thread takes in advance should last it. Default 50 us.
    ///
    /// Zero turns leases off: each call then locks and reads the clock, and a full burst is ready after every idle
    /// period to the last token, where with leases up to an eighth of it may come late after a sudden stop.
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = time;
        self
    }

    /// The clock to read and to sleep by. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        let Self { rate, burst, max_waiters, lease_time, .. } = self;
        Builder { rate, burst, max_waiters, lease_time, clock }
    }
}

impl<C: Clock> Builder<C> {
    /// The limiter, its bucket full.
    ///
    /// # Errors
    /// [`InvalidLimiter`] names the option at fault.
    pub fn build(self) -> Result<RateLimiter<C>, InvalidLimiter> {
        let rate = self.rate.ok_or(InvalidLimiter::NoRate)?;
        let bucket = Bucket::full(&Plan::checked(rate, self.burst)?);
        Ok(RateLimiter::new(bucket, self.max_waiters, saturating_nanos(self.lease_time), self.clock))
    }
}

/// A rate and a burst that go together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) grid: Grid,
    pub(crate) burst: u64,
}

impl Plan {
    /// # Errors
    /// [`InvalidLimiter`] names what is at fault.
    pub(crate) fn checked(rate: Rate, burst: u64) -> Result<Self, InvalidLimiter> {
        let grid = rate.grid()?;
        let most = MAX_BURST_TICKS / grid.per_token;
        match burst {
            0 => Err(InvalidLimiter::NoBurst),
            asked if asked > most => Err(InvalidLimiter::Burst { asked, most }),
            _ => Ok(Self { grid, burst }),
        }
    }
}
