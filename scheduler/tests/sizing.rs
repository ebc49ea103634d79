//! The number of permits follows a real CPU quota: a child process in a cgroup whose quota changes under it.
//!
//! Needs root and a writable `cpu` controller of cgroup v1; says "skipped" and why where there is none. The child is
//! this test binary again, told by a variable to play the other part: it prints the number whenever it changes.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use tidemill_scheduler::{Runtime, spawn, yield_now};

const CONTROLLER: &str = "/sys/fs/cgroup/cpu";
const CHILD: &str = "TIDEMILL_SIZING_TEST_CHILD";

/// A group with a period of 100 ms; removed when dropped.
struct Group(PathBuf);

impl Group {
    fn create() -> io::Result<Self> {
        let path = Path::new(CONTROLLER).join(format!("tidemill-sizing-{}", process::id()));
        fs::create_dir(&path)?;
        let group = Self(path);
        group.write("cpu.cfs_period_us", "100000")?;
        Ok(group)
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.0.join(file), text)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Killed and reaped when dropped, so that its group can be removed.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other part: a busy runtime, so that the monitor is awake.
fn play_child() {
    let rt = Runtime::new().unwrap();
    rt.spawn(async {
        loop {
            spawn(yield_now()).await.unwrap();
        }
    });
    let mut before = 0;
    loop {
        let procs = rt.metrics().procs;
        if procs != before {
            eprintln!("{procs}");
            before = procs;
        }
        thread::yield_now();
    }
}

/// The number that the child prints next.
fn next(says: &mut BufReader<ChildStderr>) -> usize {
    let mut line = String::new();
    says.read_line(&mut line).unwrap();
    line.trim().parse().unwrap_or_else(|_| panic!("the child said {line:?}"))
}

#[test]
fn the_number_of_permits_follows_the_quota() {
    if std::env::var_os(CHILD).is_some() {
        return play_child();
    }
    let group = match Group::create() {
        Ok(group) => group,
        Err(error) => return eprintln!("skipped: no v1 cpu group can be made: {error}"),
    };
    let cpus = thread::available_parallelism().unwrap().get();
    if cpus < 2 {
        return eprintln!("skipped: with one CPU there is nothing to follow");
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_number_of_permits_follows_the_quota", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Reaped(child.unwrap());
    let mut says = BufReader::new(child.0.stderr.take().unwrap());
    follow(&group, child.0.id(), &mut says, cpus).unwrap();
}

fn follow(group: &Group, child: u32, says: &mut BufReader<ChildStderr>, cpus: usize) -> io::Result<()> {
    let at_start = next(says);
    group.write("cpu.cfs_quota_us", "100000")?;
    group.write("cgroup.procs", &child.to_string())?;
    if at_start != 1 {
        expect(says, 1);
    }
    group.write("cpu.cfs_quota_us", "150000")?;
    expect(says, 2.min(cpus));
    group.write("cpu.cfs_quota_us", "50000")?;
    expect(says, 1);
    Ok(())
}

fn expect(says: &mut BufReader<ChildStderr>, procs: usize) {
    let since = Instant::now();
    assert_eq!(next(says), procs);
    // It is read once a second.
    assert!(since.elapsed() < Duration::from_secs(2), "it took {:?}", since.elapsed());
}
