#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // One system call needs it: see `affinity`.

// Reading order, each file using only those before it:
//   affinity    how many CPUs the scheduler of the kernel allows
//   note        what was ignored, and why
//   quota       the exact fraction and its rounding
//   limit       the public results and their one-line texts
//   membership  /proc/self/cgroup
//   mounts      /proc/self/mountinfo
//   hierarchy   both together: the directories of this process's levels
//   control     one kernel file, kept open
//   probe       the tightest value over all levels
//   cpu memory  the files and values of one level
//   system      root directory + affinity = everything that can be known
//   watcher     the same again, cheaply, whenever the caller asks
#[allow(unsafe_code)]
mod affinity;
mod control;
mod cpu;
mod hierarchy;
mod limit;
mod membership;
mod memory;
mod mounts;
mod note;
mod probe;
mod quota;
mod system;
mod watcher;

pub use limit::{CpuLimit, MemoryLimit};
pub use note::{Note, Trouble};
pub use quota::{Quota, Rounding};
pub use system::System;
pub use watcher::Watcher;

/// The CPUs this process may use now, with the reason.
///
/// Cost: opens and reads two files in `/proc` and one or two per cgroup level. To ask again and
/// again, keep a [`Watcher`].
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use tidemill_cgroup::{Rounding, cpu_limit};
///
/// let workers = cpu_limit().procs(Rounding::Ceil, NonZeroUsize::MIN);
/// assert!(workers.get() >= 1);
/// ```
#[must_use]
pub fn cpu_limit() -> CpuLimit {
    System::live().cpu_limit()
}

/// The memory this process may use now, and the cgroup which says so; `None` if no level sets a
/// limit.
///
/// Cost: as [`cpu_limit`].
///
/// # Example
/// ```
/// if let Some(limit) = tidemill_cgroup::memory_limit() {
///     println!("{} bytes, set by {}", limit.bytes(), limit.cgroup().display());
/// }
/// ```
#[must_use]
pub fn memory_limit() -> Option<MemoryLimit> {
    System::live().memory_limit()
}
