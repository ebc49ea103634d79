//! A fresh folder for a server, and the user that it runs as.
//!
//! PostgreSQL refuses to run as root, as tests do in a container; the server then runs as nobody, who has to own its folder.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

/// Nobody, user and group: the same number on every Linux.
const NOBODY: u32 = 65_534;

/// Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

static MADE: AtomicU32 = AtomicU32::new(0);

impl Folder {
    /// # Errors
    /// The system's.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        // Relaxed: any number that no other has.
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidemill-{name}-{}-{number}", process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Self(path);
        if is_root()? {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// `program`, to be run in the folder by its owner, never by root.
    pub(crate) fn command(&self, program: &Path) -> io::Result<Command> {
        let mut command = Command::new(program);
        command.current_dir(&self.0);
        if is_root()? {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is left in the folder for temporary files.
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

/// A process owns its own entry.
fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
