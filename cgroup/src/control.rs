//! One kernel file, kept open and read again from its beginning.
//!
//! The kernel renders these files anew for each read at offset 0, so an open descriptor is enough:
//! no path walk, and it still works after the process has dropped its privileges. If reading fails
//! (v2 removes and recreates files when a controller is switched off and on) the file is opened
//! again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::note::{Note, Trouble};

/// Longer than any control file and most `/proc/self/cgroup`s; longer ones take another read.
const READ_STEP: usize = 512;

/// A file of `/proc` or of a cgroup directory. Opened at the first read; descriptors are
/// close-on-exec.
#[derive(Debug)]
pub(crate) struct ControlFile {
    path: PathBuf,
    file: Option<File>,
    text: Vec<u8>,
}

impl ControlFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, text: Vec::new() }
    }

    /// The whole file as of now.
    pub(crate) fn read(&mut self) -> io::Result<&[u8]> {
        let fresh = self.file.as_ref().is_some_and(|file| read_into(file, &mut self.text).is_ok());
        if !fresh {
            self.file = None;
            let file = File::open(&self.path)?;
            read_into(&file, &mut self.text)?;
            self.file = Some(file);
        }
        Ok(&self.text)
    }

    /// The value in the file. `Ok(None)` if there is no such file: the root cgroup has none, nor
    /// has a level whose controller is off.
    pub(crate) fn value<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Note> {
        let trouble = match self.read() {
            Ok(text) => match str::from_utf8(text).ok().and_then(|text| parse(text.trim_ascii())) {
                Some(value) => return Ok(Some(value)),
                None => Trouble::malformed(text),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Trouble::Unreadable(error.kind()),
        };
        Err(self.note(trouble))
    }

    /// A note about this file.
    pub(crate) fn note(&self, trouble: Trouble) -> Note {
        Note::new(&self.path, trouble)
    }
}

fn read_into(file: &File, text: &mut Vec<u8>) -> io::Result<()> {
    let mut len = 0;
    loop {
        text.resize(len + READ_STEP, 0);
        match file.read_at(&mut text[len..], len as u64) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(len);
    Ok(())
}

/// The number in the line `key number`.
pub(crate) fn number(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
}
