//! Limits that are no token bucket: windows and warm-up, one lock and a line around a small piece of arithmetic.
//!
//! A *meter* is the arithmetic: given the time and a number of tokens it takes them or says when it could. The limiter
//! around it holds the clock back when it steps back, keeps the waiters in order, and is the same for all.
//!
//! | meter | at most, in any window as long as its period | memory |
//! |---|---|---|
//! | [`FixedWindow`] | twice the limit (the limit in each window of its own) | 2 words |
//! | [`SlidingWindow`] | the limit | a word per part |
//! | [`SlidingLog`] | the limit, and all of it can be used | 2 words per token at most |
//! | [`WarmUp`] | `largest + rate * w`, and fewer after a pause | 4 words |
//!
//! Rejected: the weighted mean of two windows ("sliding window counter"), which assumes that the calls of the window before were
//! spread evenly: if they came at its end, almost twice the limit passes.

mod sliding;
mod warm_up;
mod window;

use std::{
    error::Error,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use self::{
    sliding::{SlidingLog, SlidingWindow},
    warm_up::WarmUp,
    window::FixedWindow,
};

use crate::{
    Clock, InvalidLimiter, Refused, TokioClock,
    ambient::{obeying, time_left},
    limiter::{later, saturating_nanos},
    line::{Line, MAX_WAITERS, deadline_in, in_line, within},
};

/// The arithmetic of a limit; implemented by the meters of this crate.
pub trait Meter: sealed::Arithmetic {}

mod sealed {
    use super::InvalidMeter;

    /// What a [`Metered`](super::Metered) limiter asks its meter. Times are nanoseconds and never go back.
    pub trait Arithmetic {
        /// Names the option at fault.
        fn check(&self) -> Result<(), InvalidMeter>;

        /// The most that can be taken at once.
        fn most(&self) -> u64;

        /// Takes `n` tokens, at most [`most`](Self::most), or tells the first time at which they could be taken if nobody else came.
        fn take(&mut self, n: u64, now: u64) -> Result<(), u64>;
    }
}

pub(crate) use sealed::Arithmetic;

impl<M: Arithmetic> Meter for M {}

/// A limiter around a [`Meter`].
///
/// One lock and one clock read per call. Waiters go first come, first served, and nobody overtakes them.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{ManualClock, Metered, SlidingLog};
///
/// let clock = ManualClock::new();
/// let day = Duration::from_secs(86_400);
/// let limiter = Metered::builder(SlidingLog::of(2, day)).clock(clock.clone()).build()?;
/// assert!(limiter.try_acquire(1).is_ok());
/// clock.advance(day / 2);
/// assert!(limiter.try_acquire(1).is_ok());
/// assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(day / 2));
/// # Ok::<(), tidemill_resilience::InvalidMeter>(())
/// ```
#[derive(Debug)]
pub struct Metered<M, C: Clock = TokioClock> {
    state: Mutex<State<M>>,
    line: Line,
    clock: C,
    origin: C::Instant,
}

#[derive(Debug)]
struct State<M> {
    meter: M,
    /// The latest time seen. A clock that steps back is held here.
    nanos: u64,
}

/// Options of a [`Metered`] limiter.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::{FixedWindow, Metered, Refused};
///
/// let day = Duration::from_secs(86_400);
/// let limiter = Metered::builder(FixedWindow::of(1, day)).max_waiters(0).build()?;
/// limiter.acquire(1).await?;
/// assert_eq!(limiter.acquire(1).await, Err(Refused::QueueFull { waiters: 0 })); // nobody waits for a day
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MeteredBuilder<M, C = TokioClock> {
    meter: M,
    max_waiters: usize,
    clock: C,
}

impl<M: Meter> Metered<M> {
    /// Options for a limiter around `meter`.
    pub fn builder(meter: M) -> MeteredBuilder<M> {
        MeteredBuilder { meter, max_waiters: MAX_WAITERS, clock: TokioClock }
    }
}

impl<M: Meter, C> MeteredBuilder<M, C> {
    /// How many callers may wait at once; the next is refused. Default 65,536.
    pub fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// The clock to read and to sleep by. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> MeteredBuilder<M, D> {
        MeteredBuilder { meter: self.meter, max_waiters: self.max_waiters, clock }
    }
}

impl<M: Meter, C: Clock> MeteredBuilder<M, C> {
    /// The limiter, nothing taken yet.
    ///
    /// # Errors
    /// [`InvalidMeter`] names the option at fault.
    pub fn build(self) -> Result<Metered<M, C>, InvalidMeter> {
        self.meter.check()?;
        let state = Mutex::new(State { meter: self.meter, nanos: 0 });
        Ok(Metered { state, line: Line::new(self.max_waiters), origin: self.clock.now(), clock: self.clock })
    }
}

