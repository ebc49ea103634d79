//! Asking again, cheaply.
//!
//! The caller decides when: the crate starts no thread and reads no clock. Rejected: waiting for
//! change events (inotify does not see control files change, and v1 has no other notice), and
//! comparing only the number (a new reason for the same number is news to whoever reads the log).

use std::fmt;
use std::num::NonZeroUsize;

use crate::limit::CpuLimit;
use crate::probe::Probe;
use crate::quota::Rounding;
use crate::system::System;

/// Remembers the last [`CpuLimit`] and tells when it is another one.
///
/// Sees a changed quota at any level, a process moved to another cgroup, a level whose controller
/// was switched on or off, and a changed affinity. Does not look for better mounts while all is
/// well with the one in use.
///
/// `Display` is one line, the last change if there was one: `8 -> 2: quota 1.50 CPUs at /kubepods/x,
/// 8 CPUs by affinity; before: no quota, 8 CPUs by affinity`; else that of the current limit.
///
/// Holds open: `/proc/self/cgroup` and one (v2) or two (v1) files per level.
///
/// # Example
/// ```
/// use tidemill_cgroup::Watcher;
///
/// let mut watcher = Watcher::new();
/// if watcher.poll().is_some() {
///     eprintln!("workers {watcher}");
/// }
/// ```
#[derive(Debug)]
pub struct Watcher {
    system: System,
    probe: Probe,
    current: CpuLimit,
    before: Option<CpuLimit>,
}

impl Watcher {
    /// Watches this process.
    #[must_use]
    pub fn new() -> Self {
        Self::on(System::live())
    }

    /// Watches the process that `system` describes.
    #[must_use]
    pub fn on(system: System) -> Self {
        let mut probe = system.probe();
        let current = system.cpu_limit_by(&mut probe);
        Self { system, probe, current, before: None }
    }

    /// The limit as of the last poll, or of the start.
    #[must_use]
    pub fn current(&self) -> &CpuLimit {
        &self.current
    }

    /// Reads again. The new limit if anything in it has changed, be it only the reason; its
    /// [`procs`](CpuLimit::procs) may be the same as before.
    ///
    /// The affinity is that of the thread which calls this.
    ///
    /// Cost while nothing changes: two `pread`s for each open file, one `sched_getaffinity` and a
    /// few small allocations. Never blocks on anything but the kernel rendering those files. If a
    /// [`Note`](crate::Note) says that the view itself is impaired, the search for mounts is
    /// repeated as well.
    pub fn poll(&mut self) -> Option<CpuLimit> {
        let now = self.system.cpu_limit_by(&mut self.probe);
        (now != self.current).then(|| {
            self.before = Some(std::mem::replace(&mut self.current, now.clone()));
            now
        })
    }

    /// The line of `Display` for a rounding and minimum of your own.
    #[must_use]
    pub fn explain(&self, rounding: Rounding, min: NonZeroUsize) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| match &self.before {
            Some(before) => self.current.write_change(f, before, |limit| limit.procs(rounding, min)),
            None => write!(f, "{}", self.current.explain(rounding, min)),
        })
    }
}

impl fmt::Display for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explain(Rounding::default(), NonZeroUsize::MIN).fmt(f)
    }
}

impl Default for Watcher {
    fn default() -> Self {
        Self::new()
    }
}
