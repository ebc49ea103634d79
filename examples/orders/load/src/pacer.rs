//! The clock of the open loop: a thread of its own that lets each request go at its planned time.
//!
//! It does nothing else and waits for nobody, so a slow server, a busy runtime or a full connection
//! cannot slow the plan down. A wait is a sleep and a short spin: the kernel wakes a sleeper late by its
//! timer slack and by the way to the core, the spin covers that. Spinning takes a core that the server
//! may need, so it is bounded to a share of the gap; at high rates the pacer sleeps and lets small
//! groups go together. Either way the lateness is measured and reported as lag.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use flume::Sender;

use crate::{Schedule, limits, shared::Shared};

/// How often a sleeping pacer looks whether its run was given up.
const LOOK: Duration = Duration::from_millis(20);

/// A request whose time has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) step: usize,
    pub(crate) planned: Duration,
    /// When the pacer let it go.
    pub(crate) released: Duration,
}

/// Starts the thread; it ends, and closes the channel, with the schedule or when the run is stopped.
pub(crate) fn start(shared: Arc<Shared>, schedule: Schedule, jobs: Sender<Job>) -> io::Result<()> {
    let pace = move || {
        // Better where it works; where it does not, the spin is a little short and the lag shows it.
        let _ = lower_timer_slack();
        pace(&shared, &schedule, &jobs);
    };
    thread::Builder::new().name("load-pacer".to_owned()).spawn(pace).map(drop)
}

fn pace(shared: &Shared, schedule: &Schedule, jobs: &Sender<Job>) {
    let spin = limits::SPIN.min(schedule.shortest_gap().mul_f64(limits::SPIN_SHARE));
    for number in 0..schedule.len() {
        let planned = schedule.time(number);
        if !wait(shared, shared.start + planned, spin) {
            return;
        }
        let step = schedule.step_of(number);
        if shared.admit(step) {
            let released = shared.start.elapsed();
            let job = Job { number: number as u64, step, planned, released };
            if jobs.send(job).is_err() {
                return;
            }
        }
    }
}

/// Waits until `time`; false if the run was stopped.
fn wait(shared: &Shared, time: Instant, spin: Duration) -> bool {
    while !shared.is_stopped() {
        let left = time.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if left <= spin {
            std::hint::spin_loop();
        } else {
            thread::sleep((left - spin).max(limits::COALESCE).min(LOOK));
        }
    }
    false
}

/// Asks the kernel to wake this thread on time. The file stands under the thread's own number, and a
/// thread may always write its own.
fn lower_timer_slack() -> io::Result<()> {
    let link = std::fs::read_link("/proc/thread-self")?;
    let thread = link.file_name().ok_or(io::ErrorKind::NotFound)?;
    let file = std::path::Path::new("/proc").join(thread).join("timerslack_ns");
    std::fs::write(file, limits::TIMER_SLACK_NS.to_string())
}
