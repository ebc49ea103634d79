//! The client's throttle of the SRE book: refuses by itself what the server would refuse anyway.
//!
//! A server that is overloaded still pays for every request that it refuses. So a client counts, over two minutes, the
//! requests its application made and those that the server accepted, and refuses the next with the chance
//! `max(0, (requests - K * accepts) / (requests + 1))`. With `K = 2` it goes on sending about twice what is accepted, so that it sees
//! at once when the server recovers.
//!
//! Requests are counted before they are sent, and those refused here count as well: the two usual mistakes (go-zero#5011).
//! Counted later, a burst finds an old chance; left out, the chance cannot rise beyond what was let through.
//!
//! The window is that of the breaker: 32 buckets, no record per call. A call costs two short locks, two clock reads and a random number.

use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    Clock, Keep, TokioClock,
    breaker::window::{Counts, Span, Window},
};

/// Refuses calls with the chance at which the server has refused them lately.
///
/// # Examples
/// ```
/// use tidemill_resilience::Throttle;
///
/// let throttle = Throttle::builder().seed(7).build()?;
/// for _ in 0..100 {
///     throttle.try_send().expect("nothing was refused so far").accepted();
/// }
/// assert_eq!(throttle.chance(), 0.0);
/// // The server refuses everything: soon most calls are not sent any more.
/// let sent = (0..1000).filter_map(|_| throttle.try_send().ok()).map(|sent| sent.rejected()).count();
/// assert!(sent < 500, "{sent}");
/// # Ok::<(), tidemill_resilience::InvalidThrottle>(())
/// ```
pub struct Throttle<C: Clock = TokioClock> {
    core: Mutex<Core>,
    multiplier: f64,
    max_chance: f64,
    clock: C,
    origin: C::Instant,
}

struct Core {
    /// Requests are its calls, and accepts its "failures": it only counts.
    window: Window,
    rng: fastrand::Rng,
}

/// The call was not sent: the server would have refused it, at this chance.
///
/// # Examples
/// ```
/// use tidemill_resilience::Throttle;
///
/// let throttle = Throttle::builder().seed(7).build()?;
/// // The server refuses everything; after some of that this side does.
/// let refused = (0..1000).find_map(|_| throttle.try_send().map(|sent| sent.rejected()).err());
/// assert!(refused.is_some_and(|throttled| throttled.percent >= 50.0), "{refused:?}");
/// # Ok::<(), tidemill_resilience::InvalidThrottle>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Throttled {
    /// How many of a hundred calls are refused here at present.
    pub percent: f64,
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "throttled: the server refuses so much that {:.0} % of calls are not sent", self.percent)
    }
}

impl Error for Throttled {}

impl Throttle {
    /// Options for a new throttle; none is required.
    pub fn builder() -> Builder {
        Builder { multiplier: 2.0, window: Duration::from_secs(120), max_percent: 100, seed: None, clock: TokioClock }
    }
}

impl<C: Clock> Throttle<C> {
    /// Counts a request and says whether to send it.
    ///
    /// # Errors
    /// [`Throttled`], by chance.
    pub fn try_send(&self) -> Result<Sent<'_, C>, Throttled> {
        let nanos = self.nanos();
        let mut core = self.lock();
        // Moves the window on, and judges by what was before this request.
        core.window.record(0, Counts::default(), nanos);
        let chance = self.chance_of(core.window.total());
        core.window.record(0, Counts { calls: 1, ..Counts::default() }, nanos);
        if chance > 0.0 && core.rng.f64() < chance {
            return Err(Throttled { percent: chance * 100.0 });
        }
        Ok(Sent { throttle: self, accepted: true })
    }

    /// Runs `operation` unless it is throttled; `is_rejected` says of its result whether the server refused it for overload.
    ///
    /// *Cancel safe*: dropped, it counts as accepted.
    ///
    /// # Errors
    /// [`Throttled`] without a poll of `operation`.
    pub async fn call<R>(
        &self,
        operation: impl Future<Output = R>,
        is_rejected: impl FnOnce(&R) -> bool,
    ) -> Result<R, Throttled> {
        let sent = self.try_send()?;
        let result = operation.await;
        if is_rejected(&result) {
            sent.rejected();
        }
        Ok(result)
    }

    /// The chance at which the next call is refused, from 0 to 1.
    pub fn chance(&self) -> f64 {
        let nanos = self.nanos();
        let mut core = self.lock();
        core.window.record(0, Counts::default(), nanos);
        self.chance_of(core.window.total())
    }

    fn chance_of(&self, total: Counts) -> f64 {
        let (requests, accepts) = (total.calls as f64, total.failed as f64);
        ((requests - self.multiplier * accepts) / (requests + 1.0)).clamp(0.0, self.max_chance)
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nanos(&self) -> u64 {
        let now = self.clock.now();
        if now > self.origin { u64::try_from((now - self.origin).as_nanos()).unwrap_or(u64::MAX) } else { 0 }
    }
}

impl<C: Clock> Keep for Throttle<C> {
    /// While it refuses anything.
    fn must_stay(&self) -> bool {
        self.chance() > 0.0
    }
}

