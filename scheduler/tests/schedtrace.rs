//! `TIDEMILL_SCHEDTRACE` as a user sees it: lines on the standard error of a process, also while it is idle.
//!
//! The child is this test binary again, told by a variable to play the other part.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tidemill_scheduler::{Procs, Runtime};

const VARIABLE: &str = "TIDEMILL_SCHEDTRACE";
const CHILD: &str = "TIDEMILL_SCHEDTRACE_TEST_CHILD";

/// Killed and reaped when dropped.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(interval: &str) -> Reaped {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "an_idle_runtime_prints_a_line_per_interval", "--nocapture"]);
    command.env(CHILD, "1").env(VARIABLE, interval).stdout(Stdio::null()).stderr(Stdio::piped());
    Reaped(command.spawn().unwrap())
}

/// An idle runtime, for long; or the reason why there is none.
fn play_child() {
    match Runtime::builder().procs(Procs::Fixed(2)).build() {
        // The parent kills it much earlier.
        Ok(_idle) => std::thread::park_timeout(Duration::from_secs(60)),
        Err(fault) => eprintln!("{fault}"),
    }
}

#[test]
fn an_idle_runtime_prints_a_line_per_interval() {
    if std::env::var_os(CHILD).is_some() {
        return play_child();
    }
    let mut child = child("5");
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    // The monitor naps for some 80 ms before it sleeps for good; the later lines are printed out of that sleep.
    let lines: Vec<String> = lines.filter(|line| line.starts_with("SCHED ")).take(60).collect();
    assert_eq!(lines.len(), 60, "{lines:?}");
    let millis: Vec<u64> = lines.iter().map(|line| line[6..].split_once("ms: ").unwrap().0.parse().unwrap()).collect();
    assert!(millis.windows(2).all(|pair| pair[1] >= pair[0] + 4), "{millis:?}");
    let last = lines.last().unwrap();
    for part in [" gomaxprocs=2 idleprocs=2 ", " idlethreads=1 ", " [ 0 0 ] ", " tasks=0 ", " runtime=\"tidemill\""] {
        assert!(last.contains(part), "{part:?} is not in {last:?}");
    }
}

#[test]
fn a_malformed_interval_is_an_error_that_names_it() {
    let mut child = child("often");
    let lines: Vec<String> = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["TIDEMILL_SCHEDTRACE is \"often\", not a whole number of milliseconds"]);
}
