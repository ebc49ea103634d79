//! What a task holds of its runtime.
//!
//! A waker may outlive everything else, so each task keeps the runtime's shared part alive. If all tasks counted on
//! one `Arc`, every spawn would write to one cache line of the whole runtime; so each machine has an `Arc` of its own
//! around it, and its tasks count on that.

use std::future::Future;
use std::sync::Arc;

use super::Shared;
use crate::current;
use crate::machine::Route;
use crate::task::{self, Header, JoinHandle, Schedule, Task};

/// A counted reference to a runtime, through the counter of one spawner.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    #[expect(clippy::redundant_allocation, reason = "the outer one is the spawner's own counter")]
    counted: Arc<Arc<Shared>>,
    /// The address of `Shared`, for comparing without touching the counter's cache line.
    runtime: usize,
}

impl Owner {
    /// With a counter of its own.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let runtime = Arc::as_ptr(&shared).addr();
        Self { counted: Arc::new(shared), runtime }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.counted
    }

    /// Makes a task; none to queue if the runtime has ended.
    pub(crate) fn task<F>(&self, future: F, hint: usize) -> (Option<Task>, JoinHandle<F::Output>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(future, self.clone(), &self.shared().registry, hint)
    }
}

impl Schedule for Owner {
    type Route = Route;

    fn route(&self) -> Route {
        if current::machine(|local| local.is_some_and(|local| local.owner.runtime == self.runtime)) {
            Route::Here
        } else {
            Route::Outside(self.clone())
        }
    }

    fn retire(&self, task: &Header) -> bool {
        self.shared().registry.remove(task)
    }
}
