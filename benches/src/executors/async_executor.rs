//! async-executor, run by plain threads, in both its forms.
//!
//! [`Listed`] is the ordinary `Executor`, which keeps every live task in a list behind a lock so that it can drop them.
//! [`Unlisted`] is its `StaticExecutor`, which is never dropped and keeps no such list: the fastest way to spawn that it
//! offers, and so the hardest peer. Both are leaked, because a `'static` reference is how their users avoid a reference
//! count per spawn; that costs some hundred bytes per start.

use std::{
    io,
    thread::{self, JoinHandle},
};

use async_executor::{Executor as Dynamic, StaticExecutor, Task};
use tokio::sync::watch;

use crate::executor::{Executor, Spawner};

/// The ordinary executor, with a list of live tasks.
pub type Listed = &'static Dynamic<'static>;

/// The static executor, without one.
pub type Unlisted = &'static StaticExecutor;

/// A form of async-executor.
pub trait Form: Copy + Send + Sync + 'static {
    /// The name in tables.
    const NAME: &'static str;

    /// A fresh executor, never freed.
    fn leaked() -> Self;

    /// Starts a task.
    fn start<T: Send + 'static>(self, task: impl Future<Output = T> + Send + 'static) -> Task<T>;

    /// Runs tasks on this thread while `until` is pending.
    fn drive(self, until: impl Future<Output = ()>);
}

impl Form for Listed {
    const NAME: &'static str = "async-executor";

    fn leaked() -> Self {
        Box::leak(Box::new(Dynamic::new()))
    }

    fn start<T: Send + 'static>(self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.spawn(task)
    }

    fn drive(self, until: impl Future<Output = ()>) {
        futures_lite::future::block_on(self.run(until));
    }
}

impl Form for Unlisted {
    const NAME: &'static str = "async-executor, static";

    fn leaked() -> Self {
        Dynamic::new().leak()
    }

    fn start<T: Send + 'static>(self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        self.spawn(task)
    }

    fn drive(self, until: impl Future<Output = ()>) {
        futures_lite::future::block_on(self.run(until));
    }
}

/// async-executor run by a fixed number of threads.
#[derive(Debug)]
pub struct AsyncExecutor<F> {
    form: F,
    /// `Some` until dropped; its end is the end of every thread.
    stop: Option<watch::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl<F: Form> Executor for AsyncExecutor<F> {
    const NAME: &'static str = F::NAME;
    type Spawner = Through<F>;

    fn start(procs: usize) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        let mut this = Self { form: F::leaked(), stop: Some(stop), threads: Vec::with_capacity(procs) };
        for _ in 0..procs {
            let (form, mut stopped) = (this.form, stopped.clone());
            let until = async move { while stopped.changed().await.is_ok() {} };
            this.threads.push(thread::Builder::new().spawn(move || form.drive(until))?);
        }
        Ok(this)
    }

    fn run<T, G>(&self, main: impl FnOnce(Through<F>) -> G) -> T
    where
        G: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        futures_lite::future::block_on(self.form.start(main(Through(self.form))))
    }

    fn submit(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.form.start(task).detach();
    }
}

impl<F> Drop for AsyncExecutor<F> {
    fn drop(&mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            thread.join().expect("no task of a workload panics");
        }
    }
}

/// Spawns on the executor it names.
#[derive(Debug, Clone, Copy)]
pub struct Through<F>(F);

impl<F: Form> Spawner for Through<F> {
    type Join<T: Send + 'static> = Task<T>;

    fn spawn<G>(self, task: G) -> Self::Join<G::Output>
    where
        G: Future + Send + 'static,
        G::Output: Send + 'static,
    {
        self.0.start(task)
    }

    fn detach<G>(self, task: G)
    where
        G: Future + Send + 'static,
        G::Output: Send + 'static,
    {
        self.0.start(task).detach();
    }

    fn yield_now(self) -> impl Future<Output = ()> + Send + 'static {
        futures_lite::future::yield_now()
    }
}
