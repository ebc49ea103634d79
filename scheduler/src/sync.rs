//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! Files that are model-checked import their atomics, mutexes and `Arc` from here and nowhere else, so what is
//! tested is what ships. The cfg is our own (`tidemill_loom`, not `loom`), because tokio reacts to `loom`.

#[cfg(not(tidemill_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering, fence},
};

#[cfg(tidemill_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering, fence},
};

use std::sync::PoisonError;

/// Locks, ignoring poison: no lock of this crate is held while user code runs, so a panic cannot leave one in the
/// middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
