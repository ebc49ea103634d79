//! The memory limit, and what has been used of it.
//!
//! v2: `memory.max` holds bytes or `max`. v1: `memory.limit_in_bytes` always holds a number, and
//! "no limit" is one near 2^63. Levels are taken to be hierarchical, which v1 made optional only
//! before Linux 5.11. What is used is read at the level that sets the limit, not at the nearest: the
//! other processes there use it up as well.

use std::fmt;
use std::path::Path;

use crate::control::number;
use crate::hierarchy::{Level, View};
use crate::limit::SetBy;
use crate::membership::{Hierarchy, Version};
use crate::note::{Note, write_ignored};

/// From here on a v1 number means "none". The kernel writes 2^63 - 1 rounded down to a page, whose
/// size differs between machines (and older ones wrote 2^64 - 1); half of it is below all of those
/// and above any real memory (4 EiB).
const V1_UNLIMITED: u64 = 1 << 62;

/// The memory a process may use, which cgroup says so, and what has been used.
///
/// `Display` is one line: `memory 512.0 MiB at /kubepods/x, 130.5 MiB used`.
///
/// # Example
/// ```
/// let memory = tidemill_cgroup::memory_limit();
/// println!("{memory}; cache size: {:?}", memory.bytes().map(|bytes| bytes / 4));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    limit: Option<SetBy<u64>>,
    usage: Option<MemoryUsage>,
    notes: Vec<Note>,
}

/// How a cgroup stands to its memory limit.
///
/// # Example
/// ```
/// let memory = tidemill_cgroup::memory_limit();
/// if let (Some(bytes), Some(usage)) = (memory.bytes(), memory.usage()) {
///     println!("{} bytes left, killed: {:?}", bytes.saturating_sub(usage.bytes), usage.oom_kills);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Bytes in use by all processes of the cgroup and below it, page cache included. It may pass
    /// the limit for a moment.
    pub bytes: u64,
    /// How often `memory.high` held up a process; `None` on v1, which has no such limit.
    pub high: Option<u64>,
    /// How often the limit was reached, so that memory had to be reclaimed at once.
    pub max: Option<u64>,
    /// Processes killed for want of memory; `None` on v1 before Linux 4.13.
    pub oom_kills: Option<u64>,
}

impl MemoryLimit {
    /// The limit of the process that the directory `root` describes.
    pub(crate) fn read(root: &Path) -> Self {
        let view = View::now(root, Hierarchy::Of("memory"));
        let own = view.own().cloned();
        let (limits, mut notes) = view.read(|level| Ok(read_limit(level)?.map(|bytes| (bytes, level.clone()))));
        // `min_by_key` keeps the first of equals.
        let (limit, level) = match limits.into_iter().min_by_key(|limit| limit.value.0) {
            Some(SetBy { value: (value, level), cgroup }) => (Some(SetBy { value, cgroup }), Some(level)),
            None => (None, own),
        };
        let usage = level.map_or(Ok(None), |level| read_usage(&level)).unwrap_or_else(|note| {
            notes.push(note);
            None
        });
        Self { limit, usage, notes }
    }

    /// The smallest limit of all levels, in bytes; `None` if no level sets one.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.limit.as_ref().map(|set| set.value)
    }

    /// Path of the cgroup that sets it; of several equal ones, the nearest.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Path> {
        self.limit.as_ref().map(|set| set.cgroup.as_path())
    }

    /// What that cgroup uses now; without a limit, what the process's own cgroup uses. `None` for
    /// the root cgroup of v2, which is not counted.
    #[must_use]
    pub fn usage(&self) -> Option<MemoryUsage> {
        self.usage
    }

    /// What could not be used on the way here; empty in the normal case.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        match &self.limit {
            Some(limit) => write!(f, "memory {:.1} MiB at {}", mib(limit.value), limit.cgroup.display())?,
            None => f.write_str("no memory limit")?,
        }
        if let Some(usage) = self.usage {
            write!(f, ", {:.1} MiB used", mib(usage.bytes))?;
        }
        write_ignored(f, &self.notes)
    }
}

/// `Ok(None)` if this level sets no limit.
fn read_limit(level: &Level) -> Result<Option<u64>, Note> {
    let limit = match level.version {
        Version::V1 => level.file("memory.limit_in_bytes").value(parse_v1),
        Version::V2 => level.file("memory.max").value(parse_v2),
    };
    limit.map(Option::flatten)
}

/// `Ok(None)` if this level is not counted.
fn read_usage(level: &Level) -> Result<Option<MemoryUsage>, Note> {
    let whole = |name| level.file(name).value(|text| text.parse().ok());
    let counters = |name| level.file(name).value(|text| Some(text.to_owned())).map(Option::unwrap_or_default);
    let (bytes, [high, max, oom_kills]) = match level.version {
        Version::V1 => {
            let kills = number(&counters("memory.oom_control")?, "oom_kill");
            (whole("memory.usage_in_bytes")?, [None, whole("memory.failcnt")?, kills])
        }
        Version::V2 => {
            let events = counters("memory.events")?;
            (whole("memory.current")?, ["high", "max", "oom_kill"].map(|key| number(&events, key)))
        }
    };
    Ok(bytes.map(|bytes| MemoryUsage { bytes, high, max, oom_kills }))
}

/// Outer `None`: malformed. Inner `None`: no limit.
fn parse_v1(text: &str) -> Option<Option<u64>> {
    let bytes: u64 = text.parse().ok()?;
    Some((bytes < V1_UNLIMITED).then_some(bytes))
}

/// As `parse_v1`.
fn parse_v2(text: &str) -> Option<Option<u64>> {
    if text == "max" { Some(None) } else { text.parse().ok().map(Some) }
}
