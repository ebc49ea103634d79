//! The system's clock, and the one thread that cancels what is due.
//!
//! The thread starts with the first deadline of the process and sleeps until the first that is known. A new deadline wakes it
//! only if it is before the time at which the thread wakes anyway (`planned`); a deadline that is taken back does not, and
//! leaves `planned` as it is. So a service that makes and drops a context per request, each with two seconds, wakes the thread
//! about once in two seconds, however many requests it serves.
//!
//! Rejected: sleeping for good when no deadline is left. With one request at a time each would wake the thread: a system call
//! and a switch of threads. And a timer of the runtime's: this crate knows none, and plain threads have none.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use crate::{
    Cause,
    node::Node,
    timers::{Key, Timers},
};

/// std's, for the models do not run it: they have a [`ManualClock`](crate::ManualClock).
static STATE: Mutex<State> = Mutex::new(State { plan: Plan::new(), started: false });
static BELL: Condvar = Condvar::new();

struct State {
    plan: Plan,
    started: bool,
}

/// The deadlines, and what the thread makes of them.
struct Plan {
    timers: Timers,
    /// When the thread wakes, at the latest. Never after the first deadline.
    planned: Option<Instant>,
}

impl Plan {
    const fn new() -> Self {
        Self { timers: Timers::new(), planned: None }
    }

    /// `true`: the thread has to be woken for it.
    fn enter(&mut self, at: Instant, node: &Arc<Node>) -> (Key, bool) {
        let key = self.timers.enter(at, node);
        let earlier = self.planned.is_none_or(|planned| at < planned);
        if earlier {
            self.planned = Some(at);
        }
        (key, earlier)
    }

    /// When to wake next, as seen by the thread, which has dealt with all that is due.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        // What was planned for a deadline that was taken back stays planned, for the reason given above.
        if self.planned.is_none_or(|planned| planned <= now) {
            self.planned = self.timers.first();
        }
        self.planned
    }
}

/// No code of the user's runs under it.
fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Will cancel `node` at the time `at`, which is to come.
pub(crate) fn enter(at: Instant, node: &Arc<Node>) -> Key {
    let mut state = state();
    let (key, earlier) = state.plan.enter(at, node);
    // If the system refuses a thread the next deadline tries again; until then `remaining` still tells the truth.
    let start = !state.started;
    if start {
        state.started = thread::Builder::new().name("tidemill-deadlines".to_owned()).spawn(run).is_ok();
    }
    drop(state);
    if earlier && !start {
        BELL.notify_one();
    }
    key
}

pub(crate) fn leave(key: Key) {
    state().plan.timers.leave(key);
}

fn run() {
    let mut state = state();
    loop {
        let now = Instant::now();
        while let Some((_, node)) = state.plan.timers.due(now) {
            drop(state);
            if let Some(node) = node.upgrade() {
                node.cancel(&Cause::DeadlineExceeded);
            }
            state = self::state();
        }
        state = match state.plan.next(now) {
            None => BELL.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let wait = at.saturating_duration_since(now);
                BELL.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A service of one request per millisecond, each with two seconds, for a minute. The thread is played by the loop.
    #[test]
    fn many_short_lives_wake_the_thread_about_once_per_timeout() {
        let (start, millisecond) = (Instant::now(), Duration::from_millis(1));
        let node = Node::below(None);
        let mut plan = Plan::new();
        let mut wakes = 0;
        for request in 0..60_000 {
            let now = start + request * millisecond;
            let (key, woken) = plan.enter(now + 2000 * millisecond, &node);
            let due = plan.planned.is_some_and(|planned| planned <= now);
            if woken || due {
                wakes += 1;
                plan.next(now);
            }
            plan.timers.leave(key);
        }
        assert!((20..=35).contains(&wakes), "{wakes}");
    }

    #[test]
    fn the_thread_sleeps_for_good_when_all_is_done_and_is_woken_for_what_comes_first() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let node = Node::below(None);
        let mut plan = Plan::new();
        for (at, woken) in [(5, true), (7, false), (3, true), (4, false)] {
            assert_eq!(plan.enter(start + at * second, &node).1, woken, "{at}");
        }
        assert_eq!(plan.next(start), Some(start + 3 * second));
        while plan.timers.due(start + 9 * second).is_some() {}
        assert_eq!(plan.next(start + 9 * second), None);
    }
}
