//! The reactor without a kernel, for shuttle: the driver waits on a condition variable, and an event is a waker that
//! whoever turns the reactor calls. Clocks are chance: a brief turn is due at random.

use std::io;
use std::mem;
use std::task::Waker;

use crate::schedules::one_in;
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, lock};

#[derive(Debug)]
pub(crate) struct Reactor {
    busy: AtomicBool,
    turns: AtomicU64,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    leave: bool,
    events: Vec<Waker>,
}

/// Stands for tokio's guard.
#[derive(Debug)]
pub(crate) struct Entered;

impl Reactor {
    #[expect(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            busy: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            inside: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }

    /// A socket becomes ready at some time: `waker` is called by whoever is in the reactor then.
    pub(crate) fn event(&self, waker: Waker) {
        lock(&self.inside).events.push(waker);
        self.changed.notify_all();
    }

    pub(crate) fn drive(&self) {
        self.busy.store(true, Ordering::Relaxed);
        let mut inside = lock(&self.inside);
        while !mem::take(&mut inside.leave) {
            if let Some(waker) = inside.events.pop() {
                drop(inside);
                waker.wake();
                inside = lock(&self.inside);
            } else {
                inside = self.changed.wait(inside).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
        }
        drop(inside);
        self.came_out();
    }

    pub(crate) fn turn(&self) {
        if self.busy.swap(true, Ordering::Relaxed) {
            return;
        }
        let events = mem::take(&mut lock(&self.inside).events);
        events.into_iter().for_each(Waker::wake);
        self.came_out();
    }

    /// shuttle's clock stands still.
    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn now(&self) -> u64 {
        0
    }

    pub(crate) fn is_due(&self, _now: u64) -> bool {
        !self.is_busy() && one_in(4)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn since_turn_ns(&self) -> u64 {
        if one_in(4) { u64::MAX } else { 0 }
    }

    /// No library is in the model.
    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn foreign_tasks(&self) -> usize {
        0
    }

    /// As above.
    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn foreign_time(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    pub(crate) fn end_drive(&self) {
        lock(&self.inside).leave = true;
        self.changed.notify_all();
    }

    /// The wakers are dropped, as those of sockets that nobody watches any more.
    pub(crate) fn close(&self) {
        let events = mem::take(&mut lock(&self.inside).events);
        drop(events);
    }

    fn came_out(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.busy.store(false, Ordering::Relaxed);
    }
}

/// No task of tokio's runs here.
pub(crate) fn is_inside() -> bool {
    false
}
