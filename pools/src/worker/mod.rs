//! The worker pool: a fixed number of workers (tasks, not threads) and one bounded queue.
//!
//! A job is plain data that the pool's handler turns into work, so what never started can be handed back as data; jobs
//! that carry their own code are [`Job`]s. The path of a job, with one file for each step:
//!
//! 1. `submit` waits for a place in the `queue` and puts the job there, wakes at most one idle worker;
//! 2. a worker (`run`) takes it, gives the place to the next submitter, runs it behind a panic wall, counts it (`tally`);
//! 3. the worker answers the [`Ticket`].
//!
//! **Cost of a job** that is ready at once: four read-modify-writes for the queue's lock, taken in and out; with a ticket
//! one allocation and two more. [`submit_batch`](WorkerPool::submit_batch) takes the lock once for all jobs that
//! fit. `cargo run --release -p tidemill-pools --example speed` prints it beside a spawn per job and a channel.
//!
//! **Submitting from inside a job** to the same pool can dead-lock once the queue is full and every worker waits for a
//! place: use [`try_submit`](WorkerPool::try_submit) there and run the job in place when it comes back.

mod batch;
mod builder;
mod job;
mod queue;
mod run;
mod shared;
mod submit;
mod tally;
mod ticket;

use std::{future::Future, sync::Arc, time::Duration};

pub use self::{
    batch::Batch,
    builder::{BuildError, WorkerBuilder},
    job::Job,
    submit::{Closed, TrySubmitError},
    tally::Stats,
    ticket::{JobError, JobPanic, Ticket},
};
use self::{queue::Entry, shared::Shared, submit::Enter};
use crate::Spawner;

/// A fixed number of workers that run jobs `J` from one bounded queue and answer with `T`.
///
/// Share it by reference or in an [`Arc`]. Dropping it cancels the queued jobs: their tickets resolve as
/// [`JobError::Cancelled`]. A job that has started is never torn off; it runs to its end and its worker ends after it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_pools::WorkerPool;
///
/// let pool = WorkerPool::builder().workers(4).queue(100).build(|name: &str| async move { name.len() })?;
/// let ticket = pool.submit("tide").await?; // waits while the queue is full
/// assert_eq!(ticket.await?, 4);
///
/// let drained = pool.drain(Duration::from_secs(5)).await;
/// assert!(drained.unstarted.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WorkerPool<J, T> {
    shared: Arc<Shared<J, T>>,
    spawner: Spawner,
}

impl<J: Send + 'static, T: Send + 'static> WorkerPool<J, T> {
    /// The options, to be ended by one of the `build` methods.
    pub fn builder() -> WorkerBuilder<J, T> {
        WorkerBuilder::new()
    }

    /// Waits for a place in the queue, puts the job there, and returns the ticket for its result. Waiters are served in
    /// order of arrival.
    ///
    /// Cancel safe in the sense that a dropped call leaves neither the job nor a claim on a place behind; the job is
    /// dropped with it.
    ///
    /// # Errors
    /// [`Closed`] with the job if the pool is closed, also while waiting.
    pub async fn submit(&self, job: J) -> Result<Ticket<T>, Closed<J>> {
        let (reply, ticket) = Ticket::new();
        self.enter(job, Some(reply)).await?;
        Ok(ticket)
    }

