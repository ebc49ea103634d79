//! The levels of this process: from its own cgroup up to the highest ancestor it can see, as
//! directories.
//!
//! Membership says *which* cgroup, a mount says *where* a part of the hierarchy can be read; both
//! paths are counted from the same cgroup namespace:
//!
//! | mount root | our cgroup | what the mount shows |
//! |---|---|---|
//! | `/` | `/a/b` | `point/a/b`, `point/a`, `point` |
//! | `/a` (bind mount, v1 container) | `/a/b` | `point/b`, `point` |
//! | `/..` (mounted outside the namespace) | `/../x` | `point/x`, `point` |
//! | `/../..` (same) | `/a` | `point` only: it is an ancestor, but the names between are hidden |
//! | `/`, `/c` | `/../x`, `/a` | nothing of ours |
//!
//! If several mounts show the hierarchy, the one with the most levels wins: what two mounts show of
//! one chain of ancestors is always one inside the other. Rejected: the first that fits (misses
//! ancestors behind a bind mount), and the fixed `/sys/fs/cgroup` (misses every other place).

use std::cmp::Reverse;
use std::path::{Component, Path, PathBuf};

use crate::control::ControlFile;
use crate::membership::Version;
use crate::mounts::Mount;
use crate::note::{Note, Trouble};

/// One cgroup on the way up.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// Says what its files are called.
    pub(crate) version: Version,
    /// Its path, in the terms of `/proc/self/cgroup`.
    pub(crate) cgroup: PathBuf,
    /// The directory of its control files.
    pub(crate) dir: PathBuf,
}

impl Level {
    /// One of its control files.
    pub(crate) fn file(&self, name: &str) -> ControlFile {
        ControlFile::new(self.dir.join(name))
    }
}

/// The visible levels, nearest first, and what is wrong with the view.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) levels: Vec<Level>,
    pub(crate) note: Option<Note>,
}

/// The best view of `cgroup` that `mounts`, all of its hierarchy, offer below the directory `root`.
pub(crate) fn view(root: &Path, mounts: impl Iterator<Item = Mount>, cgroup: &Path) -> View {
    let mut views: Vec<View> = mounts.filter_map(|mount| through(root, &mount, cgroup)).collect();
    views.sort_by_key(|view| Reverse((view.note.is_none(), view.levels.len())));
    // A mount may be listed and yet be covered by another one: then its directories are not there.
    views
        .into_iter()
        .find(|view| view.levels[0].dir.is_dir())
        .unwrap_or_else(|| View::nothing(Note::new(cgroup, Trouble::NotVisible)))
}

impl View {
    /// No level, and why.
    pub(crate) fn nothing(note: Note) -> Self {
        Self { levels: Vec::new(), note: Some(note) }
    }

    /// The process's own cgroup, unless only an ancestor can be seen.
    pub(crate) fn own(&self) -> Option<&Level> {
        self.levels.first().filter(|_| self.note.is_none())
    }
}

/// What one mount shows of the cgroup `path`; never an empty list.
fn through(root: &Path, mount: &Mount, path: &Path) -> Option<View> {
    let point = below(root, &mount.point);
    let level =
        |inner: &Path| Level { version: mount.version, cgroup: append(&mount.root, inner), dir: append(&point, inner) };
    match path.strip_prefix(&mount.root) {
        Ok(inner) if ups(inner) == 0 => Some(View { levels: inner.ancestors().map(level).collect(), note: None }),
        _ if is_ancestor_outside(&mount.root, path) => {
            Some(View { levels: vec![level(Path::new(""))], note: Some(Note::new(&point, Trouble::HiddenLevels)) })
        }
        _ => None,
    }
}

/// `/../..` is above everything that leaves the namespace by fewer steps.
fn is_ancestor_outside(mount_root: &Path, path: &Path) -> bool {
    ups(mount_root) > ups(path) && mount_root.components().skip(1).all(|part| part == Component::ParentDir)
}

fn ups(path: &Path) -> usize {
    path.components().filter(|&part| part == Component::ParentDir).count()
}

/// `join`, without the trailing slash it adds for an empty path.
fn append(base: &Path, inner: &Path) -> PathBuf {
    if inner.as_os_str().is_empty() { base.to_path_buf() } else { base.join(inner) }
}

/// `path` as seen below another root directory. Paths from the kernel are absolute; `join` alone
/// would drop `root`.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
