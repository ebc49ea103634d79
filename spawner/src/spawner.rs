//! Which runtime, and how to start something on it.
//!
//! On a tidemill thread *both* runtimes answer "yes, I am current": tokio is there as the reactor. Its handle would
//! put our tasks on the reactor thread, so tidemill is asked first and tokio only where tidemill is not.

use std::future::Future;

use crate::Task;

/// The runtime on which a crate spawns its tasks.
///
/// Pools and groups find it by themselves ([`Spawner::current`]); give one to their builders to choose, for example when
/// they are built outside the runtime. Both runtimes' handles are `Into<Spawner>`.
///
/// ```
/// # let runtime = tokio::runtime::Runtime::new()?;
/// use tidemill_spawner::Spawner;
///
/// assert!(Spawner::current().is_none()); // outside of every runtime
/// let spawner = Spawner::from(runtime.handle().clone());
/// let task = spawner.spawn_task(async { Spawner::current().is_some() });
/// assert!(runtime.block_on(task)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Spawner {
    /// A tidemill runtime; blocking work runs in place.
    #[cfg(feature = "tidemill")]
    Tidemill(tidemill_scheduler::Handle),
    /// A tokio runtime; blocking work runs on its blocking threads.
    Tokio(tokio::runtime::Handle),
}

impl Spawner {
    /// The runtime this thread is inside of, or `None` outside of every runtime.
    ///
    /// Cost: a thread-local load and the count of the runtime's handle.
    pub fn current() -> Option<Self> {
        #[cfg(feature = "tidemill")]
        if let Some(handle) = tidemill_scheduler::Handle::try_current() {
            return Some(Self::Tidemill(handle));
        }
        tokio::runtime::Handle::try_current().ok().map(Self::Tokio)
    }

    /// Starts a detached task. If it panics, the panic ends the task alone. After the end of the runtime the task is
    /// dropped without a poll.
    ///
    /// Cost: that of the runtime's own `spawn`, one allocation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (sender, receiver) = tokio::sync::oneshot::channel();
    /// let spawner = tidemill_spawner::Spawner::current().expect("inside of a runtime");
    /// spawner.spawn(async { drop(sender.send("done")) });
    /// assert_eq!(receiver.await, Ok("done"));
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            #[cfg(feature = "tidemill")]
            Self::Tidemill(handle) => drop(spawn_on(handle, task)),
            Self::Tokio(handle) => drop(handle.spawn(task)),
        }
    }

    /// Starts a task and gives its handle: to await its output, or to abort it.
    ///
    /// Cost: that of the runtime's own `spawn`, one allocation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tidemill_spawner::TaskError> {
    /// let spawner = tidemill_spawner::Spawner::current().expect("inside of a runtime");
    /// let answer = spawner.spawn_task(async { 6 * 7 });
    /// let stuck = spawner.spawn_task(std::future::pending::<()>());
    /// assert_eq!(answer.await?, 42);
    /// stuck.abort();
    /// assert!(stuck.await.unwrap_err().is_cancelled());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn spawn_task<F>(&self, task: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self {
            #[cfg(feature = "tidemill")]
            Self::Tidemill(handle) => Task::on_tidemill(spawn_on(handle, task)),
            Self::Tokio(handle) => Task::on_tokio(handle.spawn(task)),
        }
    }

    /// Runs `work`, which may block its thread, without stalling the other tasks of the runtime. A panic of `work`
    /// continues in the caller.
    ///
    /// On tidemill it runs in place, while the future is polled; on tokio it is a job of the blocking threads, and goes on
    /// if the future is dropped.
    ///
    /// If a tokio runtime shuts down before `work` starts, this future never resolves: the task that awaits it is
    /// about to be dropped by that same shutdown.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let spawner = tidemill_spawner::Spawner::current().expect("inside of a runtime");
    /// let sum = spawner.blocking(|| (1..=10).sum::<u32>()).await;
    /// assert_eq!(sum, 55);
    /// # }
    /// ```
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self {
            #[cfg(feature = "tidemill")]
            Self::Tidemill(_) => tidemill_scheduler::blocking(work),
            Self::Tokio(handle) => match handle.spawn_blocking(work).await {
                Ok(value) => value,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }
}

/// Runs `work`, which may block, on this very thread, wherever that is: under `tidemill::blocking` on a thread of tidemill's,
/// so that its other tasks go on, and as it is elsewhere (on a worker thread of tokio's the tasks of that thread wait).
///
/// For waits that have a blocking form. [`Spawner::blocking`] is for tasks that may await.
///
/// ```
/// assert_eq!(tidemill_spawner::blocking_here(|| 6 * 7), 42);
/// ```
pub fn blocking_here<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "tidemill")]
    {
        tidemill_scheduler::blocking(work)
    }
    #[cfg(not(feature = "tidemill"))]
    {
        work()
    }
}

/// On one of the runtime's own machines the task goes to that machine; a handle by itself would send it round by the queue for
/// what comes from outside.
#[cfg(feature = "tidemill")]
#[track_caller]
fn spawn_on<F>(handle: &tidemill_scheduler::Handle, task: F) -> tidemill_scheduler::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if handle.is_current() { tidemill_scheduler::spawn(task) } else { handle.spawn(task) }
}

#[cfg(feature = "tidemill")]
impl From<tidemill_scheduler::Handle> for Spawner {
    fn from(handle: tidemill_scheduler::Handle) -> Self {
        Self::Tidemill(handle)
    }
}

impl From<tokio::runtime::Handle> for Spawner {
    fn from(handle: tokio::runtime::Handle) -> Self {
        Self::Tokio(handle)
    }
}
