//! The runtime: what a user builds, holds and drops.

mod builder;
mod end;
mod handle;
mod home;
mod metrics;
mod shared;
mod stranded;

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tidemill_cgroup::Watcher;
use tidemill_context::Context;

pub use builder::{Builder, Procs};
pub(crate) use builder::{Options, procs};
pub use handle::Handle;
pub(crate) use home::Home;
pub use metrics::Metrics;
pub(crate) use shared::Shared;

use crate::limits::DROP_TIMEOUT;
use crate::task::JoinHandle;
use crate::{current, drive, monitor, reactor};

/// A G/M/P runtime: tasks may block, hog a CPU or call `block_on`, and the others go on.
///
/// tokio's I/O, timers and synchronisation work inside of it. `tokio::spawn` does too, but gives the task to the
/// reactor, where one thread at a time runs it; use [`spawn`](crate::spawn).
///
/// Dropping the runtime is [`shutdown_timeout`](Self::shutdown_timeout) with five seconds.
///
/// ```
/// use std::time::Duration;
/// use tidemill_scheduler::{Procs, Runtime};
///
/// let rt = Runtime::builder().procs(Procs::Fixed(2)).thread_name("shop").build()?;
/// let sum = rt.block_on(async {
///     let slow = tidemill_scheduler::spawn(async {
///         std::thread::sleep(Duration::from_millis(20)); // blocks its thread; nobody minds
///         1
///     });
///     let quick = tidemill_scheduler::spawn(async { 2 });
///     slow.await.unwrap() + quick.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    handle: Handle,
}

impl Runtime {
    /// A runtime with the defaults of [`Builder`].
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// The options of a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(options: Options, watcher: Option<Watcher>) -> io::Result<Self> {
        let runtime = Self::unwatched(options)?;
        monitor::start(runtime.handle.shared(), watcher)?;
        Ok(runtime)
    }

    /// Without a monitor.
    pub(crate) fn unwatched(options: Options) -> io::Result<Self> {
        let shared = Shared::new(options)?;
        let runtime = Self { handle: Handle::new(Arc::clone(&shared)) };
        // From here on an error drops the runtime, which ends what has been started.
        shared.start_first()?;
        Ok(runtime)
    }

    /// Runs `future` on the calling thread until it is ready, beside the runtime's own threads, in the thread's context.
    ///
    /// Inside of a task, too: the machine is then in a blocking region while `future` waits, and the others go on.
    ///
    /// # Panics
    /// If `future` does, or if the caller is a task of `tokio::spawn`: it runs inside the reactor, which would wait for
    /// itself.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Starts a task. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// A handle through which any thread can spawn here.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// What the runtime did and does.
    pub fn metrics(&self) -> Metrics {
        self.handle.metrics()
    }

    /// Ends every task and every thread of the runtime; returns at the latest after `timeout`.
    ///
    /// Tasks that sleep or queue are dropped at once, on a thread of their own. A task inside a poll is dropped when that
    /// poll returns. A thread that is still inside a poll or a destructor after `timeout` is left behind: it ends by itself
    /// when that returns. What waits for I/O or a timer of this runtime elsewhere gets tokio's error or panic.
    ///
    /// Called on one of the runtime's own threads it does not wait for that thread; inside of a task of another runtime
    /// it is a [`blocking`](crate::blocking) region.
    pub fn shutdown_timeout(self, timeout: Duration) {
        end::end(&self.handle, timeout);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.handle.shared().is_stopping() {
            end::end(&self.handle, DROP_TIMEOUT);
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

/// Starts a task on the runtime of the calling thread.
///
/// The task begins at once, whether or not the handle is awaited; see [`JoinHandle`]. It runs in the context of its spawner
/// ([`Context::current`](tidemill_context::Context::current)), if that has one.
///
/// # Cost
/// One allocation. On a machine, a task that is spawned, polled once and joined takes five read-modify-writes in all, and
/// no lock; from elsewhere, a lock that few threads share. No system call unless a machine is idle. A spawner without a context
/// pays a thread-local load to see that; one with a context counts a reference.
///
/// # Panics
/// If the calling thread is neither a thread of a runtime nor inside [`block_on`].
/// After the runtime's end the task is dropped, and its handle gives a [`JoinError`](crate::JoinError).
///
/// ```
/// # tidemill_scheduler::Runtime::new()?.block_on(async {
/// let task = tidemill_scheduler::spawn(async { 1 + 1 });
/// assert_eq!(task.await.unwrap(), 2);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = Location::caller();
    match Context::try_current() {
        None => spawn_bare(future, site),
        Some(context) => spawn_bare(context.into_scope(future), site),
    }
}

/// Starts a task that has what context it needs.
#[track_caller]
fn spawn_bare<F>(future: F, site: &'static Location<'static>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut future = Some(future);
    let here = current::home(|local| {
        let local = local?;
        let (task, handle) = local.task(future.take()?, site);
        if let Some(task) = task {
            local.ready(task);
        }
        Some(handle)
    });
    match (here, future) {
        (Some(handle), _) => handle,
        (None, Some(future)) => Handle::current().spawn_bare(future, site),
        (None, None) => unreachable!("the future is taken only to make a handle"),
    }
}

/// Runs `future` on the calling thread until it is ready.
///
/// Inside of a runtime it uses that one, and may be nested at will: the machine is in a blocking region while the future
/// waits. Outside, a runtime with the defaults is built for the call.
///
/// # Panics
/// If a runtime has to be built and the system refuses; [`Runtime::builder`] gives the error instead. As
/// [`Runtime::block_on`].
///
/// ```
/// assert_eq!(tidemill_scheduler::block_on(async { 40 + 2 }), 42);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    match Handle::try_current() {
        Some(handle) => handle.block_on(future),
        None => Runtime::new().unwrap_or_else(|e| panic!("cannot build a runtime for block_on: {e}")).block_on(future),
    }
}

#[track_caller]
fn run_on<F: Future>(handle: &Handle, shared: &Shared, future: F) -> F::Output {
    assert!(
        !reactor::is_inside(),
        "block_on inside of a tokio::spawn task: it would wait for the reactor that runs it; await, or use tidemill::spawn"
    );
    let _handle = current::enter(handle.clone());
    let _reactor = shared.reactor.enter();
    drive::run(future)
}

#[cfg(test)]
mod tests;

#[cfg(all(test, not(tidemill_shuttle)))]
mod stress;
