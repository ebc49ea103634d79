//! What a workload needs from an executor, and nothing more.
//!
//! Two traits, because two parties use them. An [`Executor`] owns threads and is started and dropped by the measuring
//! side; a [`Spawner`] is the word a task says to its executor, `Copy` so that handing it to a million tasks costs no
//! reference count that the executor itself would not need.
//!
//! Everything is generic, not `dyn`: a virtual call per spawn would be a tenth of what is measured.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Threads that run tasks. Dropping it stops the threads.
pub trait Executor: Sized + Sync + 'static {
    /// The name in tables and in `--only`.
    const NAME: &'static str;

    /// What tasks use to spawn tasks.
    type Spawner: Spawner;

    /// Starts an executor whose tasks run on at most `procs` threads at a time.
    ///
    /// # Errors
    /// The system refuses a thread or the reactor.
    fn start(procs: usize) -> io::Result<Self>;

    /// Runs `main` as a task of the executor and blocks the calling thread, which runs no task itself, until it ends.
    fn run<T, F>(&self, main: impl FnOnce(Self::Spawner) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static;

    /// Starts a task from outside and returns at once.
    fn submit(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// Spawns and yields from inside a task.
pub trait Spawner: Copy + Send + Sync + 'static {
    /// Waits for a task and gives its value.
    type Join<T: Send + 'static>: Future<Output = T> + Send + 'static;

    /// Starts a task that somebody waits for.
    fn spawn<F>(self, task: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Starts a task that nobody waits for.
    fn detach<F>(self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Gives way once, in the manner the executor recommends.
    fn yield_now(self) -> impl Future<Output = ()> + Send + 'static;
}

/// A join handle whose error is impossible: no workload panics or aborts a task.
#[derive(Debug)]
pub struct Joined<J>(pub(crate) J);

impl<J, T, E> Future for Joined<J>
where
    J: Future<Output = Result<T, E>> + Unpin,
    E: fmt::Debug,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let joined = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(joined.expect("no task of a workload panics or is aborted"))
    }
}