    /// As [`submit`](Self::submit), for a job whose result nobody waits for: no ticket, no allocation.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn execute(&self, job: J) -> Result<(), Closed<J>> {
        self.enter(job, None).await
    }

    async fn enter(&self, job: J, reply: Option<ticket::Reply<T>>) -> Result<(), Closed<J>> {
        // Straight in if there is room; only a job that must wait pays for the future that waits.
        match self.shared.enter_now(Entry { job, reply }) {
            Ok(()) => Ok(()),
            Err(entry) => Enter::new(&self.shared, entry).await.map_err(|Closed(entry)| Closed(entry.job)),
        }
    }

    /// Puts the job into the queue if there is a place now that no earlier submitter waits for.
    ///
    /// # Errors
    /// [`TrySubmitError`] with the job if the queue is full or the pool closed.
    pub fn try_submit(&self, job: J) -> Result<Ticket<T>, TrySubmitError<J>> {
        let (reply, ticket) = Ticket::new();
        self.try_enter(job, Some(reply))?;
        Ok(ticket)
    }

    /// As [`try_submit`](Self::try_submit), without a ticket.
    ///
    /// # Errors
    /// As [`try_submit`](Self::try_submit).
    pub fn try_execute(&self, job: J) -> Result<(), TrySubmitError<J>> {
        self.try_enter(job, None)
    }

    fn try_enter(&self, job: J, reply: Option<ticket::Reply<T>>) -> Result<(), TrySubmitError<J>> {
        self.shared.try_enter(Entry { job, reply }).map_err(|refusal| match refusal {
            TrySubmitError::Full(entry) => TrySubmitError::Full(entry.job),
            TrySubmitError::Closed(entry) => TrySubmitError::Closed(entry.job),
        })
    }

    /// Submits the jobs in order, all that fit under one lock, waiting for places like [`submit`](Self::submit) for the
    /// rest. The results come in the order of the jobs. The batch may be longer than the queue.
    ///
    /// A dropped call leaves the jobs that were already queued in the queue; they run unobserved.
    ///
    /// # Errors
    /// [`Closed`] with the jobs that were not queued, in order, if the pool is closed.
    pub async fn submit_batch(&self, jobs: impl IntoIterator<Item = J>) -> Result<Batch<T>, Closed<Vec<J>>> {
        let (mut entries, tickets): (Vec<_>, Vec<_>) = jobs
            .into_iter()
            .map(|job| {
                let (reply, ticket) = Ticket::new();
                (Entry { job, reply: Some(reply) }, ticket)
            })
            .unzip();
        let mut rest = entries.drain(..);
        loop {
            self.shared.enter_many(&mut rest);
            let Some(entry) = rest.next() else { break };
            if let Err(Closed(entry)) = Enter::new(&self.shared, entry).await {
                return Err(Closed(std::iter::once(entry).chain(rest).map(|entry| entry.job).collect()));
            }
        }
        Ok(Batch::new(tickets))
    }

    /// Takes no new jobs from now on, and tells those who wait for a place. Queued jobs still run.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether the pool takes no more jobs.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Closes the pool and waits until every job has ended, at most for `patience`; see
    /// [`drain_until`](Self::drain_until).
    ///
    /// # Panics
    /// On a tokio runtime without its time driver.
    pub async fn drain(&self, patience: Duration) -> Drained<J> {
        self.drain_until(tokio::time::sleep(patience)).await
    }

    /// Closes the pool, waits until every job and every worker has ended or `deadline` is ready, whichever is first,
    /// and hands back the jobs that never started. Their tickets resolve as [`JobError::Cancelled`]; jobs that still
    /// run go on to their end.
    ///
    /// A dropped call has closed the pool and done nothing else; call it again.
    pub async fn drain_until(&self, deadline: impl Future<Output = ()>) -> Drained<J> {
        let before = self.shared.totals().finished();
        self.close();
        first_of(self.ended(), deadline).await;
        let unstarted = self.shared.close_and_take().map(|entry| entry.job).collect();
        let totals = self.shared.totals();
        Drained {
            finished: totals.finished().saturating_sub(before),
            running: totals.started.saturating_sub(totals.finished()),
            unstarted,
        }
    }

    /// Waits until the last worker has ended.
    async fn ended(&self) {
        let ended = self.shared.ended.notified();
        if self.shared.lock().live > 0 {
            ended.await;
        }
    }

    /// Counts of jobs by state. Cost: the queue's lock, and a pass over the workers' counters.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// The runtime the workers run on.
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }
}

impl<J, T> Drop for WorkerPool<J, T> {
    fn drop(&mut self) {
        drop(self.shared.close_and_take());
    }
}

/// What [`WorkerPool::drain`] achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained<J> {
    /// Jobs that ended while the pool was drained, well or badly.
    pub finished: u64,
    /// Jobs that started and had not ended when the deadline passed.
    pub running: u64,
    /// Jobs that never started, oldest first.
    pub unstarted: Vec<J>,
}

/// Ready when either future is; the first is asked first.
async fn first_of(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    std::future::poll_fn(|cx| match first.as_mut().poll(cx) {
        std::task::Poll::Ready(()) => std::task::Poll::Ready(()),
        std::task::Poll::Pending => second.as_mut().poll(cx),
    })
    .await;
}
