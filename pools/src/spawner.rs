//! The one seam between the pools and the runtime their tasks live on.
//!
//! On a tidemill thread *both* runtimes answer "yes, I am current": tokio is there as the reactor. Its handle would
//! put our workers on the reactor thread, so tidemill is asked first and tokio only where tidemill is not.

use std::future::Future;

/// The runtime on which a pool spawns its workers.
///
/// Pools find it by themselves ([`Spawner::current`]); give one to the builder to choose, for example when the pool is
/// built outside the runtime.
///
/// ```
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// use tidemill_pools::{Spawner, WorkerPool};
///
/// let pool = WorkerPool::builder()
///     .on(runtime.handle().clone()) // anything that is `Into<Spawner>`
///     .build(|n: u32| async move { n + 1 })?;
/// assert!(matches!(pool.spawner(), Spawner::Tokio(_)));
/// # Ok::<(), tidemill_pools::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Spawner {
    /// A tidemill runtime; blocking jobs run in place.
    #[cfg(feature = "tidemill")]
    Tidemill(tidemill_scheduler::Handle),
    /// A tokio runtime; blocking jobs run on its blocking threads.
    Tokio(tokio::runtime::Handle),
}

impl Spawner {
    /// The runtime this thread is inside of, or `None` outside of every runtime.
    pub fn current() -> Option<Self> {
        #[cfg(feature = "tidemill")]
        if let Some(handle) = tidemill_scheduler::Handle::try_current() {
            return Some(Self::Tidemill(handle));
        }
        tokio::runtime::Handle::try_current().ok().map(Self::Tokio)
    }

    /// Starts a detached task.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            #[cfg(feature = "tidemill")]
            Self::Tidemill(handle) => drop(handle.spawn(task)),
            Self::Tokio(handle) => drop(handle.spawn(task)),
        }
    }

    /// Runs `work`, which may block its thread, without stalling the other tasks of the runtime. A panic of `work`
    /// continues in the caller.
    ///
    /// If a tokio runtime shuts down before `work` starts, this future never resolves: the task that awaits it is
    /// about to be dropped by that same shutdown.
    pub(crate) async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
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
