//! How often the kernel stopped this process because a quota was used up.
//!
//! Each level counts for itself, in `cpu.stat`: periods in which something ran, how many of them
//! used up the quota, and how long the CPUs were withheld. A quota at any level stops the process,
//! so every level is kept and the caller may ask which one it was.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::control::number;
use crate::hierarchy::{Level, View};
use crate::limit::SetBy;
use crate::membership::{Hierarchy, Version};
use crate::note::{Note, write_ignored};

/// What the CPU quota of one cgroup has done since the cgroup was made.
///
/// # Example
/// ```
/// let sum = tidemill_cgroup::throttling().total();
/// assert!(sum.throttled_periods <= sum.periods);
/// println!("{sum}"); // throttled in 22 of 23 periods, for 1.2s
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throttled {
    /// Periods of the quota in which a thread wanted to run.
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled_periods: u64,
    /// For how long, added up over the CPUs it was withheld on: eight threads that are stopped for
    /// 50 ms make up to 400 ms.
    pub time: Duration,
}

/// The counters of every level that has them: a reading, or the difference of two.
///
/// `Display` is one line: `throttled in 22 of 23 periods, for 1.2s at /kubepods/x`.
///
/// # Example
/// ```
/// use tidemill_cgroup::throttling;
///
/// let before = throttling();
/// // .. some work ..
/// let during = throttling().since(&before);
/// if during.total().ratio() > 0.1 {
///     eprintln!("{during}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttling {
    levels: Vec<SetBy<Throttled>>,
    notes: Vec<Note>,
}

impl Throttled {
    /// Share of the periods in which the quota was used up, 0 to 1; 0 without any period.
    #[must_use]
    pub fn ratio(self) -> f64 {
        if self.periods == 0 { 0.0 } else { self.throttled_periods as f64 / self.periods as f64 }
    }

    /// `earlier` is ignored if it has more periods: then the cgroup has been made anew.
    fn since(self, earlier: Self) -> Self {
        if self.periods < earlier.periods {
            return self;
        }
        Self {
            periods: self.periods - earlier.periods,
            throttled_periods: self.throttled_periods.saturating_sub(earlier.throttled_periods),
            time: self.time.saturating_sub(earlier.time),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            periods: self.periods.saturating_add(other.periods),
            throttled_periods: self.throttled_periods.saturating_add(other.throttled_periods),
            time: self.time.saturating_add(other.time),
        }
    }
}

impl Throttling {
    /// Reads every level below the directory `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let (levels, notes) = View::now(root, Hierarchy::Of("cpu")).read(counters);
        Self { levels, notes }
    }

    /// Each level that counts, nearest first, by its path in `/proc/self/cgroup`. A level that
    /// never had a quota has zeros; one where there can be none is missing.
    pub fn levels(&self) -> impl Iterator<Item = (&Path, Throttled)> {
        self.levels.iter().map(|level| (level.cgroup.as_path(), level.value))
    }

    /// The counters of one level; [`CpuLimit::cgroup`](crate::CpuLimit::cgroup) is the one whose
    /// quota is the tightest.
    #[must_use]
    pub fn at(&self, cgroup: &Path) -> Option<Throttled> {
        self.levels().find(|&(path, _)| path == cgroup).map(|(_, counters)| counters)
    }

    /// The sum over all levels. Two levels which stop the process at the same time are both in it.
    #[must_use]
    pub fn total(&self) -> Throttled {
        self.levels().fold(Throttled::default(), |sum, (_, counters)| sum.plus(counters))
    }

    /// What has been added since `earlier`. A level which `earlier` lacks is left out: what it
    /// counted before is not known. So is one whose cgroup this process has left.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let levels = self
            .levels()
            .filter_map(|(path, now)| Some(SetBy { value: now.since(earlier.at(path)?), cgroup: path.to_path_buf() }));
        Self { levels: levels.collect(), notes: self.notes.clone() }
    }

    /// What could not be read; empty in the normal case.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "throttled in {} of {} periods, for {:?}", self.throttled_periods, self.periods, self.time)
    }
}

/// Levels without any period are left out of the line.
impl fmt::Display for Throttling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counted = self.levels().filter(|(_, counters)| counters.periods > 0);
        match counted.next() {
            Some((path, counters)) => write!(f, "{counters} at {}", path.display())?,
            None if self.levels.is_empty() => f.write_str("no throttling counters")?,
            None => f.write_str("not throttled")?,
        }
        counted.try_for_each(|(path, counters)| write!(f, "; {counters} at {}", path.display()))?;
        write_ignored(f, &self.notes)
    }
}

fn counters(level: &Level) -> Result<Option<Throttled>, Note> {
    let parse = match level.version {
        Version::V1 => parse_v1,
        Version::V2 => parse_v2,
    };
    level.file("cpu.stat").value(parse).map(Option::flatten)
}

/// Outer `None`: malformed. Inner `None`: this level does not count.
fn parse_v1(text: &str) -> Option<Option<Throttled>> {
    parse(text, "throttled_time", Duration::from_nanos)
}

/// As `parse_v1`.
fn parse_v2(text: &str) -> Option<Option<Throttled>> {
    parse(text, "throttled_usec", Duration::from_micros)
}

fn parse(text: &str, time: &str, unit: fn(u64) -> Duration) -> Option<Option<Throttled>> {
    if !text.contains("nr_periods") {
        // v2 shows the CPU time of every level, and the rest only where there can be a quota.
        return text.contains("usage_usec").then_some(None);
    }
    let periods = number(text, "nr_periods")?;
    let throttled_periods = number(text, "nr_throttled")?;
    Some(Some(Throttled { periods, throttled_periods, time: unit(number(text, time)?) }))
}
