//! A place for one event, which its writer overwrites while others may read it: a *seqlock*.
//!
//! The slot carries the number of its event, which is 0 while it is being written. All contents are atomics, so a torn
//! read is a wrong value that is thrown away, and not a data race.
//!
//! ```text
//! write event n:  1. number = 0            read event n:  1. number == n?        (acquire)
//!                 2. release fence                        2. load the contents
//!                 3. store the contents                   3. acquire fence
//!                 4. number = n   (release)               4. number == n still?
//! ```
//!
//! If a reader's step 2 sees a store of a later write's step 3, then the fences make its step 4 see that write's step 1
//! or later, which differs.

use std::ptr;

use crate::sync::{AtomicPtr, AtomicU64, Ordering, fence};

/// Numbers in a slot, beside the pointer.
const WORDS: usize = 4;

/// What is written and read as one.
pub(super) type Contents = ([u64; WORDS], *const u8);

#[derive(Debug)]
pub(super) struct Slot {
    /// The event's number, from 1; 0: nothing to be read.
    number: AtomicU64,
    words: [AtomicU64; WORDS],
    pointer: AtomicPtr<u8>,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
            pointer: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Overwrites the slot. By one thread only.
    pub(super) fn write(&self, number: u64, (words, pointer): Contents) {
        self.number.store(0, Ordering::Relaxed);
        // Release: pairs with the fence of `read`; see the head of the file.
        fence(Ordering::Release);
        for (to, from) in self.words.iter().zip(words) {
            to.store(from, Ordering::Relaxed);
        }
        self.pointer.store(pointer.cast_mut(), Ordering::Relaxed);
        // Release: pairs with the first load of `read`.
        self.number.store(number, Ordering::Release);
    }

    /// What was written with this `number`, all of it by one `write`; none if it is not there, or is just being
    /// overwritten.
    pub(super) fn read(&self, number: u64) -> Option<Contents> {
        // Acquire: pairs with the last store of `write`, so that this event's contents are seen, or later ones.
        if self.number.load(Ordering::Acquire) != number {
            return None;
        }
        let words = std::array::from_fn(|i| self.words[i].load(Ordering::Relaxed));
        let pointer = self.pointer.load(Ordering::Relaxed).cast_const();
        // Acquire: pairs with the fence of `write`.
        fence(Ordering::Acquire);
        (self.number.load(Ordering::Relaxed) == number).then_some((words, pointer))
    }
}

#[cfg(all(test, tidemill_loom))]
mod models {
    use super::*;
    use crate::sync::Arc;
    use loom::thread;

    /// Every part follows from `n`.
    fn made_of(n: u64) -> Contents {
        ([n, n + 10, n + 20, n + 30], ptr::without_provenance(n as usize))
    }

    #[test]
    fn loom_a_read_is_of_one_write() {
        loom::model(|| {
            let slot = Arc::new(Slot::new());
            slot.write(1, made_of(1));
            let writer = Arc::clone(&slot);
            let write = thread::spawn(move || writer.write(2, made_of(2)));
            for number in [1, 2] {
                if let Some(contents) = slot.read(number) {
                    assert_eq!(contents, made_of(number), "a torn read of event {number}");
                }
            }
            write.join().expect("no panic");
            assert_eq!(slot.read(2), Some(made_of(2)));
        });
    }
}
