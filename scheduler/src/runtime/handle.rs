//! The handle: a runtime without the duty to end it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::{Metrics, Shared, run_on};
use crate::current;
use crate::task::JoinHandle;

/// A handle to a runtime: spawns from any thread. It does not keep the runtime running.
///
/// ```
/// let rt = tidemill_scheduler::Runtime::new()?;
/// let handle = rt.handle();
/// let from_elsewhere = std::thread::spawn(move || handle.spawn(async { "hello" })).join().unwrap();
/// assert_eq!(rt.block_on(from_elsewhere)?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The runtime of the calling thread.
    ///
    /// # Panics
    /// If the thread is neither a thread of a runtime nor inside of `block_on`.
    #[track_caller]
    pub fn current() -> Self {
        Self::try_current()
            .expect("no tidemill runtime here: call this inside of block_on, a task or #[tidemill::main]")
    }

    /// The runtime of the calling thread, if it has one.
    pub fn try_current() -> Option<Self> {
        current::handle()
    }

    /// Starts a task. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = self.shared.outside.spawn(future, self.shared.origin(Location::caller()));
        if let Some(task) = task {
            self.shared().inject(task);
        }
        handle
    }

    /// Runs `future` on the calling thread until it is ready. See [`Runtime::block_on`](crate::Runtime::block_on).
    ///
    /// # Panics
    /// As [`Runtime::block_on`](crate::Runtime::block_on).
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        run_on(self, future)
    }

    /// What the runtime did and does.
    pub fn metrics(&self) -> Metrics {
        Metrics::of(self.shared())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("runtime", &self.shared().options.thread_name).finish_non_exhaustive()
    }
}