impl<M: Meter, C: Clock> Metered<M, C> {
    /// Takes `n` tokens now, or none. Never overtakes those who wait.
    ///
    /// # Errors
    /// [`Refused::Later`] with the wait it would take if nobody else came, or zero while others wait, whose wait is not known;
    /// [`Refused::ExceedsBurst`] if no wait would do.
    pub fn try_acquire(&self, n: u64) -> Result<(), Refused> {
        self.attempt(n, self.line.len() == 0)
    }

    /// Takes `n` tokens, waiting behind all who came before, and obeying the ambient [`Context`](tidemill_context::Context).
    /// *Cancel safe*: dropped, it loses its place and nothing else.
    ///
    /// # Errors
    /// [`Refused::ExceedsBurst`], [`Refused::QueueFull`], and [`Refused::Later`] by the context's deadline; all at once.
    /// [`Refused::Cancelled`].
    pub async fn acquire(&self, n: u64) -> Result<(), Refused> {
        self.acquire_by(n, None).await
    }

    /// Takes `n` tokens, waiting no longer than `timeout`, and not at all if it is seen that this cannot suffice.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire); [`Refused::Later`] with the wait it would have needed at least.
    pub async fn acquire_within(&self, n: u64, timeout: Duration) -> Result<(), Refused> {
        self.acquire_by(n, deadline_in(&self.clock, timeout)).await
    }

    async fn acquire_by(&self, n: u64, deadline: Option<C::Instant>) -> Result<(), Refused> {
        match self.try_acquire(n) {
            Err(refused @ Refused::Later { retry_after }) => {
                if time_left()?.is_some_and(|left| left < retry_after)
                    || within(&self.clock, retry_after, deadline).is_none()
                {
                    return Err(refused);
                }
                obeying(in_line(&self.line, &self.clock, deadline, || self.attempt(n, true))).await
            }
            done => done,
        }
    }

    /// How many callers wait.
    pub fn waiters(&self) -> usize {
        self.line.len()
    }

    fn attempt(&self, n: u64, our_turn: bool) -> Result<(), Refused> {
        let mut state = self.lock();
        let burst = state.meter.most();
        if n > burst {
            return Err(Refused::ExceedsBurst { asked: n, burst });
        }
        let (now, origin) = (self.clock.now(), self.origin);
        state.nanos = state.nanos.max(if now > origin { saturating_nanos(now - origin) } else { 0 });
        let nanos = state.nanos;
        if n == 0 {
            return Ok(());
        }
        if !our_turn {
            return Err(later(nanos, nanos));
        }
        state.meter.take(n, nanos).map_err(|ready| later(ready, nanos))
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        // Meters leave themselves whole: they check before they write.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An option of a meter makes no sense.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{InvalidMeter, Metered, SlidingLog, SlidingWindow};
///
/// let minute = Duration::from_secs(60);
/// assert_eq!(Metered::builder(SlidingWindow::of(100, minute, 0)).build().unwrap_err(), InvalidMeter::Parts(0));
/// let refused = Metered::builder(SlidingLog::of(100, Duration::ZERO)).build().unwrap_err();
/// assert_eq!(refused, InvalidMeter::Period(Duration::ZERO));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidMeter {
    /// The limit is zero.
    NoLimit,
    /// The period is zero, or above ten years.
    Period(Duration),
    /// A sliding window has no parts, or more than a part per nanosecond.
    Parts(u32),
    /// The rate of a warm-up makes no sense.
    Rate(InvalidLimiter),
}

impl fmt::Display for InvalidMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLimit => f.write_str("a limit of zero lets nothing through"),
            Self::Period(period) => write!(f, "{period:?} is not a period between a nanosecond and ten years"),
            Self::Parts(parts) => write!(f, "a window cannot slide in {parts} parts"),
            Self::Rate(why) => why.fmt(f),
        }
    }
}

impl Error for InvalidMeter {}

/// The period in nanoseconds, if it is one.
fn checked_period(period: Duration) -> Result<u64, InvalidMeter> {
    const TEN_YEARS: Duration = Duration::from_secs(10 * 366 * 86_400);
    if period.is_zero() || period > TEN_YEARS {
        Err(InvalidMeter::Period(period))
    } else {
        Ok(saturating_nanos(period))
    }
}

#[cfg(test)]
mod tests;
