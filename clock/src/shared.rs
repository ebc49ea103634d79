//! Any clock behind one pointer: for a pool, which would otherwise carry the clock's type in its own and in each ticket's.
//!
//! Time is a duration since the making, one word in a pool's entries, or an instant of std's. Tokio's clock, which nearly
//! all have, is a case of its own rather than one more behind the pointer: a read is a branch more than a direct one, and a
//! time-out allocates nothing.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use crate::Clock;

/// Further than anybody waits (272 years), and near enough that it can be added to any moment.
const FAR: Duration = Duration::from_secs(1 << 33);

/// The sleep of a [`SharedClock`]: once ready it stays so. Dropping it is harmless.
///
/// ```
/// use std::time::Duration;
/// use tidemill_clock::{ManualClock, SharedClock, Sleep};
///
/// # futures_lite::future::block_on(async {
/// let (manual, hour) = (ManualClock::new(), Duration::from_secs(3600));
/// let clock = SharedClock::new(manual.clone());
/// let sleeps: [Sleep; 2] = [clock.sleep(hour), clock.sleep_until(2 * hour)];
/// manual.advance(2 * hour);
/// for sleep in sleeps { sleep.await; }
/// assert_eq!(clock.now(), 2 * hour);
/// # });
/// ```
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A [`Clock`] whose type is forgotten. Clones share it.
///
/// ```
/// use std::time::Duration;
/// use tidemill_clock::{ManualClock, SharedClock};
///
/// let manual = ManualClock::new();
/// let clock = SharedClock::new(manual.clone());
/// manual.advance(Duration::from_secs(1));
/// assert_eq!(clock.now(), Duration::from_secs(1));
/// ```
#[derive(Clone)]
pub struct SharedClock {
    kind: Kind,
    /// The moment of its making.
    origin: Instant,
}

#[derive(Clone)]
enum Kind {
    #[cfg(feature = "tokio")]
    Tokio,
    Other(Arc<dyn Erased>),
}

/// A clock that counts from its making.
trait Erased: Send + Sync {
    fn now(&self) -> Duration;
    fn sleep_until(self: Arc<Self>, at: Duration) -> Sleep;
}

struct Counting<C: Clock> {
    clock: C,
    origin: C::Instant,
}

impl<C: Clock + Send + Sync + 'static> Erased for Counting<C> {
    fn now(&self) -> Duration {
        // Not every clock's subtraction knows what to do about a step back.
        let now = self.clock.now();
        if now > self.origin { now - self.origin } else { Duration::ZERO }
    }

    fn sleep_until(self: Arc<Self>, at: Duration) -> Sleep {
        let mut sleep: Sleep = Box::pin(async move { self.clock.sleep_until(self.origin + at.min(FAR)).await });
        let mut over = false;
        Box::pin(poll_fn(move |cx| {
            over = over || sleep.as_mut().poll(cx).is_ready();
            if over { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

impl SharedClock {
    /// Forgets the type of `clock`, which is read once.
    pub fn new(clock: impl Clock + Send + Sync + 'static) -> Self {
        let origin = clock.now();
        Self { kind: Kind::Other(Arc::new(Counting { clock, origin })), origin: Instant::now() }
    }

    /// The time since its making; zero if the clock has gone further back.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.kind {
            #[cfg(feature = "tokio")]
            Kind::Tokio => self.instant().saturating_duration_since(self.origin),
            Kind::Other(clock) => clock.now(),
        }
    }

    /// The time as an instant of std's; tokio's own, if that is the clock.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match &self.kind {
            #[cfg(feature = "tokio")]
            Kind::Tokio => tokio::time::Instant::now().into_std(),
            Kind::Other(clock) => self.origin + clock.now().min(FAR),
        }
    }

    /// Ready once [`now`](Self::now) has reached `at`. Allocates.
    #[must_use]
    pub fn sleep_until(&self, at: Duration) -> Sleep {
        match &self.kind {
            #[cfg(feature = "tokio")]
            Kind::Tokio => Box::pin(tokio::time::sleep_until((self.origin + at.min(FAR)).into())),
            Kind::Other(clock) => Arc::clone(clock).sleep_until(at),
        }
    }

    /// Ready once `delay` has passed. Allocates.
    #[must_use]
    pub fn sleep(&self, delay: Duration) -> Sleep {
        self.sleep_until(self.now().saturating_add(delay))
    }

    /// What `future` brings, if that is before the clock gets to `end`. It is asked first: what is there in the same poll is
    /// taken. *Cancel safe* as `future` is. Allocates, but not on tokio's clock.
    ///
    /// # Errors
    /// [`Elapsed`], and `future` is dropped.
    pub async fn timeout_at<F: Future>(&self, end: Instant, future: F) -> Result<F::Output, Elapsed> {
        match &self.kind {
            #[cfg(feature = "tokio")]
            Kind::Tokio => tokio::time::timeout_at(end.into(), future).await.map_err(|_| Elapsed),
            Kind::Other(clock) => {
                let at = end.saturating_duration_since(self.origin);
                let (mut future, mut sleep) = (pin!(future), Arc::clone(clock).sleep_until(at));
                poll_fn(|cx| match future.as_mut().poll(cx) {
                    Poll::Ready(output) => Poll::Ready(Ok(output)),
                    Poll::Pending => sleep.as_mut().poll(cx).map(|()| Err(Elapsed)),
                })
                .await
            }
        }
    }

    /// [`timeout_at`](Self::timeout_at), after `limit`.
    ///
    /// # Errors
    /// [`Elapsed`], and `future` is dropped.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        self.timeout_at(self.instant() + limit.min(FAR), future).await
    }
}

/// Tokio's clock.
#[cfg(feature = "tokio")]
impl Default for SharedClock {
    fn default() -> Self {
        Self { kind: Kind::Tokio, origin: tokio::time::Instant::now().into_std() }
    }
}

impl fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// The time was up.
///
/// ```
/// use std::{future::{pending, ready}, time::Duration};
/// use tidemill_clock::{Elapsed, ManualClock, SharedClock};
///
/// # futures_lite::future::block_on(async {
/// let manual = ManualClock::new();
/// let (clock, limit) = (SharedClock::new(manual.clone()), Duration::from_secs(30));
/// assert_eq!(clock.timeout(limit, ready("an answer")).await, Ok("an answer"));
/// let hangs = async { manual.advance(limit); pending::<()>().await };
/// assert_eq!(clock.timeout(limit, hangs).await, Err(Elapsed));
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is up")
    }
}

impl Error for Elapsed {}
