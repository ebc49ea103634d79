//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! Files whose protocol is modelled import their atomics and locks from here and nowhere else, so what is tested is what
//! ships. The cfg is our own (`tidemill_loom`, not `loom`), because tokio reacts to `loom`.

#[cfg(not(tidemill_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering},
};
#[cfg(not(tidemill_loom))]
pub(crate) use std::thread::yield_now;

#[cfg(tidemill_loom)]
pub(crate) use loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering},
    },
    thread::yield_now,
};

use std::sync::PoisonError;

/// Locks, ignoring poison: each critical section of this crate leaves what it protects whole at every step at which
/// foreign code (a clock, the clone of a waker) could unwind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On cache lines of its own: two, because processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// A `const fn`, except under loom, whose atomics cannot be made at compile time.
macro_rules! const_unless_loom {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        #[cfg(not(tidemill_loom))]
        $(#[$attribute])*
        $visibility const fn $($rest)*
        #[cfg(tidemill_loom)]
        $(#[$attribute])*
        $visibility fn $($rest)*
    };
}
pub(crate) use const_unless_loom;
