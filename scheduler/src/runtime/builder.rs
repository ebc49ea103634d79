//! The options of a runtime.

use std::env;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use tidemill_cgroup::{CpuLimit, Rounding, Watcher};

use super::Runtime;
use crate::limits::{
    BLOCKED_AFTER, FLIGHT_RECORDER_MAX, MAX_THREADS, MONITOR_NAP_MAX, MONITOR_NAP_MIN, MOST_THREADS, SLICE,
    THREAD_KEEP_ALIVE,
};
use crate::watch;

/// How many tasks run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Procs {
    /// As many as the process has CPUs: by affinity and by the CPU quota at every level of the cgroup, rounded up. They
    /// are read again once a second, and the number follows, up to the affinity of the start. The environment
    /// variable `TIDEMILL_PROCS`, if it is set, fixes it instead.
    #[default]
    Auto,
    /// This many; at least one.
    Fixed(usize),
}

/// The options of a [`Runtime`], each with a default.
///
/// ```
/// use tidemill_scheduler::{Procs, Runtime};
///
/// let rt = Runtime::builder().procs(Procs::Fixed(2)).max_threads(64).thread_name("worker").build()?;
/// assert_eq!(rt.metrics().procs, 2);
///
/// let refused = Runtime::builder().procs(Procs::Fixed(0)).build().unwrap_err();
/// assert_eq!(refused.to_string(), "procs is 0: at least one task has to run at a time");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    procs: Procs,
    max_threads: usize,
    thread_name: String,
    thread_keep_alive: Duration,
    blocked_after: Duration,
    slice: Duration,
    flight_recorder: usize,
}

/// Checked options.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) procs: usize,
    /// What `procs` may grow to.
    pub(crate) most_procs: usize,
    pub(crate) max_threads: usize,
    pub(crate) thread_name: String,
    pub(crate) thread_keep_alive: Duration,
    pub(crate) blocked_after: Duration,
    pub(crate) slice: Duration,
    /// Events that the flight recorder keeps of each thread; 0: it is off.
    pub(crate) flight_recorder: usize,
    /// How often a line is printed, if at all.
    pub(crate) trace: Option<Duration>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            procs: Procs::Auto,
            max_threads: MAX_THREADS,
            thread_name: "tidemill".to_owned(),
            thread_keep_alive: THREAD_KEEP_ALIVE,
            blocked_after: BLOCKED_AFTER,
            slice: SLICE,
            flight_recorder: 0,
        }
    }
}

impl Builder {
    /// How many tasks run at the same time. Default: [`Procs::Auto`].
    pub fn procs(mut self, procs: Procs) -> Self {
        self.procs = procs;
        self
    }

    /// Threads at the most, blocked ones included. Past it, work waits for a thread to come back, and
    /// [`Metrics::thread_cap_hits`](crate::Metrics::thread_cap_hits) counts. Default: 512. From `procs` to a million.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = threads;
        self
    }

    /// The name of the threads. Linux shows its first 15 bytes. Default: `tidemill`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// How long a thread without work is kept for the next burst. The one that waits for I/O and timers stays for good.
    /// Default: 10 s. Zero ends a thread as soon as it has nothing to do.
    pub fn thread_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.thread_keep_alive = keep_alive;
        self
    }

    /// How long a poll may sleep in the kernel without saying so (see [`blocking`](crate::blocking)) while other work
    /// waits. After that another thread takes its turn. Seen up to two naps of the monitor later, at most 1 ms each.
    /// Default: 1 ms. At least 20 us, the monitor's shortest nap; [`Duration::MAX`] leaves such polls alone.
    pub fn blocked_after(mut self, sleep: Duration) -> Self {
        self.blocked_after = sleep;
        self
    }

    /// How long a poll may use its CPU while other work waits. After that another thread takes its turn beside it, unless
    /// others turn over: then only its queue is given to them. Default: 10 ms. At least 1 ms.
    pub fn slice(mut self, slice: Duration) -> Self {
        self.slice = slice;
        self
    }

    /// Keeps the last `events` of each thread (polls, parks, steals, retakes and the like), rounded up to a power of two,
    /// for [`Handle::flight_record`](crate::Handle::flight_record). Default: 0, which is off. At most 2^20.
    ///
    /// # Cost
    /// Off: a branch per event. On: 48 bytes per event and thread, and two clock reads per poll.
    pub fn flight_recorder(mut self, events: usize) -> Self {
        self.flight_recorder = events;
        self
    }

    /// Builds the runtime: checks the options, starts the first thread and the monitor.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an option or a variable (`TIDEMILL_PROCS`,
    /// `TIDEMILL_SCHEDTRACE`) out of range, naming it; else the system's, if it refuses a thread or the reactor's file descriptors.
    pub fn build(self) -> io::Result<Runtime> {
        let (options, watcher) = self.checked(|name| env::var(name).ok()).map_err(invalid)?;
        Runtime::start(options, watcher)
    }

    fn checked(self, env: impl Fn(&str) -> Option<String>) -> Result<(Options, Option<Watcher>), String> {
        let (procs, watcher) = self.procs.resolve(&env)?;
        if self.max_threads < procs {
            return Err(format!("max_threads is {}, fewer than the {procs} procs", self.max_threads));
        }
        if self.max_threads > MOST_THREADS {
            return Err(format!("max_threads is {}, more than {MOST_THREADS}", self.max_threads));
        }
        at_least("blocked_after", self.blocked_after, MONITOR_NAP_MIN)?;
        at_least("slice", self.slice, MONITOR_NAP_MAX)?;
        if self.thread_name.contains('\0') {
            return Err(format!("thread_name {:?} has a NUL in it", self.thread_name));
        }
        if self.flight_recorder > FLIGHT_RECORDER_MAX {
            return Err(format!("flight_recorder is {}, more than {FLIGHT_RECORDER_MAX}", self.flight_recorder));
        }
        let trace = watch::interval(env)?;
        let cpus = watcher.as_ref().map_or(procs, |watcher| watcher.current().affinity().get());
        let most_procs = cpus.clamp(procs, self.max_threads);
        let Self { max_threads, thread_name, thread_keep_alive, blocked_after, slice, flight_recorder, .. } = self;
        let options = Options {
            procs,
            most_procs,
            max_threads,
            thread_name,
            thread_keep_alive,
            blocked_after,
            slice,
            flight_recorder,
            trace,
        };
        Ok((options, watcher))
    }
}

