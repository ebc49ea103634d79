//! The one seam between the algorithms and the machine: std in the product, loom or shuttle in the model checks.
//!
//! Files that are model-checked import their atomics, locks and threads from here and nowhere else, so what is
//! tested is what ships. The cfgs are our own (`tidemill_loom`, not `loom`), because tokio reacts to `loom`.
//!
//! loom tries every interleaving, weak memory included, of the few files that hold a protocol (`models.rs`). shuttle
//! tries random interleavings of the whole scheduler (`schedules/`), in which every access is sequentially consistent.

#[cfg(not(any(tidemill_loom, tidemill_shuttle)))]
mod std_or_model {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::{self, Thread};
    pub(crate) use std::thread_local;
}

#[cfg(tidemill_loom)]
mod std_or_model {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread::{self, Thread};
}

#[cfg(tidemill_shuttle)]
mod std_or_model {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::thread::{self, Thread};
    pub(crate) use shuttle::thread_local;
}

pub(crate) use std_or_model::*;

use std::sync::PoisonError;

/// Locks, ignoring poison: no lock of this crate is held while user code runs, so a panic cannot leave one in the
/// middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores into a cell that others empty by a swap; by the only thread that fills it, and only while it is empty.
///
/// Under loom it is a swap as well: loom lets another's swap read the "empty" that this store has replaced, and then
/// takes the store for overwritten, which no memory model allows (a swap reads the last value before its own).
pub(crate) fn fill<T>(cell: &AtomicPtr<T>, pointer: *mut T) {
    // Release: who takes the pointer out sees what it points to.
    if cfg!(tidemill_loom) {
        cell.swap(pointer, Ordering::Release);
    } else {
        cell.store(pointer, Ordering::Release);
    }
}

/// On cache lines of its own: two, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
