//! The one seam between the algorithms and the machine: std in the product, loom in the model checks.
//!
//! Files whose protocol is modelled import their atomics from here and nowhere else, so what is tested is what ships. The cfg is
//! our own (`tidemill_loom`, not `loom`), because tokio reacts to `loom`.

#[cfg(not(tidemill_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(tidemill_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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
