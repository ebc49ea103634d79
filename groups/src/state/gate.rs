//! The gate of a group: one word with the number of children that ever entered, and what stands in the way of the next.
//!
//! ```text
//!   63 ............. 3   2       1        0
//!   children entered     LINED   CLOSED   CANCELLED
//! ```
//!
//! While no flag is set a child enters by one compare-and-swap, which gives it its number, and takes no lock. Whoever finds a flag
//! goes under the group's lock, where alone flags are set. As many children live as have entered and not ended; the
//! ended are counted under the lock, where the two are compared.
//!
//! **Orderings.** All relaxed. An entry happens before its child's task begins, so before that child's end takes the lock;
//! and the owner's own entries come before in its own thread. So who holds the lock reads at least the entries of all
//! children that have ended, and of those that it can know of. Another's that it misses is one of the same moment, and
//! might as well have come after; but for `close`, which is a compare-and-swap and lets none slip in.
//!
//! Rejected: an addition that is taken back if a flag was set. Meanwhile the group would look busy, and nobody would tell the owner
//! that it is not.

use crate::sync::{AtomicU64, Ordering::Relaxed};

/// The group was cancelled.
pub(super) const CANCELLED: u64 = 1;
/// The group is over.
const CLOSED: u64 = 2;
/// Slots are counted, under the lock.
pub(super) const LINED: u64 = 4;
const FLAGS: u64 = CANCELLED | CLOSED | LINED;
const ONE: u64 = FLAGS + 1;

#[derive(Debug)]
pub(crate) struct Gate(AtomicU64);

impl Gate {
    pub(super) fn new(lined: bool) -> Self {
        Self(AtomicU64::new(if lined { LINED } else { 0 }))
    }

    /// Enters a child if no flag is set; gives its number.
    #[inline]
    pub(super) fn pass(&self) -> Option<usize> {
        let mut word = self.0.load(Relaxed);
        while word & FLAGS == 0 {
            match self.0.compare_exchange_weak(word, word + ONE, Relaxed, Relaxed) {
                Ok(_) => return Some(entered(word)),
                Err(other) => word = other,
            }
        }
        None
    }

    /// Enters a child whatever the flags are: under the lock, by whoever has looked at what they stand for.
    pub(super) fn enter(&self) -> usize {
        entered(self.0.fetch_add(ONE, Relaxed))
    }

    /// How many have ever entered.
    pub(super) fn entered(&self) -> usize {
        entered(self.0.load(Relaxed))
    }

    /// Sets `flag`, under the lock; gives how many had entered by then.
    pub(super) fn shut(&self, flag: u64) -> usize {
        entered(self.0.fetch_or(flag, Relaxed))
    }

    /// Closes it, unless more or less than `expected` have entered by then. Under the lock.
    pub(super) fn close_at(&self, expected: usize) -> bool {
        let close = |word| (entered(word) == expected).then_some(word | CLOSED);
        self.0.fetch_update(Relaxed, Relaxed, close).is_ok()
    }

    /// Closes it for good, whoever is in.
    pub(super) fn close(&self) {
        self.shut(CLOSED);
    }
}

fn entered(word: u64) -> usize {
    // More than a machine of 32 bits can hold do not live at the same time, and numbers may come round there.
    (word / ONE) as usize
}
