//! A clock that moves only when told, for tests that take no real time and replay exactly.
//!
//! Timers wait in one ordered map keyed by (due time, arrival). Moving the clock stops at each one on the way, in that
//! order, so that what runs at a wake (a deadline that cancels, a function of a user's) sees the clock at that very time;
//! and what it enters there is met as well, if it is due before the end of the move. No waker is woken, cloned or dropped
//! under the lock: it is anybody's code, and may call back into the clock.
//!
//! A virtual time that somebody else keeps (tokio's paused time, the scheduler's simulation) has its own `now`, and jumps to
//! its own timers. [`ManualClock::following`] asks that `now`; [`ManualClock::drive`] makes the first timer one of theirs.

use std::{
    collections::{BTreeMap, btree_map::OccupiedEntry},
    convert::Infallible,
    fmt,
    future::{Future, pending, poll_fn},
    num::NonZeroU64,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::Clock;

/// Further than any test looks (136 years), and near enough that every system can write it as an [`Instant`].
const FAR: Duration = Duration::from_secs(1 << 32);

/// A clock that stands still until it is told to move. Clones share one time.
///
/// Its instants are durations since its beginning; [`instant`](Self::instant) is the same moment for those who count in
/// std's. Everything of the toolkit that waits can be given one, and contexts are made on it (`Context::on`).
///
/// # Examples
/// ```
/// use std::{sync::Arc, task::Wake, time::Duration};
/// use tidemill_clock::{Clock, ManualClock};
///
/// # futures_lite::future::block_on(async {
/// let clock = ManualClock::new();
/// let sleep = clock.sleep_until(Duration::from_secs(3600));
/// clock.advance(Duration::from_secs(3600));
/// sleep.await;
/// # });
/// ```
#[derive(Clone)]
pub struct ManualClock {
    inner: Arc<Inner>,
}

struct Inner {
    /// The beginning, for those who count in std's instants.
    origin: Instant,
    /// Asked for the time, if somebody else keeps it.
    source: Option<fn() -> Instant>,
    face: Mutex<Face>,
}

#[derive(Debug, Default)]
struct Face {
    /// As far as timers have been dealt with; and the time, unless there is a source.
    now: Duration,
    arrivals: u64,
    timers: BTreeMap<(Duration, NonZeroU64), Waker>,
    /// Woken by a timer before all others.
    driver: Option<Waker>,
}

impl Face {
    fn first(&self) -> Option<Duration> {
        self.timers.first_key_value().map(|(&(at, _), _)| at)
    }

    fn number(&mut self) -> NonZeroU64 {
        self.arrivals += 1;
        NonZeroU64::new(self.arrivals).expect("above zero")
    }

    /// Enters a timer, or another waker for one: who is to be woken for it, and the waker that was there before.
    fn enter(&mut self, at: Duration, number: NonZeroU64, waker: Waker) -> (Option<Waker>, Option<Waker>) {
        let earlier = self.first().is_none_or(|first| at < first);
        let before = self.timers.insert((at, number), waker);
        (if earlier { self.driver.take() } else { None }, before)
    }
}

impl ManualClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(Instant::now())
    }

    /// A clock at zero, whose [`instant`](Self::instant) then is `origin`.
    #[must_use]
    pub fn starting_at(origin: Instant) -> Self {
        Self { inner: Arc::new(Inner { origin, source: None, face: Mutex::default() }) }
    }

    /// A clock that shows what `now` says: a virtual time that somebody else keeps. It wakes what became due when it is moved
    /// there: by [`advance_to`](Self::advance_to), or by [`drive`](Self::drive).
    #[must_use]
    pub fn following(now: fn() -> Instant) -> Self {
        Self { inner: Arc::new(Inner { origin: now(), source: Some(now), face: Mutex::default() }) }
    }

    /// The time as an instant of std's, whose beginning is the moment at which the clock was made.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.inner.origin + self.now().min(FAR)
    }

    /// Moves the clock on by `step`, and wakes every sleeper that came due, each at its time.
    pub fn advance(&self, step: Duration) {
        self.pass(self.now().saturating_add(step));
    }

    /// As [`set`](Self::set), but a time that has passed changes nothing.
    pub fn advance_to(&self, then: Instant) {
        self.pass(self.since_origin(then));
    }

    /// Sets the time, and wakes every sleeper that is due, each at its time. Backwards too, to test what a broken clock does.
    pub fn set(&self, now: Duration) {
        let mut face = self.face();
        if now < face.now {
            face.now = now;
            return;
        }
        drop(face);
        self.pass(now);
    }

    /// When the earliest sleeper is due, if anyone sleeps: what an automatic test driver sets the clock to.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.face().first()
    }

    /// Wakes `waker` once, when the clock gets to `at`. The number takes it back ([`stop_waking`](Self::stop_waking)); none
    /// if the time has come already, and then `waker` is not woken.
    ///
    /// The seam for those that are no futures: a deadline of a context is such a timer.
    #[must_use]
    pub fn wake_at(&self, at: Instant, waker: Waker) -> Option<NonZeroU64> {
        let (at, told) = (self.since_origin(at), self.told());
        let mut face = self.face();
        if at <= told.unwrap_or(face.now) {
            drop(face);
            return None; // with the waker dropped after the lock
        }
        let number = face.number();
        let (driver, _) = face.enter(at, number, waker);
        drop(face);
        driver.into_iter().for_each(Waker::wake);
        Some(number)
    }

    /// Takes back what [`wake_at`](Self::wake_at) entered for `at`; nothing if it has been woken.
    pub fn stop_waking(&self, at: Instant, number: NonZeroU64) {
        self.remove(self.since_origin(at), number);
    }

    /// Wakes what becomes due for as long as this future is polled, sleeping by `sleep_until` to the first timer.
    ///
    /// So all that is on this clock follows tokio's paused time, which jumps from timer to timer:
    /// ```
    /// use std::time::{Duration, Instant};
    /// use tidemill_clock::{Clock, ManualClock};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let began = Instant::now();
    /// let clock = ManualClock::following(|| tokio::time::Instant::now().into_std());
    /// tokio::select! {
    ///     never = clock.drive(|at| tokio::time::sleep_until(at.into())) => match never {},
    ///     () = clock.sleep_until(Duration::from_secs(3600)) => {}
    /// }
    /// assert!(began.elapsed() < Duration::from_secs(60), "an hour in no time");
    /// # });
    /// ```
    pub async fn drive<S: Future>(&self, sleep_until: impl Fn(Instant) -> S) -> Infallible {
        loop {
            self.pass(self.now());
            let next = self.next_due();
            let mut sleep = pin!(async {
                match next {
                    Some(at) => drop(sleep_until(self.inner.origin + at.min(FAR)).await),
                    None => pending().await,
                }
            });
            poll_fn(|cx| match self.poll_before(next, cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => sleep.as_mut().poll(cx),
            })
            .await;
        }
    }

    /// Ready once there is a timer before `known`.
    fn poll_before(&self, known: Option<Duration>, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut face = self.face();
        if face.first().is_some_and(|first| known.is_none_or(|known| first < known)) {
            drop(face);
            return Poll::Ready(());
        }
        let before = face.driver.replace(waker);
        drop(face);
        drop(before);
        Poll::Pending
    }

    /// Moves on to `then`, with a stop at every timer on the way; not backwards.
    fn pass(&self, then: Duration) {
        while let Some(waker) = self.step(then) {
            waker.wake();
        }
    }

    /// Moves to the first timer until `then` and takes its waker; or to `then` if there is none.
    fn step(&self, then: Duration) -> Option<Waker> {
        let mut face = self.face();
        let due = face.timers.first_entry().filter(|first| first.key().0 <= then).map(OccupiedEntry::remove_entry);
        let at = due.as_ref().map_or(then, |((at, _), _)| *at);
        face.now = face.now.max(at);
        due.map(|(_, waker)| waker)
    }

    fn remove(&self, at: Duration, number: NonZeroU64) {
        let waker = self.face().timers.remove(&(at, number));
        drop(waker); // not in the line above, where the lock is still held
    }

    fn since_origin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.inner.origin)
    }

    /// What the source says.
    fn told(&self) -> Option<Duration> {
        self.inner.source.map(|now| self.since_origin(now()))
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        // Every critical section leaves the face whole, so a panic elsewhere does not spoil it.
        self.inner.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next_due = self.next_due();
        f.debug_struct("ManualClock").field("now", &self.now()).field("next_due", &next_due).finish_non_exhaustive()
    }
}

impl Clock for ManualClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.told().unwrap_or_else(|| self.face().now)
    }

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> {
        ManualSleep { clock: self.clone(), at, place: None }
    }

    /// Moves the clock itself: a blocking sleep is the passage of time.
    fn block(&self, delay: Duration) {
        self.advance(delay);
    }

    /// As [`block`](Self::block).
    fn park(&self, delay: Duration) {
        self.advance(delay);
    }
}

/// The sleep of a [`ManualClock`]; dropping it leaves nothing behind.
#[derive(Debug)]
struct ManualSleep {
    clock: ManualClock,
    at: Duration,
    /// Our arrival number while we stand among the timers.
    place: Option<NonZeroU64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let (told, waker) = (this.clock.told(), cx.waker().clone());
        let mut face = this.clock.face();
        if told.unwrap_or(face.now) >= this.at {
            drop(face);
            return Poll::Ready(());
        }
        let place = *this.place.get_or_insert_with(|| face.number());
        let (driver, before) = face.enter(this.at, place, waker);
        drop(face);
        drop(before);
        driver.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.remove(self.at, place);
        }
    }
}
