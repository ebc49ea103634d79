//! The CPU limit: a value that carries its own reason.
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
            self.write_parts(f)?;
            write!(f, " -> {}", self.procs(rounding, min))?;
            write_ignored(f, &self.notes)
        })
    }

    /// The line that tells what has become of `before`.
    pub(crate) fn write_change(
        &self,
        f: &mut fmt::Formatter<'_>,
        before: &Self,
        procs: impl Fn(&Self) -> NonZeroUsize,
    ) -> fmt::Result {
        write!(f, "{} -> {}: ", procs(before), procs(self))?;
        self.write_parts(f)?;
        write_ignored(f, &self.notes)?;
        f.write_str("; before: ")?;
        before.write_parts(f)?;
        write_ignored(f, &before.notes)
    }

    /// The line up to the number.
    fn write_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.quota {
            Some(quota) => write!(f, "quota {} at {}", quota.value, quota.cgroup.display())?,
            None => f.write_str("no quota")?,
        }
        let plural = if self.affinity == NonZeroUsize::MIN { "" } else { "s" };
        write!(f, ", {} CPU{plural} by affinity", self.affinity)
    }
}

impl fmt::Display for CpuLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explain(Rounding::default(), NonZeroUsize::MIN).fmt(f)
    }
}
