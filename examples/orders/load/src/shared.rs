//! What the pacer, the connections and the caller of one run share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tidemill::JoinHandle;

use crate::{
    Counts, LoadError, Plan, limits,
    line::Line,
    recorder::{Recorder, Sample},
};

/// The state of one run.
///
/// The atomics are relaxed: each is a number or a wish of its own that publishes nothing else. The sums
/// are read after the tasks were joined, and joining orders them.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) start: Instant,
    duration: Duration,
    planned: u64,
    recorder: Mutex<Recorder>,
    in_flight: AtomicUsize,
    dropped: Vec<AtomicU64>,
    stopped: AtomicBool,
}

/// How far a run is.
///
/// ```
/// use std::time::Duration;
/// use orders_load::{Counts, Progress};
/// let progress = Progress {
///     elapsed: Duration::from_secs(1),
///     duration: Duration::from_secs(10),
///     planned: 5000,
///     counts: Counts::default(),
///     dropped: 0,
///     in_flight: 3,
/// };
/// assert_eq!(progress.share(), 0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// How long requests are sent for.
    pub duration: Duration,
    /// Requests of the whole schedule; 0 in a closed loop.
    pub planned: u64,
    /// Requests that have ended.
    pub counts: Counts,
    /// Requests not sent because too many were in flight.
    pub dropped: u64,
    /// Requests sent or waiting for a connection.
    pub in_flight: usize,
}

impl Progress {
    /// The share of the time that has passed, at most 1.
    pub fn share(&self) -> f64 {
        (self.elapsed.as_secs_f64() / self.duration.as_secs_f64()).min(1.0)
    }
}

impl Shared {
    pub(crate) fn new(plan: Plan, duration: Duration, planned: u64, steps: usize) -> Arc<Self> {
        Arc::new(Self {
            plan,
            start: Instant::now(),
            duration,
            planned,
            recorder: Mutex::new(Recorder::new(steps)),
            in_flight: AtomicUsize::new(0),
            dropped: (0..steps).map(|_| AtomicU64::new(0)).collect(),
            stopped: AtomicBool::new(false),
        })
    }

    /// A place for one more request in flight, or a drop counted for `step`. Only the pacer asks, so
    /// between its look and its claim the number can only have become smaller.
    pub(crate) fn admit(&self, step: usize) -> bool {
        let free = self.in_flight.load(Ordering::Relaxed) < self.plan.in_flight;
        let counter = &self.dropped[step];
        if free {
            self.in_flight.fetch_add(1, Ordering::Relaxed);
        } else {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        free
    }

    /// Files a request that was admitted, and frees its place.
    pub(crate) fn end(&self, sample: &Sample) {
        self.record(sample);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn record(&self, sample: &Sample) {
        self.recorder().record(sample);
    }

    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        // A torn sum is possible only if recording panicked, and then the run ends in an error.
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dropped(&self) -> Vec<u64> {
        self.dropped.iter().map(|step| step.load(Ordering::Relaxed)).collect()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn progress(&self) -> Progress {
        Progress {
            elapsed: self.start.elapsed(),
            duration: self.duration,
            planned: self.planned,
            counts: self.recorder().counts(),
            dropped: self.dropped().iter().sum(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }

    /// Waits for the connections' tasks and tells the progress meanwhile.
    pub(crate) async fn watch(&self, tasks: Vec<JoinHandle<()>>) -> Result<(), LoadError> {
        let mut tick = tokio::time::interval(limits::PROGRESS);
        tick.tick().await;
        let mut joined = std::pin::pin!(join(tasks));
        loop {
            tokio::select! {
                ended = &mut joined => return ended,
                _ = tick.tick() => (self.plan.on_progress)(&self.progress()),
            }
        }
    }
}

async fn join(tasks: Vec<JoinHandle<()>>) -> Result<(), LoadError> {
    for task in tasks {
        task.await.map_err(|_| LoadError::Source)?;
    }
    Ok(())
}

/// Ends pacer and connections when the run is dropped or fails.
pub(crate) struct StopOnDrop(pub(crate) Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// Opens every connection of the plan, so that no request pays for one.
pub(crate) async fn open_lines(plan: &Plan) -> Result<Vec<Line>, LoadError> {
    let mut lines = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        let opened = tokio::time::timeout(plan.timeout, Line::open(plan.addr)).await;
        let opened = opened.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        lines.push(opened.map_err(|error| LoadError::Connect { addr: plan.addr, error })?);
    }
    Ok(lines)
}
