//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! `Arc` and `Weak` are std's in both: loom has no `Weak`. The cfg is our own, because other crates react to `loom`, and the
//! crate is modelled only in its own unit tests: crates above it are modelled without it.

#[cfg(not(all(test, tidemill_loom)))]
mod std_or_model {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};
    pub(crate) use std::thread::{self, Thread};
}

#[cfg(all(test, tidemill_loom))]
mod std_or_model {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::{self, Thread};

    /// std's `OnceLock`, whose value loom cannot see change hands; a flag and a lock that it sees go with it.
    #[derive(Default)]
    pub(crate) struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        set: AtomicBool,
        setting: Mutex<()>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { value: std::sync::OnceLock::new(), set: AtomicBool::new(false), setting: Mutex::new(()) }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
            let _setting = super::lock(&self.setting);
            let value = self.value.get_or_init(f);
            self.set.store(true, Ordering::Release);
            value
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            let mut value = Some(value);
            self.get_or_init(|| value.take().expect("called once"));
            value.map_or(Ok(()), Err)
        }

        pub(crate) fn take(&mut self) -> Option<T> {
            self.value.take()
        }
    }

    impl<T> From<T> for OnceLock<T> {
        fn from(value: T) -> Self {
            Self { value: value.into(), set: AtomicBool::new(true), ..Self::new() }
        }
    }
}

pub(crate) use std_or_model::*;

use std::sync::PoisonError;

/// Locks, ignoring poison: no lock of this crate is held while user code runs, so a panic cannot leave one in the
/// middle of a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
