//! The outside world as a value: a root directory and an affinity count.
//!
//! Everything else in the crate is computed from these two, so that a test hands in a small tree of
//! files and a number, and the shape of any host can be replayed from a copy of its
//! `/proc/self/{cgroup,mountinfo}` and its control files.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::affinity;
use crate::limit::CpuLimit;
use crate::memory::MemoryLimit;
use crate::pressure::{Pressure, Resource};
use crate::probe::Probe;
use crate::throttling::Throttling;

/// Where the facts come from: this machine, or a directory that looks like one.
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use tidemill_cgroup::System;
///
/// let eight = NonZeroUsize::new(8).unwrap();
/// let limit = System::at("/a/directory/without/proc", eight).cpu_limit();
/// assert_eq!(limit.affinity(), eight);
/// assert_eq!(limit.notes().len(), 1); // says which file is missing
/// ```
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
    affinity: Affinity,
}

#[derive(Clone, Copy, Debug)]
enum Affinity {
    OfCallingThread,
    Fixed(NonZeroUsize),
}

impl System {
    /// The process and machine this code runs on.
    #[must_use]
    pub fn live() -> Self {
        Self { root: PathBuf::from("/"), affinity: Affinity::OfCallingThread }
    }

    /// A tree of files at `root` and a given number of CPUs: for tests and for replaying another
    /// host.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>, affinity: NonZeroUsize) -> Self {
        Self { root: root.into(), affinity: Affinity::Fixed(affinity) }
    }

    /// As [`cpu_limit`](crate::cpu_limit), for this system.
    #[must_use]
    pub fn cpu_limit(&self) -> CpuLimit {
        self.cpu_limit_by(&mut self.probe())
    }

    /// As [`memory_limit`](crate::memory_limit), for this system.
    #[must_use]
    pub fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::read(&self.root)
    }

    /// As [`throttling`](crate::throttling()), for this system.
    #[must_use]
    pub fn throttling(&self) -> Throttling {
        Throttling::read(&self.root)
    }

    /// As [`pressure`](crate::pressure()), for this system.
    #[must_use]
    pub fn pressure(&self, resource: Resource) -> Pressure {
        Pressure::read(&self.root, resource)
    }

    pub(crate) fn probe(&self) -> Probe {
        Probe::new(&self.root)
    }

    pub(crate) fn cpu_limit_by(&self, probe: &mut Probe) -> CpuLimit {
        let (quota, notes) = probe.tightest();
        CpuLimit::new(self.affinity.count(), quota, notes)
    }
}

impl Affinity {
    fn count(self) -> NonZeroUsize {
        match self {
            Self::OfCallingThread => affinity::count(),
            Self::Fixed(count) => count,
        }
    }
}