impl<C: Clock> fmt::Debug for Throttle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("chance", &self.chance()).finish_non_exhaustive()
    }
}

/// A call that is sent. Dropped, it counts as accepted: a call that was cancelled says nothing against the server.
///
/// # Examples
/// ```
/// use tidemill_resilience::Throttle;
///
/// let throttle = Throttle::builder().build()?;
/// throttle.try_send()?.accepted();
/// throttle.try_send()?.rejected(); // the server answered 503
/// throttle.try_send()?.rejected();
/// assert_eq!(throttle.chance(), 0.25); // (3 requests - 2 * 1 accept) / (3 + 1)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a call that is dropped at once counts as accepted"]
pub struct Sent<'a, C: Clock = TokioClock> {
    throttle: &'a Throttle<C>,
    accepted: bool,
}

impl<C: Clock> Sent<'_, C> {
    /// The server took it, whatever came of it.
    pub fn accepted(self) {
        drop(self);
    }

    /// The server refused it because it is overloaded.
    pub fn rejected(mut self) {
        self.accepted = false;
    }
}

impl<C: Clock> Drop for Sent<'_, C> {
    fn drop(&mut self) {
        if self.accepted {
            let nanos = self.throttle.nanos();
            self.throttle.lock().window.record(0, Counts { failed: 1, ..Counts::default() }, nanos);
        }
    }
}

impl<C: Clock> fmt::Debug for Sent<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("accepted", &self.accepted).finish_non_exhaustive()
    }
}

/// Options of a [`Throttle`]; made by [`Throttle::builder`].
///
/// # Examples
/// ```
/// use tidemill_resilience::Throttle;
///
/// let throttle = Throttle::builder().max_percent(20).seed(7).build()?;
/// for _ in 0..100 {
///     throttle.try_send().map(|sent| sent.rejected()).ok();
/// }
/// assert_eq!(throttle.chance(), 0.2, "four of five calls are still sent");
/// # Ok::<(), tidemill_resilience::InvalidThrottle>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder<C = TokioClock> {
    multiplier: f64,
    window: Duration,
    max_percent: u32,
    seed: Option<u64>,
    clock: C,
}

impl<C> Builder<C> {
    /// How many times what is accepted is sent, about. Default 2; closer to 1 spares the server more, and finds out later that
    /// it has recovered.
    pub fn multiplier(mut self, k: f64) -> Self {
        self.multiplier = k;
        self
    }

    /// The time that is looked back on. Default two minutes.
    pub fn window(mut self, time: Duration) -> Self {
        self.window = time;
        self
    }

    /// The highest chance of a refusal, in percent. Default 100, which the formula never quite reaches: after a total outage
    /// it takes some five windows until everything is sent again, with 90 two.
    pub fn max_percent(mut self, percent: u32) -> Self {
        self.max_percent = percent;
        self
    }

    /// Makes the chance replay.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The clock to read. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        let Self { multiplier, window, max_percent, seed, .. } = self;
        Builder { multiplier, window, max_percent, seed, clock }
    }
}

impl<C: Clock> Builder<C> {
    /// The throttle, which refuses nothing yet.
    ///
    /// # Errors
    /// [`InvalidThrottle`] names the option at fault.
    pub fn build(self) -> Result<Throttle<C>, InvalidThrottle> {
        let Self { multiplier, window, max_percent, seed, clock } = self;
        if !multiplier.is_finite() || multiplier < 1.0 {
            return Err(InvalidThrottle::Multiplier(multiplier));
        }
        if window.is_zero() {
            return Err(InvalidThrottle::NoWindow);
        }
        if !(1..=100).contains(&max_percent) {
            return Err(InvalidThrottle::MaxPercent(max_percent));
        }
        let rng = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let core = Core { window: Window::new(Span::Time(window)), rng };
        let max_chance = f64::from(max_percent) / 100.0;
        Ok(Throttle { core: Mutex::new(core), multiplier, max_chance, origin: clock.now(), clock })
    }
}

/// An option of the throttle makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{InvalidThrottle, Throttle};
///
/// let refused = Throttle::builder().multiplier(0.5).build().unwrap_err();
/// assert_eq!(refused, InvalidThrottle::Multiplier(0.5));
/// assert_eq!(Throttle::builder().max_percent(0).build().unwrap_err(), InvalidThrottle::MaxPercent(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum InvalidThrottle {
    /// Below one it would refuse what the server accepts.
    Multiplier(f64),
    /// A window of no time.
    NoWindow,
    /// The highest chance is from 1 to 100 percent.
    MaxPercent(u32),
}

impl fmt::Display for InvalidThrottle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Multiplier(k) => write!(f, "a multiplier of {k} would refuse what the server accepts"),
            Self::NoWindow => f.write_str("a throttle needs a window of some length"),
            Self::MaxPercent(percent) => write!(f, "a highest chance of {percent} % is not from 1 to 100 %"),
        }
    }
}

impl Error for InvalidThrottle {}
