//! M: a machine, which is a thread of the runtime with its own run queue.
//!
//! This file holds the part of a machine that others see: its tick, its permit, the stealing end of its queue. What
//! only its own thread touches is in `local.rs`.
//!
//! # The permit moves, the queue stays
//!
//! A machine polls tasks while it holds a permit. If a poll gets stuck, the monitor takes the permit away with one
//! compare-and-swap on the machine's word (`permit.rs`) and gives it to another machine. The stuck machine keeps its
//! queue, from which others take (`runtime/stranded.rs`). So taking a permit away needs nothing of the stuck thread, and
//! the fast path of a poll is two plain stores (`tick` odd, `tick` even) and one plain load (`permit`): no
//! read-modify-write, no fence, no clock.
//!
//! What the stuck poll pushes afterwards goes to the injector, as soon as its thread sees that the permit is gone; a
//! push that raced with the retake lies in the old queue until others take it, after the monitor's next look at the
//! latest. A permit that is retaken from a poll that was just ending costs one extra running thread for one poll, and
//! nothing else.
//!
//! Rejected: a compare-and-swap at the end of each poll (5 to 9 ns each), and a membarrier by the monitor (1.5 to
//! 29 us against a running thread of a virtual machine); both also leave two threads pushing to one queue.

mod blocking;
mod find;
mod local;
mod pace;
mod permit;
mod queue;
mod runnext;
mod worker;

use std::ptr::NonNull;
use std::time::Duration;

use crate::roster::{MachineId, Permit};
use crate::runtime::Home;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::task::{Claims, Header, Slab, Task};
use crate::vitals::Vitals;
use crate::watch::Shown;
use permit::Sleeper;

pub use blocking::blocking;
pub(crate) use local::{Local, Route};
pub(crate) use permit::{Held, Holders};
use queue::{Item, Queue};
pub(crate) use runnext::RunNext;
pub(crate) use worker::start;

/// A machine as seen by others. Three cache lines: the owner's, the thieves', the sleepers'.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Machine {
    pub(crate) id: MachineId,
    /// Odd inside a poll; two steps per poll. Written by the owner alone, so a load and a store.
    tick: AtomicU32,
    /// Odd inside a blocking region; two steps per region. Written by the owner alone.
    region: AtomicU32,
    /// The permit it holds. The owner and the monitor compete for taking it out.
    pub(crate) held: Held,
    pub(crate) counters: Counters,
    pub(crate) watch: Shown,
    pub(crate) thieves: Thieves,
    /// The live tasks that were spawned on this machine.
    pub(crate) tasks: Slab<Home>,
    sleep: Sleep,
}

/// What thieves look at.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Thieves {
    pub(crate) next: RunNext<Task>,
    pub(crate) queue: queue::Thieves<Task>,
}

/// What wakers look at.
#[derive(Debug)]
#[repr(align(64))]
struct Sleep {
    /// Its thread, and the permit handed over by whoever woke it.
    sleeper: Sleeper,
    vitals: Mutex<Option<Vitals>>,
    /// While no thread has this machine.
    belongings: Mutex<Option<Belongings>>,
}

/// What the thread of a machine has alone.
#[derive(Debug)]
pub(crate) struct Belongings {
    /// The owning end of the queue.
    pub(super) queue: Queue<Task>,
    /// The right to spawn into the machine's slab.
    pub(super) claims: Claims,
}

/// Counted by the owner alone with a load and a store each; read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) completed: AtomicU64,
    pub(crate) parks: AtomicU64,
    pub(crate) searches: AtomicU64,
    pub(crate) steals: AtomicU64,
    pub(crate) turns: AtomicU64,
}

/// Adds one to a counter that only the calling thread writes.
pub(crate) fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// What the monitor sees of a machine that may be stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) tick: u32,
    pub(crate) region: u32,
}

impl Activity {
    pub(crate) fn in_poll(self) -> bool {
        self.tick % 2 == 1
    }

    pub(crate) fn in_region(self) -> bool {
        self.region % 2 == 1
    }
}

impl Machine {
    pub(crate) fn new(id: MachineId, home: Home) -> Self {
        let queue = Queue::new();
        let (tasks, claims) = Slab::new(home);
        Self {
            id,
            tick: AtomicU32::new(0),
            region: AtomicU32::new(0),
            held: Held::nothing(),
            counters: Counters::default(),
            watch: Shown::default(),
            thieves: Thieves { next: RunNext::new(), queue: queue.thieves() },
            tasks,
            sleep: Sleep {
                sleeper: Sleeper::nobody(),
                vitals: Mutex::new(None),
                belongings: Mutex::new(Some(Belongings { queue, claims })),
            },
        }
    }

    /// The calling thread becomes this machine and gets its belongings.
    pub(crate) fn occupy(&self) -> Option<Belongings> {
        self.sleep.sleeper.occupy();
        *lock(&self.sleep.vitals) = Vitals::of_this_thread();
        lock(&self.sleep.belongings).take()
    }

    /// CPU time that this machine's thread has used.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        lock(&self.sleep.vitals).as_ref()?.cpu_time()
    }

    /// Does this machine's thread sleep in the kernel?
    pub(crate) fn sleeps(&self) -> bool {
        lock(&self.sleep.vitals).as_ref().is_some_and(Vitals::sleeps)
    }

    /// The reverse, at the thread's end.
    pub(crate) fn vacate(&self, belongings: Belongings) {
        *lock(&self.sleep.belongings) = Some(belongings);
        self.sleep.sleeper.vacate();
        *lock(&self.sleep.vitals) = None;
    }

    /// The permit that it holds.
    pub(crate) fn permit(&self) -> Option<Permit> {
        self.held.get()
    }

    /// A glance for the monitor. Relaxed: it is compared with another glance a nap later, nothing is read through it.
    pub(crate) fn activity(&self) -> Activity {
        Activity { tick: self.tick.load(Ordering::Relaxed), region: self.region.load(Ordering::Relaxed) }
    }

    /// Polls begun so far, modulo 2^31.
    pub(crate) fn polls(&self) -> u32 {
        self.tick.load(Ordering::Relaxed).div_ceil(2)
    }

    /// Hands a permit to this machine and wakes its thread.
    pub(crate) fn hand(&self, permit: Permit, searcher: bool) {
        self.sleep.sleeper.hand(permit, searcher);
    }

    pub(crate) fn unpark(&self) {
        self.sleep.sleeper.unpark();
    }

    /// A permit that was handed over, and whether the machine is to search.
    pub(crate) fn take_handed(&self) -> Option<(Permit, bool)> {
        self.sleep.sleeper.take()
    }

    /// Is there something to steal? `runnext` does not count: its owner is about to run it.
    pub(crate) fn has_queued(&self) -> bool {
        self.thieves.queue.len() != 0
    }

    /// Tasks in the queue, `runnext` left out.
    pub(crate) fn queued(&self) -> usize {
        self.thieves.queue.len()
    }

    fn step(&self, word: &AtomicU32) {
        word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    pub(crate) fn step_tick(&self) {
        self.step(&self.tick);
    }

    pub(crate) fn step_region(&self) {
        self.step(&self.region);
    }
}

impl Item for Task {
    type Target = Header;

    fn into_raw(self) -> NonNull<Header> {
        Task::into_raw(self)
    }

    unsafe fn from_raw(pointer: NonNull<Header>) -> Self {
        // SAFETY: passed on.
        unsafe { Task::from_raw(pointer) }
    }
}

#[cfg(test)]
mod tests;
