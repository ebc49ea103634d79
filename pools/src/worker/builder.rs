//! Checked options of a worker pool, and the three ways to say what a worker does with a job.

use std::{
    error::Error,
    fmt,
    future::{Future, ready},
    sync::Arc,
};

use super::{
    WorkerPool,
    job::Job,
    run::{Seat, work},
    shared::Shared,
};
use crate::{Spawner, limits::QUEUE_DEFAULT};

/// Options of a [`WorkerPool`]; made by [`WorkerPool::builder`], ended by one of the `build` methods.
///
/// | method | a worker does | for |
/// |---|---|---|
/// | [`build`](Self::build) | `handler(job).await` | asynchronous work on plain data |
/// | [`build_sync`](Self::build_sync) | `handler(job)` in place | short computations |
/// | [`build_blocking`](Self::build_blocking) | `handler(job)` where it may block | files, foreign calls, long computations |
/// | [`build_jobs`](Self::build_jobs) | whatever the [`Job`] says | different code per job |
#[derive(Debug)]
pub struct WorkerBuilder<J, T> {
    workers: Option<usize>,
    queue: usize,
    spawner: Option<Spawner>,
    failed_when: Option<fn(&T) -> bool>,
    jobs: std::marker::PhantomData<fn(J)>,
}

impl<J: Send + 'static, T: Send + 'static> WorkerBuilder<J, T> {
    pub(super) fn new() -> Self {
        Self { workers: None, queue: QUEUE_DEFAULT, spawner: None, failed_when: None, jobs: std::marker::PhantomData }
    }

    /// How many jobs run at the same time. A worker is a task, not a thread. Default: one per CPU.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many jobs may wait for a worker. Default: 1,024.
    pub fn queue(mut self, places: usize) -> Self {
        self.queue = places;
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
                async move { spawner.blocking(move || handler(job)).await }
            }
        })
    }

    /// Checks the options, finds the runtime, starts the workers.
    fn build_with<H, F>(self, handler: impl FnOnce(Spawner) -> H) -> Result<WorkerPool<J, T>, BuildError>
    where
        H: Fn(J) -> F + Send + Sync + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let workers = self.workers.unwrap_or_else(cpus);
        if workers == 0 {
            return Err(BuildError::NoWorkers);
        }
        if self.queue == 0 {
            return Err(BuildError::NoQueue);
        }
        let spawner = self.spawner.or_else(Spawner::current).ok_or(BuildError::NoRuntime)?;
        let handler = Arc::new(handler(spawner.clone()));
        let shared = Arc::new(Shared::new(self.queue, workers, self.failed_when));
        for number in 0..workers {
            let seat = Seat { shared: Arc::clone(&shared), number, asleep: false };
            spawner.spawn(work(seat, Arc::clone(&handler)));
        }
        Ok(WorkerPool { shared, spawner })
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// `workers(0)`: nobody would ever run a job.
    NoWorkers,
    /// `queue(0)`: nothing could ever be submitted.
    NoQueue,
    /// Built outside of a runtime and without [`on`](WorkerBuilder::on).
    NoRuntime,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoWorkers => "workers(0): a worker pool needs at least one worker",
            Self::NoQueue => "queue(0): a worker pool needs at least one place in its queue",
            Self::NoRuntime => "no runtime: build the pool inside tidemill or tokio, or choose one with `on(handle)`",
        })
    }
}

impl Error for BuildError {}
