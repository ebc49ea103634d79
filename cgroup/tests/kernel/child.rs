//! The process inside the group: this very test binary, told by a variable to play the other part.
//!
//! Both talk in lines: the child answers when asked, so there is nothing to wait for.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{self, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use tidemill_cgroup::{Resource, Watcher, cpu_limit, memory_limit, pressure, throttling};

const CHILD: &str = "TIDEMILL_CGROUP_TEST_CHILD";
pub(crate) const UNCHANGED: &str = "unchanged";
/// A spinning child on a crowded machine needs seconds to use up its quota a few times, not a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// The child; killed and reaped when dropped, so that its group can be removed.
pub(crate) struct Child {
    process: process::Child,
    says: BufReader<ChildStderr>,
}

impl Child {
    pub(crate) fn start() -> Self {
        Self::start_by(&[])
    }

    /// Started by the command line `wrapper`, to which the child's is appended.
    pub(crate) fn start_by(wrapper: &[&str]) -> Self {
        let exe = std::env::current_exe().unwrap();
        let line = wrapper.iter().copied().chain([exe.to_str().unwrap(), "--exact", "child::play", "--nocapture"]);
        let line: Vec<&str> = line.collect();
        let mut process = Command::new(line[0])
            .args(&line[1..])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null()) // the test harness talks there
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stderr.take().unwrap());
        Self { process, says }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its answer.
    pub(crate) fn ask(&mut self, what: &str) -> String {
        self.process.stdin.as_mut().unwrap().write_all(format!("{what}\n").as_bytes()).unwrap();
        let mut line = String::new();
        assert_ne!(self.says.read_line(&mut line).unwrap(), 0, "the child is gone");
        line.trim_end().to_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; reaping it is what counts.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The other part. As a test it does nothing.
#[test]
fn play() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut watcher = Watcher::new();
    for question in io::stdin().lines() {
        let answer: Box<dyn Display> = match question.unwrap().as_str() {
            "poll" => watcher.poll().map_or(Box::new(UNCHANGED), |limit| Box::new(limit)),
            "change" => Box::new(&watcher),
            "cpu" => Box::new(cpu_limit()),
            "memory" => Box::new(memory_limit()),
            "pressure" => Box::new(pressure(Resource::Cpu)),
            "throttling" => Box::new(throttling()),
            "spin" => Box::new(spin()),
            other => panic!("{other}?"),
        };
        eprintln!("{answer}");
    }
}

/// Burns CPU until three more periods have been throttled; says how many there were in all.
fn spin() -> u64 {
    let (start, before) = (Instant::now(), throttling());
    loop {
        let sum = throttling().since(&before).total();
        if sum.throttled_periods >= 3 {
            assert!(sum.periods >= 3 && !sum.time.is_zero(), "{sum}");
            return sum.throttled_periods;
        }
        assert!(start.elapsed() < PATIENCE, "{sum}");
    }
}
