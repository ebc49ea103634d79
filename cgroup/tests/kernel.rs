//! The real kernel: a child process in a cgroup v1 group whose quota changes under it.
//!
//! Needs root and a writable `cpu` controller of v1; says "skipped" and why where there is none.
//! The child is this very test binary, told by a variable to play the other part. Both talk in
//! lines: the child polls when asked, so there is nothing to wait for and no clock.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStderr, Command, Stdio};

use tidemill_cgroup::Watcher;

const CONTROLLER: &str = "/sys/fs/cgroup/cpu";
const CHILD: &str = "TIDEMILL_CGROUP_TEST_CHILD";
const UNCHANGED: &str = "unchanged";

/// A cgroup with a period of 100 ms; removed when dropped.
struct Group(PathBuf);

impl Group {
    fn create(path: PathBuf) -> io::Result<Self> {
        fs::create_dir(&path)?;
        let group = Self(path);
        fs::write(group.0.join("cpu.cfs_period_us"), "100000")?;
        Ok(group)
    }

    fn set_quota_us(&self, quota_us: i64) {
        fs::write(self.0.join("cpu.cfs_quota_us"), quota_us.to_string()).unwrap();
    }

    fn admit(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            eprintln!("left behind: {}: {error}", self.0.display());
        }
    }
}

/// The child; killed and reaped when dropped, so that its group can be removed.
struct Child {
    process: process::Child,
    says: BufReader<ChildStderr>,
}

impl Child {
    fn start(test: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null()) // the test harness talks there
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stderr.take().unwrap());
        Self { process, says }
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.says.read_line(&mut line).unwrap(), 0, "the child is gone");
        line.trim_end().to_owned()
    }

    fn poll(&mut self) -> String {
        self.process.stdin.as_mut().unwrap().write_all(b"poll\n").unwrap();
        self.hear()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; reaping it is what counts.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other part: reports the limit at the start, then what each line on standard input finds.
fn play_child() {
    let mut watcher = Watcher::new();
    eprintln!("{}", watcher.current());
    for _ in io::stdin().lines() {
        match watcher.poll() {
            Some(limit) => eprintln!("{limit}"),
            None => eprintln!("{UNCHANGED}"),
        }
    }
}

#[test]
fn a_watcher_follows_a_real_cgroup() {
    if std::env::var_os(CHILD).is_some() {
        return play_child();
    }
    let name = format!("tidemill-test-{}", process::id());
    let path = Path::new(CONTROLLER).join(&name);
    match Group::create(path.clone()) {
        Ok(outer) => follow(&name, &outer),
        Err(error) => eprintln!("skipped: no v1 cpu group at {}: {error}", path.display()),
    }
    assert!(!path.exists(), "the group was not removed");
}

fn follow(name: &str, outer: &Group) {
    let inner = Group::create(outer.0.join("inner")).unwrap();
    let mut child = Child::start("a_watcher_follows_a_real_cgroup");
    let at_start = child.hear();
    assert!(!at_start.contains(name), "{at_start}");
    assert_eq!(child.poll(), UNCHANGED);

    let cpus = std::thread::available_parallelism().unwrap().get();
    let pid = child.process.id();
    let mut expect = |quota: &str, group: &str, procs: usize| {
        let line = child.poll();
        let reason = format!("quota {quota} CPUs at ");
        assert!(line.starts_with(&reason) && line.contains(&format!("/{group}, ")), "{line}");
        assert!(line.ends_with(&format!("-> {}", procs.min(cpus))), "{line}");
        assert_eq!(child.poll(), UNCHANGED);
    };
    // Moved into a limited group, whose quota then changes.
    outer.set_quota_us(50_000);
    outer.admit(pid);
    expect("0.50", name, 1);
    outer.set_quota_us(150_000);
    expect("1.50", name, 2);
    // Moved one level down: the parent still binds, until the leaf is tighter.
    inner.admit(pid);
    inner.set_quota_us(25_000);
    expect("0.25", &format!("{name}/inner"), 1);
    inner.set_quota_us(-1);
    expect("1.50", name, 2);
}
