//! The one seam between the protocols and the machine: std in the product, loom in the model checks.
//!
//! The cfg is our own (`tidemill_loom`, not `loom`), because other crates react to `loom`.

#[cfg(not(tidemill_loom))]
mod std_or_model {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

#[cfg(tidemill_loom)]
mod std_or_model {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

pub(crate) use std_or_model::*;

use std::sync::PoisonError;

/// Locks, ignoring poison: no lock of this crate is held while user code runs, so a panic cannot leave one in the
/// middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Alone on its cache lines, two of them because they are fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