/// A threshold finer than the monitor looks would be a promise nobody keeps.
fn at_least(name: &str, value: Duration, least: Duration) -> Result<(), String> {
    if value < least { Err(format!("{name} is {value:?}, shorter than {least:?}")) } else { Ok(()) }
}

impl Procs {
    /// The number, and for `Auto` what to follow.
    fn resolve(self, env: impl Fn(&str) -> Option<String>) -> Result<(usize, Option<Watcher>), String> {
        match (self, env(PROCS_VARIABLE)) {
            (Self::Fixed(0), _) => Err("procs is 0: at least one task has to run at a time".to_owned()),
            (Self::Fixed(n), _) => Ok((n, None)),
            (Self::Auto, Some(text)) => Ok((parse(&text)?, None)),
            (Self::Auto, None) => {
                let watcher = Watcher::new();
                Ok((procs(watcher.current()), Some(watcher)))
            }
        }
    }
}

const PROCS_VARIABLE: &str = "TIDEMILL_PROCS";

fn parse(text: &str) -> Result<usize, String> {
    let procs = text.trim().parse::<NonZeroUsize>();
    procs.map(NonZeroUsize::get).map_err(|_| format!("{PROCS_VARIABLE} is {text:?}, not a whole number from 1"))
}

/// Rounded up, at least one: a quota of 1.5 CPUs is used up by two threads, and not by one.
pub(crate) fn procs(limit: &CpuLimit) -> usize {
    limit.procs(Rounding::Ceil, NonZeroUsize::MIN).get()
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_and_the_fault_is_named() {
        let builder = Builder::default;
        let one = || builder().procs(Procs::Fixed(1));
        let cases = [
            (builder().procs(Procs::Fixed(0)), None, Err("procs is 0")),
            (builder().procs(Procs::Fixed(3)), Some("7"), Ok(3)),
            (builder(), Some("7"), Ok(7)),
            (builder(), Some(" 2 "), Ok(2)),
            (builder(), Some("0"), Err("TIDEMILL_PROCS is \"0\"")),
            (builder(), Some("many"), Err("TIDEMILL_PROCS is \"many\"")),
            (builder().procs(Procs::Fixed(4)).max_threads(3), None, Err("max_threads is 3, fewer than the 4 procs")),
            (
                builder().procs(Procs::Fixed(4)).max_threads(usize::MAX),
                None,
                Err("max_threads is 18446744073709551615"),
            ),
            (one().slice(Duration::ZERO), None, Err("slice is 0ns, shorter than 1ms")),
            (one().slice(Duration::MAX), None, Ok(1)),
            (one().blocked_after(Duration::from_micros(19)), None, Err("blocked_after is 19µs, shorter than 20µs")),
            (one().blocked_after(Duration::MAX).thread_keep_alive(Duration::MAX), None, Ok(1)),
            (one().blocked_after(Duration::from_micros(20)).thread_keep_alive(Duration::ZERO), None, Ok(1)),
            (one().thread_name("a\0b"), None, Err("thread_name \"a\\0b\"")),
        ];
        for (builder, variable, expected) in cases {
            let got = builder.clone().checked(|_| variable.map(str::to_owned)).map(|(options, _)| options.procs);
            match (expected, got) {
                (Ok(procs), Ok(got)) => assert_eq!(procs, got),
                (Err(part), Err(text)) => assert!(text.contains(part), "{text:?} does not name {part:?}"),
                (expected, got) => panic!("{builder:?} with {variable:?}: expected {expected:?}, got {got:?}"),
            }
        }
    }
}
