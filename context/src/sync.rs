//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! `Arc`, `Weak` and `OnceLock` are std's in both: loom has no `Weak`, and what they do here is done in one step (a
//! `OnceLock` is only ever given a value that was made before). The cfg is our own, because other crates react to `loom`.

#[cfg(not(all(test, tidemill_loom)))]
mod std_or_model {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread::{self, Thread};
}

#[cfg(all(test, tidemill_loom))]
mod std_or_model {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::{self, Thread};
}

pub(crate) use std_or_model::*;

use std::sync::PoisonError;

/// Locks, ignoring poison: no lock of this crate is held while user code runs, so a panic cannot leave one in the
/// middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
