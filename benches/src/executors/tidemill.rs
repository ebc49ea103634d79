//! Tidemill as users get it: slabs of live tasks, reactor, monitor and metrics on.

use std::io;

use tidemill::{JoinHandle, Procs, Runtime};

use crate::executor::{Executor, Joined, Spawner};

/// Tidemill with a fixed number of Ps.
#[derive(Debug)]
pub struct Tidemill(Runtime);

/// Spawns on the Tidemill runtime that runs the caller.
#[derive(Debug, Clone, Copy)]
pub struct TidemillSpawner;

impl Tidemill {
    /// With another bound on its threads than the usual one.
    pub(crate) fn with_threads(procs: usize, max_threads: usize) -> io::Result<Self> {
        Runtime::builder().procs(Procs::Fixed(procs)).max_threads(max_threads).build().map(Self)
    }

    /// Sized by the runtime itself.
    pub(crate) fn sized() -> io::Result<Self> {
        Runtime::new().map(Self)
    }
}

impl Executor for Tidemill {
    const NAME: &'static str = "tidemill";
    type Spawner = TidemillSpawner;

    fn start(procs: usize) -> io::Result<Self> {
        Runtime::builder().procs(Procs::Fixed(procs)).build().map(Self)
    }

    fn run<T, F>(&self, main: impl FnOnce(TidemillSpawner) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.0.block_on(Joined(self.0.spawn(main(TidemillSpawner))))
    }

    fn submit(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }
}

impl Spawner for TidemillSpawner {
    type Join<T: Send + 'static> = Joined<JoinHandle<T>>;

    fn spawn<F>(self, task: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(tidemill::spawn(task))
    }

    fn detach<F>(self, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        drop(tidemill::spawn(task));
    }

    fn yield_now(self) -> impl Future<Output = ()> + Send + 'static {
        tidemill::yield_now()
    }
}
