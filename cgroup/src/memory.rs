//! The memory limit of one level.
//!
//! v2: `memory.max` holds bytes or `max`. v1: `memory.limit_in_bytes` always holds a number, and
//! "no limit" is one near 2^63. Levels are taken to be hierarchical, which v1 made optional only
//! before Linux 5.11.

use std::cmp::Ordering;
use std::path::Path;

use crate::control::ControlFile;
use crate::membership::Version;
use crate::note::Note;
use crate::probe::LevelFiles;

/// From here on a v1 number means "none". The kernel writes 2^63 - 1 rounded down to a page, whose
/// size differs between machines (and older ones wrote 2^64 - 1); half of it is below all of those
/// and above any real memory (4 EiB).
const V1_UNLIMITED: u64 = 1 << 62;

/// The limit file of one level.
#[derive(Debug)]
pub(crate) struct MemoryFiles {
    version: Version,
    max: ControlFile,
}

impl LevelFiles for MemoryFiles {
    const CONTROLLER: &'static str = "memory";
    type Value = u64;

    fn at(version: Version, dir: &Path) -> Self {
        let name = match version {
            Version::V1 => "memory.limit_in_bytes",
            Version::V2 => "memory.max",
        };
        Self { version, max: ControlFile::new(dir.join(name)) }
    }

    fn read(&mut self) -> Result<Option<u64>, Note> {
        let parse = match self.version {
            Version::V1 => parse_v1,
            Version::V2 => parse_v2,
        };
        self.max.value(parse).map(Option::flatten)
    }

    fn compare(a: &u64, b: &u64) -> Ordering {
        a.cmp(b)
    }
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
