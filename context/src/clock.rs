//! Time as a parameter: the system's clock with its thread, or a [`ManualClock`], whose timers cancel.
//!
//! A context inherits its clock, so a test makes one root on a [`ManualClock`] and everything below takes no real time. There a
//! deadline is a waker that cancels instead of waking. It costs an allocation, which the system's clock does without
//! (`system.rs`), for that one is what requests are made on.

use std::{
    num::NonZeroU64,
    sync::{Arc, Weak},
    task::{Wake, Waker},
    time::Instant,
};

use tidemill_clock::ManualClock;

use crate::{
    Cause,
    node::Node,
    sync::{AtomicU64, Ordering, ordered_elsewhere},
    system,
    timers::Key,
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
            Self::Manual(clock) => clock.instant(),
        }
    }

    /// Will cancel `node` at the time `at`: the number under which it is known. `None` if that is not to come any more.
    fn enter(&self, at: Instant, now: Instant, node: &Arc<Node>) -> Option<u64> {
        match self {
            Self::System => (at > now).then(|| system::enter(at, node).number),
            Self::Manual(clock) => clock.wake_at(at, Due::waker(node)).map(NonZeroU64::get),
        }
    }
}

/// Cancels a context when it is woken.
struct Due(Weak<Node>);

impl Due {
    fn waker(node: &Arc<Node>) -> Waker {
        // By the clock's lock, with the look in `wake`.
        ordered_elsewhere();
        Arc::new(Self(Arc::downgrade(node))).into()
    }
}

impl Wake for Due {
    fn wake(self: Arc<Self>) {
        ordered_elsewhere();
        if let Some(node) = self.0.upgrade() {
            node.cancel(&Cause::DeadlineExceeded);
        }
    }
}

/// A deadline that is waited for on a clock, once it is set.
pub(crate) struct Alarm {
    clock: Clock,
    /// Zero while it is not. Relaxed: set by the maker of the node, looked up by its destructor, and the counted reference
    /// orders the two.
    number: AtomicU64,
}

impl Alarm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, number: AtomicU64::new(0) }
    }

    /// Will cancel `node` at the time `at`; `false` if that is not to come any more.
    pub(crate) fn set(&self, at: Instant, now: Instant, node: &Arc<Node>) -> bool {
        let number = self.clock.enter(at, now, node);
        self.number.store(number.unwrap_or(0), Ordering::Relaxed);
        number.is_some()
    }

    pub(crate) fn stop(&self, at: Instant) {
        let Some(number) = NonZeroU64::new(self.number.load(Ordering::Relaxed)) else { return };
        match &self.clock {
            Clock::System => system::leave(Key { at, number: number.get() }),
            Clock::Manual(clock) => clock.stop_waking(at, number),
        }
    }
}
