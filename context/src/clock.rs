//! Time as a parameter: the system's clock with its thread, or a clock that moves when it is told.
//!
//! A context inherits its clock, so a test makes one root on a [`ManualClock`] and everything below takes no real time.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Cause, Context,
    node::Node,
    sync::{Mutex, lock},
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
    pub(crate) fn alarm(&self, at: Instant, node: &Arc<Node>) -> Option<Alarm> {
        let key = match self {
            Self::System if at <= Instant::now() => return None,
            Self::System => system::enter(at, node),
            Self::Manual(clock) => clock.enter(at, node)?,
        };
        Some(Alarm { clock: self.clone(), key })
    }
}

/// A deadline that is waited for.
pub(crate) struct Alarm {
    clock: Clock,
    key: Key,
}

impl Alarm {
    pub(crate) fn stop(self) {
        match self.clock {
            Clock::System => system::leave(self.key),
            Clock::Manual(clock) => lock(&clock.state).timers.leave(self.key),
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
}

struct State {
    now: Instant,
    timers: Timers,
}

impl ManualClock {
    /// A clock that shows the time of its making.
    pub fn new() -> Self {
        Self::starting_at(Instant::now())
    }

    /// A clock that shows `now`.
    pub fn starting_at(now: Instant) -> Self {
        Self { state: Arc::new(Mutex::new(State { now, timers: Timers::new() })) }
    }

    /// A context on this clock that nothing is above of.
    pub fn context(&self) -> Context {
        Context::on(Clock::Manual(self.clone()))
    }

    /// The time it shows.
    pub fn now(&self) -> Instant {
        lock(&self.state).now
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

    /// Moves to the first deadline until `then` and takes its node; or to `then` if there is none.
    fn step(&self, then: Instant) -> Option<std::sync::Weak<Node>> {
        let mut state = lock(&self.state);
        let due = state.timers.due(then);
        let at = due.as_ref().map_or(then, |(at, _)| *at);
        state.now = state.now.max(at);
        due.map(|(_, node)| node)
    }

    fn enter(&self, at: Instant, node: &Arc<Node>) -> Option<Key> {
        let mut state = lock(&self.state);
        (at > state.now).then(|| state.timers.enter(at, node))
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
