//! The tightest value of one controller over all levels of this process.
//!
//! A limit binds at the level that sets it and everywhere below, so the process gets the minimum of
//! the whole chain, no matter which level is nearest.

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::control::ControlFile;
use crate::hierarchy::{below, view};
use crate::limit::SetBy;
use crate::membership::{Version, of_controller};
use crate::mounts;
use crate::note::{Note, Trouble};

const PROC_CGROUP: &str = "/proc/self/cgroup";
const MOUNTINFO: &str = "/proc/self/mountinfo";

/// The control files of one controller at one level.
pub(crate) trait LevelFiles: fmt::Debug {
    /// The name in `/proc/self/cgroup` and in v1 mount options.
    const CONTROLLER: &'static str;
    /// What a level may set.
    type Value;

    /// The files in `dir`; nothing is opened yet.
    fn at(version: Version, dir: &Path) -> Self;
    /// `Ok(None)` if this level sets no limit.
    fn read(&mut self) -> Result<Option<Self::Value>, Note>;
    /// `Less` is tighter.
    fn compare(a: &Self::Value, b: &Self::Value) -> Ordering;
}

/// The files of all levels, kept open from one reading to the next.
///
/// It follows the process: when `/proc/self/cgroup` changes, the levels are found again. They are
/// also found again at each reading as long as something is wrong with the view, since a mount may
/// appear later.
#[derive(Debug)]
pub(crate) struct Probe<F> {
    root: PathBuf,
    memberships: ControlFile,
    /// The memberships that `found` belongs to.
    found_for: Option<Vec<u8>>,
    found: Found<F>,
}

#[derive(Debug)]
struct Found<F> {
    /// The path and the files of each level, nearest first.
    levels: Vec<(PathBuf, F)>,
    /// What is wrong with the view.
    note: Option<Note>,
}

impl<F: LevelFiles> Probe<F> {
    /// Nothing is read before the first [`tightest`](Self::tightest).
    pub(crate) fn new(root: &Path) -> Self {
        let memberships = ControlFile::new(below(root, Path::new(PROC_CGROUP)));
        Self { root: root.to_path_buf(), memberships, found_for: None, found: Found { levels: Vec::new(), note: None } }
    }

    /// Reads every level. Of equal values the nearest counts; levels that cannot be read set no
    /// limit and leave a note.
    pub(crate) fn tightest(&mut self) -> (Option<SetBy<F::Value>>, Vec<Note>) {
        self.follow();
        let mut notes: Vec<Note> = self.found.note.iter().cloned().collect();
        let readings = self.found.levels.iter_mut().filter_map(|(cgroup, files)| {
            let value = files.read().unwrap_or_else(|note| {
                notes.push(note);
                None
            })?;
            Some((value, cgroup))
        });
        // `min_by` keeps the first of equals.
        let tightest = readings.min_by(|(a, _), (b, _)| F::compare(a, b));
        (tightest.map(|(value, cgroup)| SetBy { value, cgroup: cgroup.clone() }), notes)
    }

    /// Makes `found` belong to the cgroup the process is in now.
    fn follow(&mut self) {
        match self.memberships.read() {
            Ok(text) if self.found.note.is_none() && self.found_for.as_deref() == Some(text) => {}
            Ok(text) => {
                self.found = Found::by(&self.root, text);
                self.found_for = Some(text.to_vec());
            }
            Err(error) => {
                let note = self.memberships.note(Trouble::Unreadable(error.kind()));
                self.found = Found::nothing(note);
            }
        }
    }
}

impl<F: LevelFiles> Found<F> {
    fn by(root: &Path, proc_cgroup: &[u8]) -> Self {
        let Some(member) = of_controller(proc_cgroup, F::CONTROLLER) else {
            return Self::nothing(Note::new(below(root, Path::new(PROC_CGROUP)), Trouble::NoHierarchy(F::CONTROLLER)));
        };
        let mountinfo = below(root, Path::new(MOUNTINFO));
        let text = match fs::read(&mountinfo) {
            Ok(text) => text,
            Err(error) => {
                return Self::nothing(Note::new(mountinfo, Trouble::Unreadable(error.kind())));
            }
        };
        let mounts = mounts::parse(&text).filter(|mount| mount.shows(member.version, F::CONTROLLER));
        let view = view(root, mounts, member.path);
        let levels = view.levels.into_iter().map(|level| (level.cgroup, F::at(member.version, &level.dir)));
        Self { levels: levels.collect(), note: view.note }
    }

    fn nothing(note: Note) -> Self {
        Self { levels: Vec::new(), note: Some(note) }
    }
}
