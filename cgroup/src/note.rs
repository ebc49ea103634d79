//! What was ignored on the way to a limit, and why.
//!
//! Sizing must never stop a program from starting, so nothing in this crate is an error. But a
//! limit that was missed in silence is found weeks later as throttling. Each file that could not be
//! used therefore leaves one `Note` in the result.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file or directory that was expected to take part in a limit and did not.
///
/// # Example
/// ```
/// for note in tidemill_cgroup::cpu_limit().notes() {
///     eprintln!("{}: {}", note.path().display(), note.trouble());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    path: PathBuf,
    trouble: Trouble,
}

/// Why a [`Note`] was taken.
///
/// # Example
/// ```
/// let trouble = tidemill_cgroup::Trouble::ZeroPeriod;
/// assert_eq!(trouble.to_string(), "period is 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The file could not be read.
    Unreadable(io::ErrorKind),
    /// The file does not hold what the kernel writes there; its beginning is given.
    Malformed(String),
    /// A CPU quota is given per period of 0 us, which is no quota at all.
    ZeroPeriod,
    /// `/proc/self/cgroup` names no hierarchy for this controller.
    NoHierarchy(&'static str),
    /// No mount shows the cgroup of this path.
    NotVisible,
    /// The mount shows an ancestor of this process's cgroup; the levels below it lie behind a
    /// cgroup namespace and were not read.
    HiddenLevels,
}

impl Note {
    pub(crate) fn new(path: impl Into<PathBuf>, trouble: Trouble) -> Self {
        Self { path: path.into(), trouble }
    }

    /// The file at fault; the cgroup's own path for [`Trouble::NotVisible`]; the mount point for
    /// [`Trouble::HiddenLevels`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was wrong with it.
    #[must_use]
    pub fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}

impl Trouble {
    /// Enough of a file to recognise what it is, in a line that is still a line.
    const EXCERPT_CHARS: usize = 40;

    pub(crate) fn malformed(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        Self::Malformed(text.trim().chars().take(Self::EXCERPT_CHARS).collect())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.trouble)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(kind) => write!(f, "unreadable: {kind}"),
            Self::Malformed(text) => write!(f, "malformed: {text:?}"),
            Self::ZeroPeriod => f.write_str("period is 0"),
            Self::NoHierarchy(controller) => write!(f, "names no {controller} hierarchy"),
            Self::NotVisible => f.write_str("not visible in any mount"),
            Self::HiddenLevels => f.write_str("levels below are hidden"),
        }
    }
}

/// The tail of a limit's line: nothing without notes, else all of them in brackets.
pub(crate) fn write_ignored(f: &mut fmt::Formatter<'_>, notes: &[Note]) -> fmt::Result {
    let Some((first, rest)) = notes.split_first() else {
        return Ok(());
    };
    write!(f, " (ignored: {first}")?;
    rest.iter().try_for_each(|note| write!(f, "; {note}"))?;
    f.write_str(")")
}
