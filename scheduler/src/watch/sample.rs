//! Sampling: which poll is timed, which wake-up stamped.
//!
//! A machine looks around every 61st pick (`machine/worker.rs`). Every 17th time it also arms two samples: a poll
//! that follows is timed, and the next task that it makes ready gets a stamp, the time, into its header; whoever runs
//! the task counts the time between. The other polls look at one flag of their own and at one word of the header, whose
//! cache line they need anyhow; the other wake-ups at one flag.
//!
//! The poll right after a look around is not the one that is timed: it is a task of the injector's, if there is one, and
//! these would be all that is ever seen.
//!
//! What other threads make ready is stamped by a countdown per thread, for a counter of the runtime would be written
//! by all of them.

use std::cell::Cell;

use super::recorder::Ring;
use super::{Hub, Span, What};
use crate::limits::SAMPLE_INTERVAL;
use crate::machine::Local;
use crate::task::{Header, Task};

/// A machine's private side of watching.
#[derive(Debug)]
pub(crate) struct Own {
    /// The next poll takes the long way.
    on: Cell<bool>,
    timing: Cell<Timing>,
    /// The next task made ready is stamped.
    stamps: Cell<bool>,
    /// Looks around until the next samples.
    looks: Cell<u32>,
    /// The flight recorder is on.
    recording: Cell<bool>,
}

/// Whether a poll is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timing {
    No,
    /// The one after the next.
    Soon,
    /// The next.
    Now,
}

impl Own {
    pub(crate) fn new() -> Self {
        Self {
            on: Cell::new(false),
            timing: Cell::new(Timing::No),
            stamps: Cell::new(false),
            looks: Cell::new(1),
            recording: Cell::new(false),
        }
    }

    /// Does the next poll take the long way?
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Is the flight recorder on?
    pub(crate) fn is_recording(&self) -> bool {
        self.recording.get()
    }

    /// At each look around: arms the samples every few times.
    pub(crate) fn looked_around(&self) {
        let left = self.looks.get() - 1;
        if left != 0 {
            return self.looks.set(left);
        }
        self.looks.set(SAMPLE_INTERVAL);
        self.timing.set(Timing::Soon);
        self.stamps.set(true);
        self.on.set(true);
    }

    /// Goes from one poll to the next; whether this one is timed.
    fn step(&self) -> bool {
        let timing = self.timing.get();
        self.timing.set(if timing == Timing::Soon { Timing::Now } else { Timing::No });
        self.on.set(timing == Timing::Soon || self.recording.get());
        timing == Timing::Now
    }

    /// Stamps the first task made ready after the samples were armed.
    #[inline]
    pub(crate) fn made_ready(&self, task: &Task, hub: &Hub) {
        if self.stamps.get() {
            self.stamp(task.header(), hub);
        }
    }

    #[cold]
    fn stamp(&self, task: &Header, hub: &Hub) {
        self.stamps.set(false);
        task.stamp(hub.now());
    }
}

/// Every so many tasks made ready outside of the machines, the thread that does it stamps one.
pub(crate) fn injected(task: &Task, hub: &Hub) {
    thread_local!(static LEFT: Cell<u32> = const { Cell::new(1) });
    // `try_with`: a task may be woken by a destructor at the thread's end.
    let due = LEFT.try_with(|left| {
        let after = left.get() - 1;
        left.set(if after == 0 { crate::limits::INJECTED_INTERVAL } else { after });
        after == 0
    });
    if due == Ok(true) && !task.is_stamped() {
        task.header().stamp(hub.now());
    }
}

impl Local {
    /// At the begin of the machine's thread.
    pub(crate) fn begin_watch(&self) {
        let capacity = self.shared().watch.capacity;
        if capacity != 0 {
            self.machine.watch.ring.get_or_init(|| Ring::new(capacity));
            self.watch.recording.set(true);
            self.watch.on.set(true);
        }
    }

    /// A poll that is timed, recorded, or of a task that carries a stamp; or the one before a timed one.
    #[cold]
    pub(crate) fn poll_watched(&self, task: Task) {
        let timed = self.watch.step();
        let ring = self.ring();
        if timed || ring.is_some() || task.is_stamped() {
            return self.poll_by_the_clock(task, timed, ring);
        }
        task.polled_at(self.shared().watch.coarse());
        self.poll_plainly(task);
    }

    fn poll_by_the_clock(&self, task: Task, timed: bool, ring: Option<&Ring>) {
        let (hub, shown) = (&self.shared().watch, &self.machine.watch);
        let begin = hub.now();
        if let Some(waited) = task.waited(begin) {
            shown.latencies.record(waited);
        }
        task.polled_at(hub.coarse());
        let span = ring.map(|ring| (ring, Span::Poll { task: task.id(), name: task.name() }));
        if let Some((ring, span)) = span {
            ring.write(begin, What::Begin(span));
        }
        self.poll_plainly(task);
        if !timed && span.is_none() {
            return;
        }
        let end = hub.now();
        if timed {
            shown.poll_times.record(end.saturating_sub(begin));
        }
        if let Some((ring, span)) = span {
            ring.write(end, What::End(span));
        }
    }

    /// Records an event, if the flight recorder is on.
    #[inline]
    pub(crate) fn note(&self, what: What) {
        if self.watch.recording.get() {
            self.record(what);
        }
    }

    #[cold]
    fn record(&self, what: What) {
        if let Some(ring) = self.ring() {
            ring.write(self.shared().watch.now(), what);
        }
    }

    /// This machine's part of the flight recorder, if it is on.
    fn ring(&self) -> Option<&Ring> {
        if self.watch.recording.get() { self.machine.watch.ring.get() } else { None }
    }

    /// Does `f`, and records when it began and ended.
    pub(crate) fn noted<T>(&self, span: Span, f: impl FnOnce() -> T) -> T {
        self.note(What::Begin(span));
        let result = f();
        self.note(What::End(span));
        result
    }
}
