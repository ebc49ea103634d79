//! From the two files in `/proc/self` to the levels of one hierarchy, and one value from each level.

use std::fs;
use std::path::Path;

use crate::hierarchy::{Level, View, below, view};
use crate::limit::SetBy;
use crate::membership::Hierarchy;
use crate::mounts;
use crate::note::{Note, Trouble};

pub(crate) const PROC_CGROUP: &str = "/proc/self/cgroup";
const MOUNTINFO: &str = "/proc/self/mountinfo";

impl View {
    /// The levels this process is in now.
    pub(crate) fn now(root: &Path, hierarchy: Hierarchy) -> Self {
        let path = below(root, Path::new(PROC_CGROUP));
        match fs::read(&path) {
            Ok(text) => Self::of(root, &text, hierarchy),
            Err(error) => Self::nothing(Note::new(path, Trouble::Unreadable(error.kind()))),
        }
    }

    /// The levels of a process with these memberships.
    pub(crate) fn of(root: &Path, proc_cgroup: &[u8], hierarchy: Hierarchy) -> Self {
        let Some(member) = hierarchy.find(proc_cgroup) else {
            let trouble = Trouble::NoHierarchy(hierarchy.name());
            return Self::nothing(Note::new(below(root, Path::new(PROC_CGROUP)), trouble));
        };
        let path = below(root, Path::new(MOUNTINFO));
        match fs::read(&path) {
            Ok(text) => {
                let mounts = mounts::parse(&text).filter(|mount| mount.shows(member.version, hierarchy.name()));
                view(root, mounts, member.path)
            }
            Err(error) => Self::nothing(Note::new(path, Trouble::Unreadable(error.kind()))),
        }
    }

    /// What `read` finds at each level that has it, nearest first. A level that cannot be read
    /// leaves a note instead.
    pub(crate) fn read<T>(self, read: impl Fn(&Level) -> Result<Option<T>, Note>) -> (Vec<SetBy<T>>, Vec<Note>) {
        let mut notes = Vec::from_iter(self.note);
        let mut found = Vec::new();
        for level in self.levels {
            match read(&level) {
                Ok(Some(value)) => found.push(SetBy { value, cgroup: level.cgroup }),
                Ok(None) => {}
                Err(note) => notes.push(note),
            }
        }
        (found, notes)
    }
}
