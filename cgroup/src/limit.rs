//! The results: values that carry their own reason.
//!
//! Peers return a bare number, and the question "why 2?" is then answered by guessing. Here the
//! parts are kept (quota, the cgroup that sets it, affinity, what was ignored); the number and the
//! line of text are both derived from them, so they cannot disagree.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::note::{Note, write_ignored};
use crate::quota::{Quota, Rounding};

/// The CPUs a process may use, and why.
///
/// `Display` is one line: `quota 1.50 CPUs at /kubepods/x, 8 CPUs by affinity -> 2`.
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use tidemill_cgroup::{Rounding, cpu_limit};
///
/// let limit = cpu_limit();
/// let two = NonZeroUsize::MIN.saturating_add(1);
/// println!("{}", limit.explain(Rounding::Floor, two));
/// assert!(limit.procs(Rounding::Floor, two) <= limit.affinity());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuLimit {
    affinity: NonZeroUsize,
    quota: Option<SetBy<Quota>>,
    notes: Vec<Note>,
}

/// The memory a process may use, and which cgroup says so.
///
/// `Display` is one line: `memory 512.0 MiB at /kubepods/x`.
///
/// # Example
/// ```
/// let quarter = tidemill_cgroup::memory_limit().map(|limit| limit.bytes() / 4);
/// println!("cache size: {quarter:?}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    limit: SetBy<u64>,
    notes: Vec<Note>,
}

/// A value and the cgroup whose file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetBy<T> {
    pub(crate) value: T,
    pub(crate) cgroup: PathBuf,
}

impl CpuLimit {
    pub(crate) fn new(affinity: NonZeroUsize, quota: Option<SetBy<Quota>>, notes: Vec<Note>) -> Self {
        Self { affinity, quota, notes }
    }

    /// CPUs in the affinity mask.
    #[must_use]
    pub fn affinity(&self) -> NonZeroUsize {
        self.affinity
    }

    /// The tightest quota of all levels; `None` if no level sets one.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        self.quota.as_ref().map(|set| set.value)
    }

    /// Path of the cgroup that sets the quota, as `/proc/self/cgroup` counts it; of several equal
    /// ones, the nearest.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Path> {
        self.quota.as_ref().map(|set| set.cgroup.as_path())
    }

    /// What could not be used on the way here; empty in the normal case.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How many workers to run: the rounded quota, at least `min`, never above the affinity (not
    /// even for `min`).
    #[must_use]
    pub fn procs(&self, rounding: Rounding, min: NonZeroUsize) -> NonZeroUsize {
        let Some(quota) = self.quota() else {
            return self.affinity;
        };
        NonZeroUsize::new(quota.rounded(rounding)).map_or(min, |whole| whole.max(min)).min(self.affinity)
    }

    /// The line of `Display` for a rounding and minimum of your own.
    #[must_use]
    pub fn explain(&self, rounding: Rounding, min: NonZeroUsize) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| {
            match &self.quota {
                Some(quota) => write!(f, "quota {} at {}", quota.value, quota.cgroup.display())?,
                None => f.write_str("no quota")?,
            }
            let plural = if self.affinity == NonZeroUsize::MIN { "" } else { "s" };
            write!(f, ", {} CPU{plural} by affinity -> {}", self.affinity, self.procs(rounding, min))?;
            write_ignored(f, &self.notes)
        })
    }
}

impl fmt::Display for CpuLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explain(Rounding::default(), NonZeroUsize::MIN).fmt(f)
    }
}

impl MemoryLimit {
    pub(crate) fn new(limit: SetBy<u64>, notes: Vec<Note>) -> Self {
        Self { limit, notes }
    }

    /// The smallest limit of all levels, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.limit.value
    }

    /// Path of the cgroup that sets it; of several equal ones, the nearest.
    #[must_use]
    pub fn cgroup(&self) -> &Path {
        &self.limit.cgroup
    }

    /// What could not be used on the way here; empty in the normal case.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.bytes() as f64 / f64::from(1 << 20);
        write!(f, "memory {mib:.1} MiB at {}", self.cgroup().display())?;
        write_ignored(f, &self.notes)
    }
}
