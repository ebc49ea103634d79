#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // One system call needs it: see `affinity`.

// Reading order, each file using only those before it:
//   affinity    how many CPUs the scheduler of the kernel allows
//   note        what was ignored, and why
//   quota       the exact fraction and its rounding
//   limit       the CPU limit and its one-line texts
//   control     one kernel file, kept open
//   membership  /proc/self/cgroup
//   mounts      /proc/self/mountinfo
//   hierarchy   both together: the directories of this process's levels
//   levels      from /proc to one value of each level
//   cpu         the quota files of one level
//   probe       the tightest quota over all levels, again and again
//   memory throttling pressure  what is read once, when asked for
//   system      root directory + affinity = everything that can be known
//   watcher     the same again, cheaply, whenever the caller asks
#[allow(unsafe_code)]
mod affinity;
mod control;
mod cpu;
mod hierarchy;
mod levels;
mod limit;
mod membership;
mod memory;
mod mounts;
mod note;
mod pressure;
mod probe;
mod quota;
mod system;
mod throttling;
mod watcher;

pub use limit::CpuLimit;
pub use memory::{MemoryLimit, MemoryUsage};
pub use note::{Note, Trouble};
pub use pressure::{Pressure, Resource, Stall, Stalls};
pub use quota::{Quota, Rounding};
pub use system::System;
pub use throttling::{Throttled, Throttling};
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

/// The memory this process may use now, the cgroup which says so, and what has been used.
///
/// Cost: as [`cpu_limit`], and three files more.
///
/// # Example
/// ```
/// let memory = tidemill_cgroup::memory_limit();
/// if let (Some(bytes), Some(cgroup)) = (memory.bytes(), memory.cgroup()) {
///     println!("{bytes} bytes, set by {}", cgroup.display());
/// }
/// ```
#[must_use]
pub fn memory_limit() -> MemoryLimit {
    System::live().memory_limit()
}

/// How often each CPU quota of this process has been used up, as counted by the kernel. Take two
/// readings and [`Throttling::since`] for a window of time.
///
/// Cost: as [`cpu_limit`], one file per cgroup level.
///
/// # Example
/// ```
/// println!("{}", tidemill_cgroup::throttling());
/// ```
#[must_use]
pub fn throttling() -> Throttling {
    System::live().throttling()
}

/// How much of the time threads of this process's cgroup, and of the machine, wait for `resource`.
///
/// Cost: opens and reads four files; the kernel brings its averages up to date when they are two
/// seconds old.
///
/// # Example
/// ```
/// println!("{}", tidemill_cgroup::pressure(tidemill_cgroup::Resource::Io));
/// ```
#[must_use]
pub fn pressure(resource: Resource) -> Pressure {
    System::live().pressure(resource)
}
