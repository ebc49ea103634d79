//! What the watchers see of a task: its number, the type of its future, and when what happened to it last.
//!
//! One word of the header, `seen`, holds a time. With bit 31 it is the moment at which the task became ready, if that was
//! sampled (`watch/sample.rs`), in units of 64 ns modulo 137 s. Without, it is the begin of its last poll on the coarse
//! clock (`watch/mod.rs`), or 0 if there was none.

use std::sync::atomic::Ordering;

use super::{Header, Phase, Task};
use crate::watch;

/// The word holds the time of a sampled wake-up.
const STAMP: u32 = 1 << 31;

/// Nanoseconds of a unit of a stamp, as a power of two.
const UNIT_BITS: u32 = 6;

/// A moment, as a stamp holds it.
fn units(nanos: u64) -> u32 {
    (nanos >> UNIT_BITS) as u32 & (STAMP - 1)
}

impl Task {
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the queue's reference keeps the header alive.
        unsafe { self.0.as_ref() }
    }

    /// Its number: no two tasks that live at the same time have the same.
    pub(crate) fn id(&self) -> u64 {
        self.header().id()
    }

    /// The type of its future.
    pub(crate) fn name(&self) -> &'static str {
        self.header().name()
    }

    /// Does it carry a stamp?
    pub(crate) fn is_stamped(&self) -> bool {
        self.header().seen.load(Ordering::Relaxed) & STAMP != 0
    }

    /// For how many nanoseconds it has been ready, if it carries a stamp.
    pub(crate) fn waited(&self, now: u64) -> Option<u64> {
        let seen = self.header().seen.load(Ordering::Relaxed);
        (seen & STAMP != 0).then(|| u64::from(units(now).wrapping_sub(seen) & (STAMP - 1)) << UNIT_BITS)
    }

    /// It is polled now, on the coarse clock; a stamp goes. Relaxed: as for `stamp`.
    pub(crate) fn polled_at(&self, coarse: u32) {
        self.header().seen.store(coarse, Ordering::Relaxed);
    }
}

impl Header {
    /// Stamps the task with the time at which it became ready. Relaxed: the stamp travels with the task, through a queue,
    /// which orders it.
    pub(crate) fn stamp(&self, now: u64) {
        self.seen.store(STAMP | units(now), Ordering::Relaxed);
    }

    pub(crate) fn id(&self) -> u64 {
        // Its address, less the bits that are the same for all.
        std::ptr::from_ref(self).addr() as u64 >> 4
    }

    /// What it does.
    pub(crate) fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// The begin of its last poll, on the coarse clock; none if there was none, or a stamp is in its place.
    pub(crate) fn last_poll(&self) -> Option<u32> {
        let seen = self.seen.load(Ordering::Relaxed);
        (seen != 0 && seen & STAMP == 0).then_some(seen)
    }

    pub(crate) fn name(&self) -> &'static str {
        watch::name((self.vtable.name)())
    }
}
