//! The handle: a runtime without the duty to end it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tidemill_context::Context;

use super::{Metrics, Shared, run_on};
use crate::current;
use crate::task::JoinHandle;
#[cfg(feature = "testing")]
use crate::testing::World;

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
    to: To,
}

#[derive(Clone)]
enum To {
    Runtime(Arc<Shared>),
    #[cfg(feature = "testing")]
    Simulation(Arc<World>),
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { to: To::Runtime(shared) }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn of_simulation(world: Arc<World>) -> Self {
        Self { to: To::Simulation(world) }
    }

    /// For a [`Runtime`](super::Runtime) and its handle.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match &self.to {
            To::Runtime(shared) => shared,
            #[cfg(feature = "testing")]
            To::Simulation(_) => unreachable!("no Runtime is made of a simulation's handle"),
        }
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

    /// Whether this is the runtime of the calling thread, so that a plain [`spawn`](crate::spawn) goes to it as well. On a machine
    /// that costs less than [`Handle::spawn`], which always takes the way from outside.
    ///
    /// ```
    /// let rt = tidemill_scheduler::Runtime::new()?;
    /// assert!(!rt.handle().is_current());
    /// let inside = rt.handle();
    /// assert!(rt.block_on(async move { inside.is_current() }));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_current(&self) -> bool {
        match &self.to {
            To::Runtime(shared) => current::is_at_home(shared),
            #[cfg(feature = "testing")]
            To::Simulation(world) => {
                let here = |handle: &Self| matches!(&handle.to, To::Simulation(here) if Arc::ptr_eq(here, world));
                current::handle().as_ref().is_some_and(here)
            }
        }
    }

    /// Is it a handle of that very runtime?
    pub(crate) fn is_of(&self, runtime: &Arc<Shared>) -> bool {
        match &self.to {
            To::Runtime(shared) => Arc::ptr_eq(shared, runtime),
            #[cfg(feature = "testing")]
            To::Simulation(_) => false,
        }
    }

    /// Starts a task, in the calling thread's context if it has one. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let site = Location::caller();
        match Context::try_current() {
            None => self.spawn_bare(future, site),
            Some(context) => self.spawn_bare(context.into_scope(future), site),
        }
    }

    /// Starts a task that has what context it needs.
    pub(super) fn spawn_bare<F>(&self, future: F, site: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.to {
            To::Runtime(shared) => shared.spawn_from_outside(future, site),
            #[cfg(feature = "testing")]
            To::Simulation(world) => world.spawn(future, site),
        }
    }

    /// Runs `future` on the calling thread until it is ready. See [`Runtime::block_on`](crate::Runtime::block_on).
    ///
    /// # Panics
    /// As [`Runtime::block_on`](crate::Runtime::block_on).
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match &self.to {
            To::Runtime(shared) => run_on(self, shared, future),
            #[cfg(feature = "testing")]
            To::Simulation(world) => world.block_on(future),
        }
    }

    /// What the runtime did and does.
    pub fn metrics(&self) -> Metrics {
        match &self.to {
            To::Runtime(shared) => Metrics::of(shared),
            #[cfg(feature = "testing")]
            To::Simulation(world) => Metrics::of_simulation(world),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.to {
            To::Runtime(shared) => &shared.options.thread_name,
            #[cfg(feature = "testing")]
            To::Simulation(_) => "simulation",
        };
        f.debug_struct("Handle").field("runtime", &name).finish_non_exhaustive()
    }
}
