//! Jobs that carry their own code, for pools in the manner of Java's executors or Go's pond and ants.

use std::{fmt, future::Future, pin::Pin};

use super::inside;
use crate::Spawner;

/// A job that carries its own code, for a [`WorkerPool<Job<T>, T>`](crate::WorkerPool) built with
/// [`build_jobs`](crate::WorkerBuilder::build_jobs).
///
/// Cost: one allocation for the boxed future or closure (none for a closure that captures nothing).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_pools::{Job, WorkerPool};
///
/// let pool = WorkerPool::builder().build_jobs().unwrap();
/// let word = String::from("tide");
/// let ticket = pool.submit(Job::closure(move || word.len())).await.unwrap();
/// assert_eq!(ticket.await.unwrap(), 4);
/// # }
/// ```
pub struct Job<T>(Kind<T>);

enum Kind<T> {
    Future(Pin<Box<dyn Future<Output = T> + Send>>),
    Closure(Box<dyn FnOnce() -> T + Send>),
    Blocking(Box<dyn FnOnce() -> T + Send>),
}

impl<T: Send + 'static> Job<T> {
    /// A future, awaited by the worker.
    pub fn future(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Kind::Future(Box::pin(future)))
    }

    /// A short closure, called in place on the worker's thread. It must not block.
    pub fn closure(closure: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Kind::Closure(Box::new(closure)))
    }

    /// A closure that may block: in place under `tidemill::blocking` on tidemill, on a blocking thread on tokio.
    pub fn blocking(closure: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Kind::Blocking(Box::new(closure)))
    }

    pub(super) async fn run(self, spawner: Spawner) -> T {
        match self.0 {
            Kind::Future(future) => future.await,
            Kind::Closure(closure) => closure(),
            Kind::Blocking(closure) => inside::blocking(&spawner, closure).await,
        }
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Future(_) => "Job::future",
            Kind::Closure(_) => "Job::closure",
            Kind::Blocking(_) => "Job::blocking",
        })
    }
}
