//! Pressure stall information: for how much of the time threads waited for a resource.
//!
//! Throttling says that the quota was too small; pressure says that someone had to wait, whatever
//! the cause. The kernel keeps it for the machine (`/proc/pressure/*`) and for every cgroup of v2
//! (`*.pressure`, also on a hybrid host, where v2 owns no controller). Format, since Linux 4.20:
//!
//! ```text
//! some avg10=0.04 avg60=0.64 avg300=1.79 total=4565668430
//! full avg10=0.00 avg60=0.00 avg300=0.00 total=0
//! ```

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::control::ControlFile;
use crate::hierarchy::{View, below};
use crate::limit::SetBy;
use crate::membership::Hierarchy;
use crate::note::{Note, write_ignored};

/// What threads wait for.
///
/// # Example
/// ```
/// use tidemill_cgroup::{Resource, pressure};
///
/// for resource in [Resource::Cpu, Resource::Memory, Resource::Io] {
///     println!("{}", pressure(resource));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// A CPU to run on, or the next period of a quota.
    Cpu,
    /// Memory: reclaim, swapping, page cache that was thrown away too early.
    Memory,
    /// Block devices.
    Io,
}

/// How long threads stalled.
///
/// # Example
/// ```
/// use tidemill_cgroup::{Resource, pressure};
///
/// if let Some(stalls) = pressure(Resource::Memory).machine() {
///     println!("{} % of the last 10 s, {:?} since boot", stalls.some.avg10, stalls.some.total);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stall {
    /// Percent of the last 10 s.
    pub avg10: f64,
    /// Percent of the last 60 s.
    pub avg60: f64,
    /// Percent of the last 300 s.
    pub avg300: f64,
    /// Since the cgroup was made or the machine started: take two and subtract for a window of
    /// your own.
    pub total: Duration,
}

/// One pressure file.
///
/// # Example
/// ```
/// use tidemill_cgroup::{Resource, pressure};
///
/// let idle = pressure(Resource::Io).own().and_then(|stalls| stalls.full);
/// println!("nothing went on for {:?} of all time", idle.map(|stall| stall.total));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stalls {
    /// At least one thread stalled.
    pub some: Stall,
    /// All threads that had work stalled at once. Linux before 5.13 does not say it for CPUs.
    pub full: Option<Stall>,
}

/// The pressure on one resource, in this process's cgroup and on the whole machine.
///
/// `Display` is one line: `cpu pressure over 10 s: some 3.10 %, full 0.50 % at /x; some 0.04 %, full
/// 0.00 % on the machine`.
///
/// # Example
/// ```
/// use tidemill_cgroup::{Resource, pressure};
///
/// let memory = pressure(Resource::Memory);
/// let stalls = memory.own().or(memory.machine());
/// if stalls.is_some_and(|stalls| stalls.some.avg10 > 10.0) {
///     eprintln!("{memory}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pressure {
    resource: Resource,
    own: Option<SetBy<Stalls>>,
    machine: Option<Stalls>,
    notes: Vec<Note>,
}

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
        }
    }
}

impl Pressure {
    /// Reads the two files below the directory `root`.
    pub(crate) fn read(root: &Path, resource: Resource) -> Self {
        let mut view = View::now(root, Hierarchy::Unified);
        // An ancestor's pressure is that of its other children, too.
        view.levels.truncate(usize::from(view.own().is_some()));
        let name = format!("{}.pressure", resource.name());
        let (own, mut notes) = view.read(|level| level.file(&name).value(parse));
        let of_machine = below(root, &Path::new("/proc/pressure").join(resource.name()));
        let machine = ControlFile::new(of_machine).value(parse).unwrap_or_else(|note| {
            notes.push(note);
            None
        });
        Self { resource, own: own.into_iter().next(), machine, notes }
    }

    /// What was asked for.
    #[must_use]
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// Stalls of the threads in this process's cgroup and below it; `None` if the kernel has no v2
    /// or keeps no pressure there.
    #[must_use]
    pub fn own(&self) -> Option<Stalls> {
        self.own.as_ref().map(|own| own.value)
    }

    /// Path of that cgroup, as `/proc/self/cgroup` counts it.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.cgroup.as_path())
    }

    /// Stalls of all threads of the machine; `None` if the kernel was built or started without
    /// pressure (`psi=1` switches it on).
    #[must_use]
    pub fn machine(&self) -> Option<Stalls> {
        self.machine
    }

    /// Why one of the two is missing, as far as it can be told.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// The averages over 10 s.
impl fmt::Display for Stalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "some {:.2} %", self.some.avg10)?;
        self.full.map_or(Ok(()), |full| write!(f, ", full {:.2} %", full.avg10))
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pressure", self.resource.name())?;
        match (&self.own, self.machine) {
            (Some(SetBy { value, cgroup }), Some(machine)) => {
                write!(f, " over 10 s: {value} at {}; {machine} on the machine", cgroup.display())
            }
            (Some(SetBy { value, cgroup }), None) => write!(f, " over 10 s: {value} at {}", cgroup.display()),
            (None, Some(machine)) => write!(f, " over 10 s: {machine} on the machine"),
            (None, None) => f.write_str(" unknown"),
        }?;
        write_ignored(f, &self.notes)
    }
}

fn parse(text: &str) -> Option<Stalls> {
    let line = |kind: &str| text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    let full = match line("full") {
        Some(fields) => Some(parse_stall(fields)?),
        None => None,
    };
    Some(Stalls { some: parse_stall(line("some")?)?, full })
}

fn parse_stall(fields: &str) -> Option<Stall> {
    let field = |key: &str| fields.split(' ').find_map(|field| field.strip_prefix(key)?.strip_prefix('='));
    // Rust reads "inf" and "NaN" as well.
    let percent = |key| field(key)?.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    Some(Stall {
        avg10: percent("avg10")?,
        avg60: percent("avg60")?,
        avg300: percent("avg300")?,
        total: Duration::from_micros(field("total")?.parse().ok()?),
    })
}
