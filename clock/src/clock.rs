//! Time as a parameter: whatever reads a clock or sleeps does it through [`Clock`].
//!
//! One trait covers both acts, because they must agree: a limiter that reads one clock and sleeps on another
//! wakes too early or too late for ever.

use std::{
    fmt::Debug,
    future::Future,
    ops::{Add, Sub},
    time::Duration,
};

/// A source of time and the sleep that goes with it.
///
/// # Examples
/// A caller that already knows the time (an event loop with one clock read per turn) hands it out instead of
/// reading it again:
/// ```
/// use std::{cell::Cell, future::Future, time::{Duration, Instant}};
/// use tidemill_clock::Clock;
///
/// #[derive(Debug)]
/// struct PerTurn(Cell<Instant>);
/// impl Clock for PerTurn {
///     type Instant = Instant;
///     fn now(&self) -> Instant { self.0.get() }
///     fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> { tokio::time::sleep_until(at.into()) }
/// }
/// let clock = PerTurn(Cell::new(Instant::now()));
/// assert_eq!(clock.now(), clock.now());
/// ```
pub trait Clock {
    /// A point on this clock's axis.
    type Instant: Copy + Debug + Ord + Send + Sync + Add<Duration, Output = Self::Instant> + Sub<Output = Duration>;

    /// The present. It should not run backwards; a limiter treats a step back as no time passed.
    fn now(&self) -> Self::Instant;

    /// Completes once [`now`](Self::now) has reached `at`. Dropping it must be harmless.
    fn sleep_until(&self, at: Self::Instant) -> impl Future<Output = ()> + Send;

    /// Keeps the calling thread for `delay`: the sleep of the blocking calls.
    fn block(&self, delay: Duration) {
        std::thread::sleep(delay);
    }

    /// Keeps the calling thread for `delay`, or until it is unparked: the waiting of the blocking calls. It may end early.
    fn park(&self, delay: Duration) {
        std::thread::park_timeout(delay);
    }
}

impl<C: Clock + ?Sized> Clock for &C {
    type Instant = C::Instant;

    fn now(&self) -> Self::Instant {
        (**self).now()
    }

    fn sleep_until(&self, at: Self::Instant) -> impl Future<Output = ()> {
        (**self).sleep_until(at)
    }

    fn block(&self, delay: Duration) {
        (**self).block(delay);
    }

    fn park(&self, delay: Duration) {
        (**self).park(delay);
    }
}
