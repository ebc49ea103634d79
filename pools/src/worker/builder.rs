//! Checked options of a worker pool, and the three ways to say what a worker does with a job.

use std::{
    error::Error,
    fmt,
    future::{Future, ready},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use tidemill_clock::SharedClock;
use tidemill_context::Context;

use super::{
    WorkerPool, inside,
    job::Job,
    overflow::Overflow,
    run::{Seat, work},
    shared::{Rules, Shared},
    shed::Shed,
};
use crate::{
    Clock, Spawner,
    limits::{IDLE_EXPIRY, QUEUE_DEFAULT},
};

/// Options of a [`WorkerPool`]; made by [`WorkerPool::builder`], ended by one of the `build` methods.
///
/// | method | a worker does | for |
/// |---|---|---|
/// | [`build`](Self::build) | `handler(job).await` | asynchronous work on plain data |
/// | [`build_sync`](Self::build_sync) | `handler(job)` in place | short computations |
/// | [`build_blocking`](Self::build_blocking) | `handler(job)` where it may block | files, foreign calls, long computations |
/// | [`build_jobs`](Self::build_jobs) | whatever the [`Job`] says | different code per job |
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{future::ready, time::Duration};
/// use tidemill_pools::{Overflow, WorkerPool};
///
/// let pool = WorkerPool::builder()
///     .workers(2..=16)                    // grows with its load
///     .queue(100)
///     .overflow(Overflow::Reject)         // a full queue: no wait
///     .run_within(Duration::from_secs(5)) // a job that takes longer is dropped
///     .failed_when(Result::is_err)        // what `stats` counts as failed
///     .build(|text: &str| ready(text.parse::<u32>()))?;
/// assert!(pool.submit("seven").await?.await?.is_err());
/// assert_eq!(pool.stats().failed, 1);
/// # Ok(()) }
/// ```
pub struct WorkerBuilder<J, T> {
    workers: Option<Workers>,
    queue: usize,
    overflow: Overflow,
    start_within: Option<Duration>,
    run_within: Option<Duration>,
    idle_expiry: Duration,
    clock: Option<SharedClock>,
    spawner: Option<Spawner>,
    failed_when: Option<fn(&T) -> bool>,
    on_shed: Option<Hook<J>>,
}

/// What is told of the jobs that will never start.
type Hook<J> = Box<dyn Fn(J, Shed) + Send + Sync>;

/// How many workers a pool has: `4`, or `1..=16` for one that grows with its load and shrinks without.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{WorkerPool, Workers};
///
/// let (night, day) = (Workers::from(1), Workers::from(2..=16));
/// let pool = WorkerPool::builder().workers(night).build(|n: u32| async move { n })?;
/// assert_eq!(pool.workers(), 1);
/// pool.resize(day)?;
/// assert_eq!(pool.workers(), 16); // at the most
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl From<usize> for Workers {
    fn from(workers: usize) -> Self {
        Self { min: workers, max: workers }
    }
}

impl From<RangeInclusive<usize>> for Workers {
    fn from(workers: RangeInclusive<usize>) -> Self {
        Self { min: *workers.start(), max: *workers.end() }
    }
}

impl Workers {
    pub(super) fn check(self) -> Result<Self, BuildError> {
        match self {
            Self { max: 0, .. } => Err(BuildError::NoWorkers),
            Self { min, max } if min > max => Err(BuildError::WorkersBackwards),
            workers => Ok(workers),
        }
    }
}

impl<J: Send + 'static, T: Send + 'static> WorkerBuilder<J, T> {
    pub(super) fn new() -> Self {
        Self {
            workers: None,
            queue: QUEUE_DEFAULT,
            overflow: Overflow::Wait,
            start_within: None,
            run_within: None,
            idle_expiry: IDLE_EXPIRY,
            clock: None,
            spawner: None,
            failed_when: None,
            on_shed: None,
        }
    }

    /// How many jobs run at the same time: a number, or a range like `1..=16`. A worker is a task, not a thread.
    /// Default: one per CPU.
    ///
    /// A pool with a range hires a worker whenever a job is queued and no worker is idle, and lets those above the lower
    /// end go when they were idle for [`idle_expiry`](Self::idle_expiry).
    pub fn workers(mut self, workers: impl Into<Workers>) -> Self {
        self.workers = Some(workers.into());
        self
    }

    /// How many jobs may wait for a worker. Default: 1,024.
    pub fn queue(mut self, places: usize) -> Self {
        self.queue = places;
        self
    }

    /// What happens to a job that finds the queue full. Default: its submitter waits.
    pub fn overflow(mut self, policy: Overflow) -> Self {
        self.overflow = policy;
        self
    }

    /// How soon after its submission a job has to start, if nothing else is said for it; a job that is late is never
    /// started. Default: whenever.
    ///
    /// A submitter that waits for a place gives up in time; a queued job is put aside when a worker comes to it, or when
    /// a newcomer needs its place. Cost: two clock reads and an allocation per job.
    pub fn start_within(mut self, time: Duration) -> Self {
        self.start_within = Some(time);
        self
    }

    /// How long a job may run, if nothing else is said for it; then it is dropped at its next `await`. Default: as long
    /// as it wants.
    ///
    /// A closure that holds a thread cannot be dropped: on tokio it goes on unobserved, on tidemill the ticket waits for
    /// it. Cost: a clock read per job, and a timer for a job that is not ready at once.
    pub fn run_within(mut self, time: Duration) -> Self {
        self.run_within = Some(time);
        self
    }

    /// How long a worker above the lower end of [`workers`](Self::workers) stays without work. Default: 10 s. Cost: a
    /// timer each time such a worker becomes idle.
    pub fn idle_expiry(mut self, time: Duration) -> Self {
        self.idle_expiry = time;
        self
    }

    /// The clock of all time-outs and measurements; a test gives it a [`ManualClock`](crate::ManualClock). Default: tokio's.
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.clock = Some(SharedClock::new(clock));
        self
    }

    /// Hands every job that was queued and is not going to start to `hook`, with the reason: it gave way, came too late,
    /// or its group failed. (Jobs that [`cancel`](WorkerPool::cancel) and [`drain`](WorkerPool::drain) take out are
    /// handed to their callers; those of a pool that is dropped are dropped.)
    ///
    /// The hook runs on the submitter's or the worker's thread, outside of the pool's lock. A panic of it is caught.
    pub fn on_shed(mut self, hook: impl Fn(J, Shed) + Send + Sync + 'static) -> Self {
        self.on_shed = Some(Box::new(hook));
        self
    }

    /// The runtime to run on. Default: the one this thread is inside of when `build` is called.
    pub fn on(mut self, runtime: impl Into<Spawner>) -> Self {
        self.spawner = Some(runtime.into());
        self
    }

    /// Which results [`Stats::failed`](crate::Stats::failed) counts. Default: none. For jobs that return a
    /// `Result`, say `.failed_when(Result::is_err)`. A result on which `failed` itself panics counts as failed.
    pub fn failed_when(mut self, failed: fn(&T) -> bool) -> Self {
        self.failed_when = Some(failed);
        self
    }

    /// A pool whose workers await `handler(job)`.
    ///
    /// # Errors
    /// [`BuildError`] if an option is out of range or no runtime is found.
    pub fn build<F>(self, handler: impl Fn(J) -> F + Send + Sync + 'static) -> Result<WorkerPool<J, T>, BuildError>
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.build_with(|_| handler)
    }

    /// A pool whose workers call `handler(job)` in place. The handler must be short, as it occupies a runtime thread.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_sync(self, handler: impl Fn(J) -> T + Send + Sync + 'static) -> Result<WorkerPool<J, T>, BuildError> {
        self.build(move |job| ready(handler(job)))
    }

    /// A pool whose workers call `handler(job)` where blocking is allowed: in place under `tidemill::blocking` on
    /// tidemill, on one of the runtime's blocking threads on tokio.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_blocking(
        self,
        handler: impl Fn(J) -> T + Send + Sync + 'static,
    ) -> Result<WorkerPool<J, T>, BuildError> {
        let handler = Arc::new(handler);
        self.build_with(|spawner| {
            move |job| {
                let (handler, spawner) = (Arc::clone(&handler), spawner.clone());
                async move { inside::blocking(&spawner, move || handler(job)).await }
            }
        })
    }

    /// Checks the options, finds the runtime, starts the workers.
    fn build_with<H, F>(self, handler: impl FnOnce(Spawner) -> H) -> Result<WorkerPool<J, T>, BuildError>
    where
        H: Fn(J) -> F + Send + Sync + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let Workers { min, max } = self.workers.unwrap_or_else(|| cpus().into()).check()?;
        if self.queue == 0 {
            return Err(BuildError::NoQueue);
        }
        let spawner = self.spawner.or_else(Spawner::current).ok_or(BuildError::NoRuntime)?;
        let handler = Arc::new(handler(spawner.clone()));
        let (here, there, spawns) = (Arc::clone(&handler), Arc::clone(&handler), spawner.clone());
        let rules = Rules {
            overflow: self.overflow,
            start_within: self.start_within,
            run_within: self.run_within,
            idle_expiry: self.idle_expiry,
            clock: self.clock.unwrap_or_default(),
            failed_when: self.failed_when,
            on_shed: self.on_shed,
            hire: Box::new(move |seat| hire(&spawns, work(seat, Arc::clone(&there)))),
            handle: Box::new(move |job| Box::pin(here(job))),
        };
        let shared = Shared::new(self.queue, min, max, rules);
        for _ in 0..min {
            let (number, desk) = shared.lock().crew.hire();
            hire(&spawner, work(Seat::new(Arc::clone(&shared), number, desk), Arc::clone(&handler)));
        }
        Ok(WorkerPool { shared, spawner })
    }
}

