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
static STATE: Mutex<State> = Mutex::new(State { timers: Timers::new(), planned: None, started: false });
static BELL: Condvar = Condvar::new();

struct State {
    timers: Timers,
    /// When the thread wakes, at the latest. Never after the first deadline.
    planned: Option<Instant>,
    started: bool,
}

/// No code of the user's runs under it.
fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Will cancel `node` at the time `at`, which is to come.
pub(crate) fn enter(at: Instant, node: &Arc<Node>) -> Key {
    let mut state = state();
    let key = state.timers.enter(at, node);
    let earlier = state.planned.is_none_or(|planned| at < planned);
    if earlier {
        state.planned = Some(at);
    }
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
    state().timers.leave(key);
}

fn run() {
    let mut state = state();
    loop {
        let now = Instant::now();
        while let Some((_, node)) = state.timers.due(now) {
            drop(state);
            if let Some(node) = node.upgrade() {
                node.cancel(&Cause::DeadlineExceeded);
            }
            state = self::state();
        }
        // What was planned for a deadline that was taken back stays planned, for the reason given above.
        if state.planned.is_none_or(|planned| planned <= now) {
            state.planned = state.timers.first();
        }
        state = match state.planned {
            None => BELL.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let wait = at.saturating_duration_since(now);
                BELL.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}
