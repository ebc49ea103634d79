//! Time as a parameter: the system's clock with its thread, or a clock that moves when it is told.
//!
//! A context inherits its clock, so a test makes one root on a [`ManualClock`] and everything below takes no real time.
//!
//! A virtual time that somebody else keeps (tokio's paused time, the scheduler's simulation) has its own `now`, and jumps
//! to its own timers. [`ManualClock::following`] asks that `now`; [`ManualClock::drive`] makes the first deadline a timer there.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{Arc, Weak},
    task::{self, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    Cause, Context,
    node::Node,
    sync::{AtomicU64, Mutex, Ordering, lock},
    system,
    timers::{Key, Timers},
};

#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Manual(ManualClock),
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::System => Instant::now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Will cancel `node` at the time `at`; `None` if that is not to come any more.
    fn enter(&self, at: Instant, now: Instant, node: &Arc<Node>) -> Option<Key> {
        match self {
            Self::System => (at > now).then(|| system::enter(at, node)),
            Self::Manual(clock) => clock.enter(at, node),
        }
    }
}

/// A deadline that is waited for on a clock, once it is set.
pub(crate) struct Alarm {
    clock: Clock,
    /// Of the key; zero before. Relaxed: set by the maker of the node, looked up by its destructor, and the counted reference
    /// orders the two.
    number: AtomicU64,
}

impl Alarm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, number: AtomicU64::new(0) }
    }

    /// Will cancel `node` at the time `at`; `false` if that is not to come any more.
    pub(crate) fn set(&self, at: Instant, now: Instant, node: &Arc<Node>) -> bool {
        let key = self.clock.enter(at, now, node);
        self.number.store(key.map_or(0, |key| key.number), Ordering::Relaxed);
        key.is_some()
    }

    pub(crate) fn stop(&self, at: Instant) {
        let key = Key { at, number: self.number.load(Ordering::Relaxed) };
        match &self.clock {
            _ if key.number == 0 => {}
            Clock::System => system::leave(key),
            Clock::Manual(clock) => lock(&clock.state).timers.leave(key),
        }
    }
}

/// A clock that stands still until it is told to move, and then cancels what became due, in order.
///
/// A handle: clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use tidemill_context::{Cause, ManualClock};
///
/// let clock = ManualClock::new();
/// let ctx = clock.context().with_timeout(Duration::from_secs(3600));
/// clock.advance(Duration::from_secs(3599));
/// assert_eq!(ctx.remaining(), Some(Duration::from_secs(1)));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(ctx.check(), Err(Cause::DeadlineExceeded));
/// ```
#[derive(Clone)]
pub struct ManualClock {
    state: Arc<Mutex<State>>,
    /// Asked for the time, if somebody else keeps it.
    source: Option<fn() -> Instant>,
}

struct State {
    /// As far as deadlines have been dealt with; and the time, unless there is a source.
    now: Instant,
    timers: Timers,
    /// Woken by a deadline before all others.
    driver: Option<Waker>,
}

impl ManualClock {
    /// A clock that shows the time of its making.
    pub fn new() -> Self {
        Self::starting_at(Instant::now())
    }

    /// A clock that shows `now`.
    pub fn starting_at(now: Instant) -> Self {
        let state = State { now, timers: Timers::new(), driver: None };
        Self { state: Arc::new(Mutex::new(state)), source: None }
    }

    /// A clock that shows what `now` says: a virtual time that somebody else keeps. It cancels what became due when
    /// [`advance_to`](Self::advance_to) is called, by you or by [`drive`](Self::drive).
    pub fn following(now: fn() -> Instant) -> Self {
        Self { source: Some(now), ..Self::starting_at(now()) }
    }

    /// A context on this clock that nothing is above of.
    pub fn context(&self) -> Context {
        Context::on(Clock::Manual(self.clone()))
    }

    /// The time it shows.
    pub fn now(&self) -> Instant {
        self.source.map_or_else(|| lock(&self.state).now, |now| now())
    }

    /// The first deadline that is waited for: where a simulation may jump to.
    pub fn next_deadline(&self) -> Option<Instant> {
        lock(&self.state).timers.first()
    }

    /// Moves the clock on by `time`, as [`advance_to`](Self::advance_to) does.
    pub fn advance(&self, time: Duration) {
        self.advance_to(self.now() + time);
    }

    /// Moves the clock on to `then`, stopping at every deadline on the way; what is woken and called there runs on this
    /// thread and sees the clock at that very deadline. A time that has passed already changes nothing.
    pub fn advance_to(&self, then: Instant) {
        while let Some(node) = self.step(then) {
            if let Some(node) = node.upgrade() {
                node.cancel(&Cause::DeadlineExceeded);
            }
        }
    }

    /// Cancels what becomes due for as long as this future is polled, sleeping by `sleep_until` to the first deadline.
    ///
    /// So contexts follow tokio's paused time, which jumps from timer to timer:
    /// ```
    /// use std::time::{Duration, Instant};
    /// use tidemill_context::{Cause, ManualClock};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let began = Instant::now();
    /// let clock = ManualClock::following(|| tokio::time::Instant::now().into_std());
    /// let ctx = clock.context().with_timeout(Duration::from_secs(3600));
    /// tokio::select! {
    ///     never = clock.drive(|at| tokio::time::sleep_until(at.into())) => match never {},
    ///     cause = ctx.cancelled() => assert_eq!(cause, Cause::DeadlineExceeded),
    /// }
    /// assert!(began.elapsed() < Duration::from_secs(60), "an hour in no time");
    /// # });
    /// ```
    pub async fn drive<S: Future>(&self, sleep_until: impl Fn(Instant) -> S) -> Infallible {
        loop {
            self.advance_to(self.now());
            let next = self.next_deadline();
            let mut sleep = pin!(async {
                match next {
                    Some(at) => drop(sleep_until(at).await),
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

    /// Ready once there is a deadline before `known`.
    fn poll_before(&self, known: Option<Instant>, cx: &task::Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.state);
        if state.timers.first().is_some_and(|first| known.is_none_or(|known| first < known)) {
            return Poll::Ready(());
        }
        let before = state.driver.replace(waker);
        drop(state);
        // A waker's destructor is code of the user's: without the lock.
        drop(before);
        Poll::Pending
    }

    /// Moves to the first deadline until `then` and takes its node; or to `then` if there is none.
    fn step(&self, then: Instant) -> Option<Weak<Node>> {
        let mut state = lock(&self.state);
        let due = state.timers.due(then);
        let at = due.as_ref().map_or(then, |(at, _)| *at);
        state.now = state.now.max(at);
        due.map(|(_, node)| node)
    }

    fn enter(&self, at: Instant, node: &Arc<Node>) -> Option<Key> {
        let told = self.source.map(|now| now());
        let mut state = lock(&self.state);
        if at <= told.unwrap_or(state.now) {
            return None;
        }
        let key = state.timers.enter(at, node);
        let driver = if state.timers.first() == Some(at) { state.driver.take() } else { None };
        drop(state);
        driver.into_iter().for_each(Waker::wake);
        Some(key)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("now", &self.now()).finish_non_exhaustive()
    }
}
