//! tokio's multi-thread runtime with its drivers on, as `#[tokio::main]` starts it.
#![expect(clippy::disallowed_methods, reason = "this is the plain tokio to compare with")]

use std::io;

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use crate::executor::{Executor, Joined, Spawner};

/// tokio with a fixed number of workers.
#[derive(Debug)]
pub struct Tokio(Runtime);

/// Spawns on the tokio runtime that runs the caller.
#[derive(Debug, Clone, Copy)]
pub struct TokioSpawner;

impl Executor for Tokio {
    const NAME: &'static str = "tokio";
    type Spawner = TokioSpawner;

    fn start(procs: usize) -> io::Result<Self> {
        Builder::new_multi_thread().worker_threads(procs).enable_all().build().map(Self)
    }

    fn run<T, F>(&self, main: impl FnOnce(TokioSpawner) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.0.block_on(Joined(self.0.spawn(main(TokioSpawner))))
    }
}

impl Spawner for TokioSpawner {
    type Join<T: Send + 'static> = Joined<JoinHandle<T>>;

    fn spawn<F>(self, task: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(tokio::spawn(task))
    }

    fn detach<F>(self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        drop(tokio::spawn(task));
    }

    fn yield_now(self) -> impl Future<Output = ()> + Send + 'static {
        tokio::task::yield_now()
    }
}
