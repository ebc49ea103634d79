//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! `Arc` and `Weak` are std's in both: loom has no `Weak`. The cfg is our own, because other crates react to `loom`, and the
//! crate is modelled only in its own unit tests: crates above it are modelled without it.

#[cfg(not(all(test, tidemill_loom)))]
mod std_or_model {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread::{self, Thread};

    /// Says to the models that a lock of another crate, which they do not see, orders two threads here.
    #[inline]
    pub(crate) fn ordered_elsewhere() {}
}

#[cfg(all(test, tidemill_loom))]
mod std_or_model {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::{self, Thread};

    pub(crate) fn ordered_elsewhere() {
        // SeqCst: with itself on the other thread.
        loom::sync::atomic::fence(Ordering::SeqCst);
    }
}

pub(crate) use std_or_model::*;

use std::sync::PoisonError;

/// Locks, ignoring poison: no lock of this crate is held while user code runs, so a panic cannot leave one in the
/// middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
