//! A host in a temporary directory: the files a kernel would show, and a CPU count.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use tidemill_cgroup::System;

/// v2 in its usual place.
pub(crate) const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

/// v1 with `cpu` alone.
pub(crate) const V1_CPU: &str = "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";

/// One row of a table: a host with 8 CPUs and the one line that must come out.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// `/proc/self/cgroup`.
    pub(crate) cgroup: &'static str,
    /// `/proc/self/mountinfo`.
    pub(crate) mounts: &'static str,
    /// Control files; a path that ends in `/` is a directory.
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) line: &'static str,
}

/// All rows at once, so that one failure does not hide the others.
pub(crate) fn check<T: std::fmt::Display>(table: &[Shape], ask: impl Fn(&System) -> T) {
    let wrong = table.iter().filter_map(|shape| {
        let host = Host::with(shape.cgroup, shape.mounts);
        shape.files.iter().for_each(|(path, text)| host.write(path, text));
        let line = host.line(ask(&host.system(8)));
        (line != shape.line).then(|| format!("{}\n  expected {}\n  got      {line}\n", shape.name, shape.line))
    });
    let wrong: String = wrong.collect();
    assert!(wrong.is_empty(), "{wrong}");
}

/// Removed with everything in it when dropped.
pub(crate) struct Host {
    root: PathBuf,
}

impl Host {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: only the uniqueness of the number matters.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidemill-cgroup-{}-{number}", std::process::id());
        // Kernel files live in memory; rewriting a file on a disk thousands of times takes seconds.
        let shm = Some(PathBuf::from("/dev/shm")).filter(|dir| dir.is_dir());
        let root = shm.unwrap_or_else(std::env::temp_dir).join(name);
        fs::create_dir(&root).unwrap();
        Self { root }
    }

    /// A host whose process has these memberships and sees these mounts.
    pub(crate) fn with(cgroup: impl AsRef<[u8]>, mountinfo: impl AsRef<[u8]>) -> Self {
        let host = Self::new();
        host.write("/proc/self/cgroup", cgroup);
        host.write("/proc/self/mountinfo", mountinfo);
        host
    }

    /// Writes a file; a path that ends in `/` makes a directory.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let full = self.path(path);
        if path.ends_with('/') {
            return fs::create_dir_all(full).unwrap();
        }
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(crate) fn system(&self, cpus: usize) -> System {
        System::at(&self.root, NonZeroUsize::new(cpus).unwrap())
    }

    /// The text of a result, with paths as the process itself would see them.
    pub(crate) fn line(&self, result: impl std::fmt::Display) -> String {
        result.to_string().replace(Path::new(&self.root).to_str().unwrap(), "")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A leftover in the temporary directory is no reason to fail a test.
        let _ = fs::remove_dir_all(&self.root);
    }
}
