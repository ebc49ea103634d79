//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! Files whose protocol is modelled import their atomics and locks from here and nowhere else, so what is tested is what
//! ships. The cfg is our own (`tidemill_loom`, not `loom`), because tokio reacts to `loom`.

#[cfg(not(tidemill_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

#[cfg(tidemill_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use std::sync::PoisonError;

/// Locks, ignoring poison: each critical section of this crate leaves what it protects whole at every step at which
/// foreign code (a clock, the clone of a waker) could unwind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
