//! `TIDEMILL_SCHEDTRACE=ms`: Go's `SCHED` line, printed to standard error by the monitor.
//!
//! The fields are Go's by name and place, so that what reads the one reads the other; behind them come our own. The two
//! lists have an entry per permit: Go's run queues belong to its Ps, ours to machines, so an entry is of the machine
//! that holds the permit, and 0 if the permit is idle.
//!
//! While lines are wanted, the monitor of an idle runtime does not sleep for good but until the next one.

use std::fmt;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::machines;
use super::{MachineMetrics, MachineState};
use crate::runtime::{Metrics, Shared};

const VARIABLE: &str = "TIDEMILL_SCHEDTRACE";

/// The interval that the variable asks for, if it does.
pub(crate) fn interval(env: impl Fn(&str) -> Option<String>) -> Result<Option<Duration>, String> {
    let Some(text) = env(VARIABLE) else { return Ok(None) };
    let millis = text.trim().parse::<u32>();
    let millis = millis.map_err(|_| format!("{VARIABLE} is {text:?}, not a whole number of milliseconds"))?;
    Ok((millis != 0).then(|| Duration::from_millis(millis.into())))
}

/// When to print.
#[derive(Debug)]
pub(crate) struct Trace {
    every: Duration,
    start: Instant,
    next: Instant,
}

impl Trace {
    /// One line now and one per interval.
    pub(crate) fn new(every: Duration, now: Instant) -> Self {
        Self { every, start: now, next: now }
    }

    /// Prints a line if it is time.
    pub(crate) fn turn(&mut self, shared: &Shared, now: Instant) {
        if self.is_due(now) {
            let line = format!("{}\n", Line::of(shared, now - self.start));
            // A closed standard error is no reason to stop anything.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    /// Is it time? Then the next is an interval from now: lines that were missed are not made up for.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + self.every;
        }
        due
    }

    /// Parks the thread until it is unparked, or a line was printed.
    pub(crate) fn park(&mut self, shared: &Shared) {
        thread::park_timeout(self.next.saturating_duration_since(Instant::now()));
        self.turn(shared, Instant::now());
    }
}

/// A line, before it is written.
struct Line {
    at: Duration,
    metrics: Metrics,
    /// Somebody should search and nobody does.
    need: bool,
    /// For each permit: tasks in the queue of the machine that holds it, and that machine's polls.
    permits: Vec<(usize, u64)>,
    runtime: String,
}

impl Line {
    fn of(shared: &Shared, at: Duration) -> Self {
        let metrics = Metrics::of(shared);
        let machines = machines::of(shared);
        Self {
            at,
            need: shared.roster.wants_wake() && shared.has_work(),
            permits: (0..metrics.procs as u32).map(|permit| of_permit(&machines, permit)).collect(),
            metrics,
            runtime: shared.options.thread_name.clone(),
        }
    }
}

fn of_permit(machines: &[MachineMetrics], permit: u32) -> (usize, u64) {
    let holder = machines.iter().find(|machine| machine.permit == Some(permit));
    holder.filter(|machine| machine.state != MachineState::Ended).map_or((0, 0), |m| (m.queue_depth, m.polls))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = &self.metrics;
        write!(f, "SCHED {}ms: gomaxprocs={} idleprocs={}", self.at.as_millis(), m.procs, m.idle_procs)?;
        write!(f, " threads={} spinningthreads={}", m.threads, m.searching_threads)?;
        write!(f, " needspinning={} idlethreads={}", u8::from(self.need), m.parked_threads + m.driving_threads)?;
        write!(f, " runqueue={} [", m.injector_depth)?;
        self.permits.iter().try_for_each(|(depth, _)| write!(f, " {depth}"))?;
        f.write_str(" ] schedticks=[")?;
        self.permits.iter().try_for_each(|(_, polls)| write!(f, " {polls}"))?;
        write!(
            f,
            " ] tasks={} blockingthreads={} waitingthreads={}",
            m.live_tasks, m.blocking_threads, m.waiting_threads
        )?;
        write!(f, " retakes={}/{}/{}", m.retaken_marked, m.retaken_blocked, m.retaken_burning)?;
        write!(f, " runtime={:?}", self.runtime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Procs, Runtime};

    #[test]
    fn the_variable_is_whole_milliseconds_and_0_is_off() {
        let cases = [
            (None, Ok(None)),
            (Some("0"), Ok(None)),
            (Some(" 1000 "), Ok(Some(Duration::from_secs(1)))),
            (Some("1s"), Err("TIDEMILL_SCHEDTRACE is \"1s\"")),
            (Some("-1"), Err("TIDEMILL_SCHEDTRACE is \"-1\"")),
            (Some(""), Err("TIDEMILL_SCHEDTRACE is \"\"")),
        ];
        for (text, expected) in cases {
            let got = interval(|name| text.filter(|_| name == "TIDEMILL_SCHEDTRACE").map(str::to_owned));
            match (expected, got) {
                (Ok(expected), Ok(got)) => assert_eq!(expected, got, "{text:?}"),
                (Err(part), Err(fault)) => assert!(fault.contains(part), "{fault:?} does not name {part:?}"),
                (expected, got) => panic!("{text:?}: expected {expected:?}, got {got:?}"),
            }
        }
    }

    #[test]
    fn the_line_is_gos_and_then_ours() {
        let rt = Runtime::builder().procs(Procs::Fixed(2)).build().expect("the options are valid");
        let mut metrics = rt.metrics();
        (metrics.idle_procs, metrics.threads, metrics.searching_threads) = (1, 5, 0);
        (metrics.parked_threads, metrics.driving_threads, metrics.injector_depth) = (1, 1, 7);
        (metrics.live_tasks, metrics.blocking_threads, metrics.waiting_threads) = (120, 2, 0);
        (metrics.retaken_marked, metrics.retaken_blocked, metrics.retaken_burning) = (3, 1, 0);
        let at = Duration::from_micros(1_009_999);
        let line = Line { at, metrics, need: false, permits: vec![(3, 4711), (0, 0)], runtime: "shop".to_owned() };
        // As in the README.
        let expected = "SCHED 1009ms: gomaxprocs=2 idleprocs=1 threads=5 spinningthreads=0 needspinning=0 \
            idlethreads=2 runqueue=7 [ 3 0 ] schedticks=[ 4711 0 ] \
            tasks=120 blockingthreads=2 waitingthreads=0 retakes=3/1/0 runtime=\"shop\"";
        assert_eq!(line.to_string(), expected);
        assert!(include_str!("../../README.md").contains(expected), "the README shows another line");
    }

    #[test]
    fn lines_come_at_the_interval_and_late_ones_are_not_made_up_for() {
        let start = Instant::now();
        let mut trace = Trace::new(Duration::from_millis(10), start);
        let due = [0, 5, 9, 10, 11, 19, 20, 55, 60, 64, 65].map(|ms| trace.is_due(start + Duration::from_millis(ms)));
        assert_eq!(due, [true, false, false, true, false, false, true, true, false, false, true]);
    }
}
