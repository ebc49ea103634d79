//! What a reader must know of the machine and the build to judge the figures. What cannot be found out is
//! left out.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A name and a value, as the report shows them.
pub(crate) type Fact = (String, String);

/// The facts that do not change while the job runs.
pub(crate) fn facts(folder: &Path) -> Vec<Fact> {
    let facts = [
        ("CPU", cpu_model()),
        ("cores", Some(tidemill::cgroup::cpu_limit().to_string())),
        ("memory", memory()),
        ("kernel", read("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}"))),
        ("store", file_system(folder)),
        ("build", Some(build())),
        ("compiler", said(Command::new("rustc").arg("--version"))),
        ("commit", commit()),
        ("date", said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The load averages over 1, 5 and 15 minutes: what else the machine was doing.
pub(crate) fn load_average() -> String {
    let text = read("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn cpu_model() -> Option<String> {
    field(&read("/proc/cpuinfo")?, "model name")
}

fn memory() -> Option<String> {
    let total = field(&read("/proc/meminfo")?, "MemTotal")?;
    let kib: f64 = total.split(' ').next()?.parse().ok()?;
    Some(format!("{:.1} GiB", kib / f64::from(1 << 20)))
}

/// The value of a line such as `model name : x`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The file system decides what a durable commit costs.
fn file_system(folder: &Path) -> Option<String> {
    let kind = mounted_kind(&read("/proc/self/mounts")?, &folder.canonicalize().ok()?)?;
    Some(format!("SQLite on {kind}"))
}

/// The type of the deepest mount that holds `folder`; of several at one place, the last.
fn mounted_kind(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    let holding = mounts.filter(|(place, _)| folder.starts_with(place));
    holding.max_by_key(|(place, _)| place.components().count()).map(|(_, kind)| kind.to_owned())
}

fn build() -> String {
    let profile = if cfg!(debug_assertions) { "debug (figures mean nothing)" } else { "release" };
    format!("orders {}, {profile}, {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)
}

fn commit() -> Option<String> {
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?;
    let clean = said(Command::new("git").args(["status", "--porcelain"])).is_none();
    Some(if clean { commit } else { format!("{commit}, with uncommitted changes") })
}

/// What a command printed, if it went well and printed something.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let cpuinfo = "model\t\t: 143\nmodel name\t: A CPU @ 2.0: fast\n";
        assert_eq!(field(cpuinfo, "model name").as_deref(), Some("A CPU @ 2.0: fast"));
        assert_eq!(field(cpuinfo, "name"), None);
    }

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp xfs rw 0 0\nx /tmpo nfs rw 0 0";
        for (folder, kind) in [("/tmp/run", "xfs"), ("/home", "ext4"), ("/tmpo/x", "nfs")] {
            assert_eq!(mounted_kind(mounts, Path::new(folder)).as_deref(), Some(kind), "{folder}");
        }
    }
}
