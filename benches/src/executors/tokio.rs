//! tokio's runtimes with their drivers on, as `#[tokio::main]` starts them.
#![expect(clippy::disallowed_methods, reason = "this is the plain tokio to compare with")]

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
    task::JoinHandle,
};

use crate::executor::{Executor, Joined, Spawner};

/// tokio with a fixed number of workers.
#[derive(Debug)]
pub struct Tokio(Runtime);

/// Spawns on the tokio runtime, of either kind, that runs the caller.
#[derive(Debug, Clone, Copy)]
pub struct TokioSpawner;

impl Tokio {
    /// With another bound on the threads of `spawn_blocking` than the usual one.
    pub(crate) fn with_threads(procs: usize, max_blocking: usize) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(procs).max_blocking_threads(max_blocking).enable_all().build().map(Self)
    }

    /// Sized by the runtime itself.
    pub(crate) fn sized() -> io::Result<Self> {
        Builder::new_multi_thread().enable_all().build().map(Self)
    }
}

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

    fn submit(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }
}

/// tokio on a single thread, which is not the caller's.
#[derive(Debug)]
pub struct TokioCurrent {
    handle: Handle,
    /// `Some` until dropped; its end is the end of the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Executor for TokioCurrent {
    const NAME: &'static str = "tokio current_thread";
    type Spawner = TokioSpawner;

    /// One thread, whatever `procs` is.
    fn start(_procs: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel::<()>());
        // The sender's drop is the signal.
        let work = move || runtime.block_on(async { _ = stopped.await });
        let thread = thread::Builder::new().spawn(work)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    fn run<T, F>(&self, main: impl FnOnce(TokioSpawner) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        futures_lite::future::block_on(Joined(self.handle.spawn(main(TokioSpawner))))
    }

    fn submit(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(task));
    }
}

impl Drop for TokioCurrent {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no task of a workload panics");
        }
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
