//! A cgroup with a CPU quota, and what the kernel counts about it.
//!
//! Version 1, because it needs nothing but a directory; under version 2 the parent has to hand the controller down first.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

const CONTROLLER: &str = "/sys/fs/cgroup/cpu";

/// The kernel's usual period: quotas are per 100 ms.
const PERIOD_US: u32 = 100_000;

/// A group below the controller's root; removed when dropped, by when its processes have to be gone.
pub(super) struct Group(PathBuf);

/// Since the group was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttling {
    /// Periods in which anything ran.
    pub(super) periods: u64,
    /// Periods in which the quota was used up.
    pub(super) throttled: u64,
    /// For how long a CPU's threads stood still, added up over CPUs.
    pub(super) nanos: u64,
}

impl Group {
    /// A group that may use one CPU.
    ///
    /// # Errors
    /// There is no such controller, or this process may not write to it.
    pub(super) fn of_one_cpu() -> io::Result<Self> {
        let path = Path::new(CONTROLLER).join(format!("tidemill-bench-{}", process::id()));
        fs::create_dir(&path)?;
        let group = Self(path);
        group.write("cpu.cfs_period_us", PERIOD_US)?;
        group.write("cpu.cfs_quota_us", PERIOD_US)?;
        Ok(group)
    }

    /// Puts a process with all its threads in.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn take_in(&self, process: u32) -> io::Result<()> {
        self.write("cgroup.procs", process)
    }

    /// # Errors
    /// The kernel does not count.
    pub(super) fn throttling(&self) -> io::Result<Throttling> {
        let stat = fs::read_to_string(self.0.join("cpu.stat"))?;
        parse(&stat).ok_or_else(|| io::Error::other(format!("cpu.stat says {stat:?}")))
    }

    fn write(&self, file: &str, number: u32) -> io::Result<()> {
        fs::write(self.0.join(file), number.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What is left behind is empty and does nothing.
        _ = fs::remove_dir(&self.0);
    }
}

fn parse(stat: &str) -> Option<Throttling> {
    let count = |key: &str| {
        let mut pairs = stat.lines().filter_map(|line| line.split_once(' '));
        pairs.find(|(name, _)| *name == key)?.1.trim().parse().ok()
    };
    Some(Throttling {
        periods: count("nr_periods")?,
        throttled: count("nr_throttled")?,
        nanos: count("throttled_time")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_counts_are_read() {
        let stat = "nr_periods 20\nnr_throttled 7\nthrottled_time 123456789\nnr_bursts 0\n";
        assert_eq!(parse(stat), Some(Throttling { periods: 20, throttled: 7, nanos: 123_456_789 }));
        assert_eq!(parse("nr_periods 20\n"), None);
    }
}
