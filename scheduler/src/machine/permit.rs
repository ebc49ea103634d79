//! Who holds which permit: a word in each machine, and a table that finds the machine by the permit.
//!
//! The word is the truth. Its owner takes the permit out to rest, the monitor takes it out when the owner is stuck, and a
//! read-modify-write decides between them; whoever got it hands it on through the roster. The table is how the monitor
//! and thieves find those who hold permits.
//!
//! # The order of the two
//!
//! ```text
//! hold:     1. table[permit] = me        out:   1. word: permit -> none (swap, or the monitor's compare-and-swap)
//!           2. word = permit (Release)          2. table[permit] = none   3. on to the roster
//! ```
//!
//! The table is written by whoever has the permit, and by nobody else: `hold` writes it before the monitor can take the
//! permit away again, `out` after it has the permit and before anybody else can get it. So the writes for one permit are
//! in the order in which it moves, and the table never names a machine that the permit has left for another. (The other
//! order in `hold` did: the monitor retakes between the two stores, a third machine gets the permit, and then the late
//! store names the first. The third one's queue was invisible to thieves and its blocked poll to the monitor.)

use crate::roster::{MachineId, Permit};
use crate::sync::{AtomicU32, Mutex, Ordering, Thread, lock, thread};

/// "No permit" in a machine's word, "no machine" in the table.
pub(crate) const NONE: u32 = u32::MAX;

/// The permit that a machine holds.
#[derive(Debug)]
pub(crate) struct Held(AtomicU32);

impl Held {
    pub(super) fn nothing() -> Self {
        Self(AtomicU32::new(NONE))
    }

    /// Relaxed: the permit carries no data; losing it late is harmless (see the head of `machine/mod.rs`).
    pub(super) fn get(&self) -> Option<Permit> {
        some(self.0.load(Ordering::Relaxed))
    }
}

/// For each permit the machine that holds it. Hints for thieves; the monitor asks the word as well.
#[derive(Debug)]
pub(crate) struct Holders(Box<[AtomicU32]>);

impl Holders {
    /// A table for this many permits, which nobody holds.
    pub(crate) fn new(permits: usize) -> Self {
        Self((0..permits).map(|_| AtomicU32::new(NONE)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The machine that holds `permit`, as of late. Acquire: pairs with `hold`, so that the machine is there.
    pub(crate) fn get(&self, permit: usize) -> Option<MachineId> {
        some(self.0[permit].load(Ordering::Acquire))
    }

    /// Machine `id` has `permit` from now on. By whoever has the permit.
    pub(crate) fn hold(&self, held: &Held, permit: Permit, id: MachineId) {
        // Release: pairs with `get`.
        self.0[permit as usize].store(id, Ordering::Release);
        // Release: with the Acquire of `retake` it puts the monitor's write to the table behind the one above.
        held.0.store(permit, Ordering::Release);
    }

    /// Takes the permit out, by the machine's own thread; none if the monitor was faster.
    pub(crate) fn give_up(&self, held: &Held) -> Option<Permit> {
        // Relaxed: the owner's own store to the table came before, and the roster's lock orders the next one.
        let permit = some(held.0.swap(NONE, Ordering::Relaxed))?;
        self.0[permit as usize].store(NONE, Ordering::Relaxed);
        Some(permit)
    }

    /// Takes the permit out, by the monitor; `false` if the machine does not hold it any more.
    #[must_use]
    pub(crate) fn retake(&self, held: &Held, permit: Permit) -> bool {
        let taken = held.0.compare_exchange(permit, NONE, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if taken {
            self.0[permit as usize].store(NONE, Ordering::Relaxed);
        }
        taken
    }
}

/// In [`Sleeper::handed`](Sleeper): the machine is woken as a searcher.
const SEARCHER: u32 = 1 << 31;

/// The thread of a machine that sleeps, and the permit on its way to it, with the order to search or without.
///
/// The roster names a machine to one giver at a time, so the box is empty when it is filled.
#[derive(Debug)]
pub(super) struct Sleeper {
    handed: AtomicU32,
    thread: Mutex<Option<Thread>>,
}

impl Sleeper {
    pub(super) fn nobody() -> Self {
        Self { handed: AtomicU32::new(NONE), thread: Mutex::new(None) }
    }

    /// The calling thread is to be woken from now on.
    pub(super) fn occupy(&self) {
        *lock(&self.thread) = Some(thread::current());
    }

    pub(super) fn vacate(&self) {
        *lock(&self.thread) = None;
    }

    /// Fills the box and wakes the thread, which looks into the box before each sleep. Release: what the giver did comes
    /// before what the woken machine does; it pairs with the swap in `take`.
    pub(super) fn hand(&self, permit: Permit, searcher: bool) {
        let flag = if searcher { SEARCHER } else { 0 };
        self.handed.store(permit | flag, Ordering::Release);
        self.unpark();
    }

    pub(super) fn unpark(&self) {
        // Cloned, so that the futex call is not made under the lock.
        let thread = lock(&self.thread).clone();
        if let Some(thread) = thread {
            thread.unpark();
        }
    }

    /// Empties the box, by the machine's own thread: the permit, and whether to search.
    pub(super) fn take(&self) -> Option<(Permit, bool)> {
        if self.handed.load(Ordering::Relaxed) == NONE {
            return None;
        }
        let handed = self.handed.swap(NONE, Ordering::Acquire);
        Some((handed & !SEARCHER, handed & SEARCHER != 0))
    }
}

fn some(word: u32) -> Option<u32> {
    (word != NONE).then_some(word)
}

#[cfg(all(test, tidemill_loom))]
mod models;