/// Starts a worker. It belongs to the pool: not to the context of whoever happens to need it.
fn hire(on: &Spawner, worker: impl Future<Output = ()> + Send + 'static) {
    Context::without_current(|| on.spawn(worker));
}

impl<J, T> fmt::Debug for WorkerBuilder<J, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("workers", &self.workers)
            .field("queue", &self.queue)
            .field("overflow", &self.overflow)
            .field("start_within", &self.start_within)
            .field("run_within", &self.run_within)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> WorkerBuilder<Job<T>, T> {
    /// A pool for jobs that carry their own code.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_jobs(self) -> Result<WorkerPool<Job<T>, T>, BuildError> {
        self.build_with(|spawner| move |job: Job<T>| job.run(spawner.clone()))
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Why a pool could not be built.
///
/// ```
/// use tidemill_pools::{BuildError, WorkerPool};
///
/// let error = WorkerPool::builder().workers(4..=2).build_sync(|n: u32| n + 1).unwrap_err();
/// assert_eq!(error, BuildError::WorkersBackwards);
///
/// let error = WorkerPool::builder().build_sync(|n: u32| n + 1).unwrap_err(); // no runtime here, and none given by `on`
/// assert_eq!(error, BuildError::NoRuntime);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// `workers(0)`: nobody would ever run a job.
    NoWorkers,
    /// `workers(4..=2)`: the lower end is above the upper one.
    WorkersBackwards,
    /// `queue(0)`: nothing could ever be submitted.
    NoQueue,
    /// Built outside of a runtime and without [`on`](WorkerBuilder::on).
    NoRuntime,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoWorkers => "workers(0): a worker pool needs at least one worker",
            Self::WorkersBackwards => "workers(min..=max): min is above max",
            Self::NoQueue => "queue(0): a worker pool needs at least one place in its queue",
            Self::NoRuntime => "no runtime: build the pool inside tidemill or tokio, or choose one with `on(handle)`",
        })
    }
}

impl Error for BuildError {}
