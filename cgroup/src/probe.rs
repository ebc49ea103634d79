//! The tightest quota over all levels of this process, read again and again.
//!
//! A quota binds at the level that sets it and everywhere below, so the process gets the minimum of
//! the whole chain, no matter which level is nearest.

use std::path::{Path, PathBuf};

use crate::control::ControlFile;
use crate::cpu::QuotaFiles;
use crate::hierarchy::{Level, View, below};
use crate::levels::PROC_CGROUP;
use crate::limit::SetBy;
use crate::membership::Hierarchy;
use crate::note::{Note, Trouble};
use crate::quota::Quota;

/// The quota files of all levels, kept open from one reading to the next.
///
/// It follows the process: when `/proc/self/cgroup` changes, the levels are found again. They are
/// also found again at each reading as long as something is wrong with the view, since a mount may
/// appear later.
#[derive(Debug)]
pub(crate) struct Probe {
    root: PathBuf,
    memberships: ControlFile,
    /// The memberships that `levels` belong to.
    found_for: Option<Vec<u8>>,
    /// The path and the files of each level, nearest first.
    levels: Vec<(PathBuf, QuotaFiles)>,
    /// What is wrong with the view.
    note: Option<Note>,
}

impl Probe {
    /// Nothing is read before the first [`tightest`](Self::tightest).
    pub(crate) fn new(root: &Path) -> Self {
        let memberships = ControlFile::new(below(root, Path::new(PROC_CGROUP)));
        Self { root: root.to_path_buf(), memberships, found_for: None, levels: Vec::new(), note: None }
    }

    /// Reads every level. Of equal values the nearest counts; levels that cannot be read set no
    /// limit and leave a note.
    pub(crate) fn tightest(&mut self) -> (Option<SetBy<Quota>>, Vec<Note>) {
        self.follow();
        let mut notes = Vec::from_iter(self.note.clone());
        let readings = self.levels.iter_mut().filter_map(|(cgroup, files)| {
            let quota = files.read().unwrap_or_else(|note| {
                notes.push(note);
                None
            })?;
            Some((quota, cgroup))
        });
        // `min_by` keeps the first of equals.
        let tightest = readings.min_by(|(a, _), (b, _)| a.cmp_amount(b));
        (tightest.map(|(value, cgroup)| SetBy { value, cgroup: cgroup.clone() }), notes)
    }

    /// Makes `levels` those of the cgroup the process is in now.
    fn follow(&mut self) {
        let view = match self.memberships.read() {
            Ok(text) if self.note.is_none() && self.found_for.as_deref() == Some(text) => return,
            Ok(text) => {
                self.found_for = Some(text.to_vec());
                View::of(&self.root, text, Hierarchy::Of("cpu"))
            }
            Err(error) => View::nothing(self.memberships.note(Trouble::Unreadable(error.kind()))),
        };
        let files = |level: Level| {
            let files = QuotaFiles::at(&level);
            (level.cgroup, files)
        };
        self.levels = view.levels.into_iter().map(files).collect();
        self.note = view.note;
    }
}
