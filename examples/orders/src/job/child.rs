//! A server in a process of its own: this program again, with other arguments.
//!
//! The child says on stdout where it listens; its stderr goes to a log file in the job's folder. It is asked
//! to end by SIGTERM, and killed if the job drops it, so that no failure leaves a server behind.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::client;
use super::error::{Doing, JobError};

/// A child that has not said by then where it listens never will.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// How often a child that was asked to end is looked at.
const EXIT_POLL: Duration = Duration::from_millis(10);
/// A small page of a busy server.
const PAGE_PATIENCE: Duration = Duration::from_secs(10);

/// A running child that answers HTTP.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts this program with `args`, and waits until it says where it listens.
    pub(crate) fn start(name: &str, args: &[&str], log: &Path) -> Result<Self, JobError> {
        let starting = || format!("starting {name}");
        let mut child = Command::new(std::env::current_exe().doing(starting)?)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log).doing(starting)?)
            .spawn()
            .doing(starting)?;
        let stdout = child.stdout.take().expect("stdout is piped");
        match announced_address(stdout) {
            Ok(address) => Ok(Self { name: name.to_owned(), address, child }),
            Err(error) => {
                // It may be running and mute. That it cannot be killed says that it is gone already.
                let _ = child.kill();
                let _ = child.wait();
                Err(JobError::new(format!("starting {name}, see {}", log.display()), error))
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The body of `path`.
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>, JobError> {
        self.get_within(path, PAGE_PATIENCE)
    }

    /// The body of `path`, for pages that take their time.
    pub(crate) fn get_within(&self, path: &str, patience: Duration) -> Result<Vec<u8>, JobError> {
        client::get(self.address, path, patience).doing(|| format!("asking {} for {path}", self.name))
    }

    /// Asks it to end, and waits until it has ended well.
    pub(crate) fn stop(mut self, patience: Duration) -> Result<(), JobError> {
        let stopping = || format!("stopping {}", self.name);
        terminate(self.child.id()).doing(stopping)?;
        let status = wait(&mut self.child, patience).doing(stopping)?;
        if status.success() { Ok(()) } else { Err(JobError::new(stopping(), status.to_string())) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` both fail, because the child is gone: that is all that is wanted here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines until one names an address; a thread goes on reading, so that the child never blocks on a
/// full pipe.
fn announced_address(stdout: ChildStdout) -> io::Result<SocketAddr> {
    let (found, announcement) = mpsc::channel();
    thread::spawn(move || {
        for address in BufReader::new(stdout).lines().map_while(Result::ok).filter_map(|line| address_in(&line)) {
            // Later lines find nobody waiting.
            let _ = found.send(address);
        }
    });
    announcement
        .recv_timeout(START_PATIENCE)
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it never said where it listens"))
}

/// The address in a line such as `listening on http://127.0.0.1:8080`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split(|c: char| c == '/' || c.is_whitespace()).next()?.parse().ok()
}

/// Sends SIGTERM. By way of the shell, which has `kill` built in: the system call would be the only unsafe
/// line of the program.
fn terminate(pid: u32) -> io::Result<()> {
    let status = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("it is no longer running")) }
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("still running after {patience:?}")));
        }
        thread::sleep(EXIT_POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_a_line() {
        let local = "127.0.0.1:8080".parse().ok();
        for (line, address) in [
            ("listening on http://127.0.0.1:8080", local),
            ("orders: http://127.0.0.1:8080/ (naive)", local),
            ("http://127.0.0.1:8080 ready", local),
            ("listening on 127.0.0.1:8080", None),
            ("see http://example.org/", None),
        ] {
            assert_eq!(address_in(line), address, "{line}");
        }
    }
}
