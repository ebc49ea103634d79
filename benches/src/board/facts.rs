//! What a reader has to know of the machine and the build to believe a figure, or to doubt it.

use std::{env, fmt, fs, process::Command};

/// The machine, the build, and the state of both.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Facts {
    cpu: String,
    /// By affinity.
    cpus: usize,
    quota: String,
    virtual_machine: bool,
    kernel: String,
    compiler: String,
    flags: String,
    commit: String,
    /// Whether the sources differ from that commit.
    dirty: bool,
    /// Runnable threads in the mean of the last minute, before the run.
    load: String,
    #[serde(skip)]
    ticks: Ticks,
    date: String,
}

impl Facts {
    pub(crate) fn gather() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let limit = tidemill::cgroup::cpu_limit();
        let quota = limit.quota().map_or("none".into(), |quota| format!("{:.2} CPUs", quota.cpus()));
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into());
        Self {
            cpu: field(&info, "model name").unwrap_or_else(|| "unknown".into()),
            cpus: limit.affinity().get(),
            quota,
            virtual_machine: field(&info, "flags").is_some_and(|flags| flags.split(' ').any(|f| f == "hypervisor")),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            compiler: said(&env::var("RUSTC").unwrap_or_else(|_| "rustc".into()), &["-V"]).unwrap_or_default(),
            flags: flags(),
            commit,
            dirty: said("git", &["status", "--porcelain", "--untracked-files=no"]).is_some_and(|out| !out.is_empty()),
            load: load(),
            ticks: Ticks::now(),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_default(),
        }
    }
}

/// The machine's CPU time so far, in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    fn parse(stat: &str) -> Self {
        let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        // The eighth is what the host gave to others; guests, behind it, are in the first two already.
        let fields: Vec<u64> = fields.take(8).filter_map(|field| field.parse().ok()).collect();
        Self { all: fields.iter().sum(), stolen: fields.get(7).copied().unwrap_or(0) }
    }
}

/// What the machine did beside the run.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Afterwards {
    load: String,
    stolen_percent: f64,
}

impl Afterwards {
    pub(super) fn of(facts: &Facts) -> Self {
        let (before, now) = (facts.ticks, Ticks::now());
        let all = now.all.saturating_sub(before.all).max(1) as f64;
        Self { load: load(), stolen_percent: 100.0 * now.stolen.saturating_sub(before.stolen) as f64 / all }
    }
}

impl fmt::Display for Afterwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load {} after the run, {:.1} % of the CPU time stolen by the host", self.load, self.stolen_percent)
    }
}

/// Runnable threads in the mean of the last minute.
fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("").to_owned()
}

/// How this program was built, as far as it can tell.
fn flags() -> String {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release, thin LTO" };
    match option_env!("RUSTFLAGS") {
        None | Some("") => format!("{profile}; mimalloc for all"),
        Some(flags) => format!("{profile}, RUSTFLAGS={flags}; mimalloc for all"),
    }
}

/// The first value of a field of `/proc/cpuinfo`.
fn field(info: &str, name: &str) -> Option<String> {
    let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What a program says, if it is there and content.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cpus, quota, kernel, compiler, flags, commit, load, date, .. } = self;
        let kind = if self.virtual_machine { ", virtual machine" } else { "" };
        let dirty = if self.dirty { ", changed since" } else { "" };
        writeln!(f, "{date}, commit {commit}{dirty}")?;
        writeln!(f, "{cpu}, {cpus} CPUs{kind}, quota {quota}, Linux {kernel}, load {load} before the run")?;
        write!(f, "{compiler}, {flags}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let info = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu hypervisor\n";
        assert_eq!(field(info, "model name").as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(field(info, "model"), None);
    }

    #[test]
    fn stolen_time_is_the_eighth_field() {
        let ticks = Ticks::parse("cpu  10 0 5 80 1 0 0 4 0 0\ncpu0 1 2 3\n");
        assert_eq!((ticks.all, ticks.stolen), (100, 4));
        assert_eq!(Ticks::parse("").all, 0);
    }

    #[test]
    fn what_is_missing_leaves_no_hole() {
        assert_eq!(said("no-such-program-here", &[]), None);
        let facts = Facts::gather();
        assert!(facts.cpus >= 1 && facts.to_string().contains("commit"), "{facts}");
    }
}
