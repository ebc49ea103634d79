//! A real cgroup of this test's own, on v1 or v2, wherever it is mounted; or the reason why there cannot be one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Set where cgroups can be made for sure: then a skipped test fails.
const REQUIRED: &str = "TIDEMILL_REQUIRE_CGROUPS";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// A cgroup; removed when dropped.
pub(crate) struct Group {
    dir: PathBuf,
    version: Version,
}

impl Group {
    /// A group with `controller`. Without one the test is skipped: it says so on the real standard error, which the
    /// harness does not hold back.
    pub(crate) fn with(controller: &str) -> Option<Self> {
        Self::or_skip(Self::create(controller, None))
    }

    /// As `with`, on v1 only: there a group with processes may have groups below it.
    pub(crate) fn with_v1(controller: &str) -> Option<Self> {
        Self::or_skip(Self::create(controller, Some(Version::V1)))
    }

    /// A group on v2 with no controller asked for: pressure needs none.
    pub(crate) fn unified() -> Option<Self> {
        let mount = mounts().find(|mount| mount.version == Version::V2).ok_or("v2 is not mounted".to_owned());
        Self::or_skip(mount.and_then(|mount| Self::below(&mount.point, Version::V2)))
    }

    fn create(controller: &str, only: Option<Version>) -> Result<Self, String> {
        let mut mounts = mounts().filter(|mount| only.is_none_or(|version| version == mount.version));
        let mount =
            mounts.find(|mount| mount.has(controller)).ok_or(format!("no {controller} controller is mounted"))?;
        let group = Self::below(&mount.point, mount.version)?;
        let file = match mount.version {
            Version::V1 => "cgroup.procs",
            Version::V2 if controller == "cpu" => "cpu.max",
            Version::V2 => "memory.max",
        };
        // On v2 a parent hands out controllers to its children, or does not.
        if group.dir.join(file).exists() { Ok(group) } else { Err(format!("no {file} in {}", group.dir.display())) }
    }

    fn or_skip(group: Result<Self, String>) -> Option<Self> {
        group.map_err(|reason| skip(&reason)).ok()
    }

    fn below(parent: &Path, version: Version) -> Result<Self, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: only the uniqueness of the number matters.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = parent.join(format!("tidemill-test-{}-{number}", process::id()));
        fs::create_dir(&dir).map_err(|error| format!("no group below {}: {error}", parent.display()))?;
        Ok(Self { dir, version })
    }

    /// A group below this one.
    pub(crate) fn inner(&self) -> Self {
        Self::below(&self.dir, self.version).unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        self.dir.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    /// CPU time per 100 ms; `None` is no quota.
    pub(crate) fn set_quota_us(&self, quota_us: Option<u64>) {
        let quota = |none: &str| quota_us.map_or(none.to_owned(), |us| us.to_string());
        match self.version {
            Version::V1 => {
                self.write("cpu.cfs_period_us", "100000");
                self.write("cpu.cfs_quota_us", &quota("-1"));
            }
            Version::V2 => self.write("cpu.max", &format!("{} 100000", quota("max"))),
        }
    }

    pub(crate) fn set_memory_limit(&self, bytes: u64) {
        let file = if self.version == Version::V1 { "memory.limit_in_bytes" } else { "memory.max" };
        self.write(file, &bytes.to_string());
    }

    /// The kernel's own count of throttled periods.
    pub(crate) fn throttled_periods(&self) -> u64 {
        let stat = fs::read_to_string(self.dir.join("cpu.stat")).unwrap();
        stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap().parse().unwrap()
    }

    pub(crate) fn admit(&self, pid: u32) {
        self.write("cgroup.procs", &pid.to_string());
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.join(file), text).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.dir) {
            let _ = writeln!(io::stderr(), "left behind: {}: {error}", self.dir.display());
        }
    }
}

/// Says that a test did not run, and why.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, but {reason}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
}

struct Mount {
    point: PathBuf,
    version: Version,
    options: String,
}

impl Mount {
    fn has(&self, controller: &str) -> bool {
        match self.version {
            Version::V1 => self.options.split(',').any(|option| option == controller),
            Version::V2 => fs::read_to_string(self.point.join("cgroup.controllers"))
                .is_ok_and(|names| names.split_whitespace().any(|name| name == controller)),
        }
    }
}

/// Read in another way than the crate reads them: through the shorter table.
fn mounts() -> impl Iterator<Item = Mount> {
    let text = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts: Vec<_> = text.lines().filter_map(parse_mount).collect();
    mounts.into_iter()
}

fn parse_mount(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ').skip(1);
    let (point, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
    let version = match kind {
        "cgroup" => Version::V1,
        "cgroup2" => Version::V2,
        _ => return None,
    };
    Some(Mount { point: point.into(), version, options: options.to_owned() })
}
