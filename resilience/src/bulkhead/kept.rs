//! Permits that threads keep: given back to, and taken again from, a place of the thread's own (see `lanes`), with plain loads
//! and stores.
//!
//! A permit in here is free. Whoever does not find enough in the word closes the places, which brings all of them back there; so
//! nobody is refused, or waits, while a permit lies with a thread.

use crate::{
    lanes::{Lanes, places},
    sync::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};

/// No thread keeps more, however many permits there are: threads that only give back should not gather what others take.
const MOST: u64 = 64;

#[derive(Debug)]
pub(super) struct Kept {
    lanes: Lanes<AtomicU64>,
    /// How many a thread may keep: all threads together half of the permits, but each at least one.
    most: AtomicU64,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { lanes: Lanes::new(), most: AtomicU64::new(0) }
    }

    /// Takes `permits` out of this thread's place, if they are there.
    #[inline]
    pub(super) fn take(&self, permits: u64) -> bool {
        self.lanes.own(|kept| take(kept, permits)).is_some()
    }

    /// Puts `permits` into this thread's place, if there is room.
    #[inline]
    pub(super) fn put(&self, permits: u64) -> bool {
        self.lanes.own(|kept| self.put_into(kept, permits)).is_some()
    }

    #[inline]
    fn put_into(&self, kept: &AtomicU64, permits: u64) -> Option<()> {
        let sum = kept.load(Relaxed) + permits;
        // The value is this thread's alone while it is here. Relaxed: `open` comes before.
        (sum <= self.most.load(Relaxed)).then(|| kept.store(sum, Relaxed))
    }

    /// From now on threads keep permits. The caller holds the lock, as for the next.
    pub(super) fn open(&self, limit: u64) {
        // Relaxed: who sees the lanes open sees this.
        self.most.store((limit / (2 * places() as u64)).clamp(1, MOST), Relaxed);
        self.lanes.open();
    }

    /// Brings all permits back into the word. Whether there could have been any.
    pub(super) fn close(&self, word: &AtomicU64) -> bool {
        self.lanes.close(|kept| {
            // Release: who takes them meets the thread that gave them back.
            word.fetch_add(kept.load(Relaxed), Release);
            kept.store(0, Relaxed);
        })
    }

    /// Whether all permits that are free are in the word.
    pub(super) fn is_closed(&self) -> bool {
        self.lanes.is_closed()
    }
}

#[inline]
fn take(kept: &AtomicU64, permits: u64) -> Option<()> {
    let there = kept.load(Relaxed);
    (there >= permits).then(|| kept.store(there - permits, Relaxed))
}

/// For the models, whose threads have no numbers.
#[cfg(all(test, tidemill_loom))]
impl Kept {
    pub(super) fn take_at(&self, number: usize, permits: u64) -> bool {
        self.lanes.own_at(number, |kept| take(kept, permits)).is_some()
    }

    pub(super) fn put_at(&self, number: usize, permits: u64) -> bool {
        self.lanes.own_at(number, |kept| self.put_into(kept, permits)).is_some()
    }
}
