//! What is done to a pool as a whole: resize, pause, close, drain; and what it tells of itself.

use std::{future::Future, sync::Arc, task::Poll, time::Duration};

use super::{
    WorkerPool,
    builder::{BuildError, Workers},
    cancel::Found,
    histogram::Durations,
    shared::Shared,
    tally::Stats,
    ticket::{JobError, Ticket},
};
use crate::Spawner;

/// Where [`WorkerPool::cancel`] found the job.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{Cancelled, JobError, WorkerPool};
///
/// let pool = WorkerPool::builder().build(|n: u32| async move { n })?;
/// pool.pause(); // so that the job does not start
/// let ticket = pool.submit(7).await?;
/// match pool.cancel(&ticket) {
///     Cancelled::Unstarted(job) => assert_eq!(job, 7), // here it is, for another time
///     other => panic!("{other:?}"),                    // it runs, or has ended: ask the ticket
/// }
/// assert!(matches!(ticket.await, Err(JobError::Cancelled)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled<J> {
    /// In the queue: here it is, it will never start.
    Unstarted(J),
    /// With a worker, which drops it at its next `await`, or not at all if it has none left.
    Running,
    /// Nowhere: it has ended, or is none of this pool's.
    Gone,
}

impl<J: Send + 'static, T: Send + 'static> WorkerPool<J, T> {
    /// Cancels one job. Its ticket resolves as [`JobError::Cancelled`](crate::JobError::Cancelled), unless the job ended
    /// before.
    ///
    /// Cost: the queue's lock, and O(log queued) to find the job (O(tenants) more once tenants are in use).
    pub fn cancel(&self, ticket: &Ticket<T>) -> Cancelled<J> {
        let Some(number) = ticket.number_in(self.shared.id) else { return Cancelled::Gone };
        match self.shared.cancel(number) {
            Found::Queued(entry) => {
                let (job, reply) = entry.into_job_and_reply();
                let reply = reply.and_then(|reply| reply.answer(Err(JobError::Cancelled), true, &self.shared));
                drop(reply);
                Cancelled::Unstarted(job)
            }
            Found::Running => Cancelled::Running,
            Found::Nowhere => Cancelled::Gone,
        }
    }

    /// Changes the number of workers while the pool runs. More start at once if jobs wait; fewer takes effect as jobs
    /// end, none is torn off. Places and waiters in the queue are not touched.
    ///
    /// # Errors
    /// [`BuildError`] if the numbers are out of range; then nothing changes.
    pub fn resize(&self, workers: impl Into<Workers>) -> Result<(), BuildError> {
        let Workers { min, max } = workers.into().check()?;
        self.shared.adjust(|queue| queue.crew.resize(min, max));
        Ok(())
    }

    /// How many jobs may run at the same time now.
    pub fn workers(&self) -> usize {
        self.shared.lock().crew.size().1
    }

    /// Starts no job from now on. Running jobs go on, jobs are queued as before.
    pub fn pause(&self) {
        self.shared.lock().paused = true;
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.shared.adjust(|queue| queue.paused = false);
    }

    /// Whether the pool is paused.
    pub fn is_paused(&self) -> bool {
        self.shared.lock().paused
    }

    /// Takes no new jobs from now on, and tells those who wait for a place. Queued jobs still run, after a pause as well.
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
    /// With tokio's clock, outside of a runtime with a time driver.
    pub async fn drain(&self, patience: Duration) -> Drained<J> {
        self.drain_until(self.shared.rules.clock.sleep(patience)).await
    }

    /// Closes the pool, lifts a pause, waits until every job and every worker has ended or `deadline` is ready, whichever
    /// is first, and hands back the jobs that never started. Their tickets resolve as
    /// [`JobError::Cancelled`](crate::JobError::Cancelled); jobs that still run go on to their end.
    ///
    /// A dropped call has closed the pool and done nothing else; call it again.
    pub async fn drain_until(&self, deadline: impl Future<Output = ()>) -> Drained<J> {
        let before = self.shared.totals().finished();
        self.close();
        self.resume();
        first_of(ended(&self.shared), deadline).await;
        let unstarted = self.shared.close_and_take().into_iter().map(|entry| entry.job).collect();
        let totals = self.shared.totals();
        Drained { finished: totals.finished().saturating_sub(before), running: totals.running(), unstarted }
    }

    /// Counts of jobs by state. Cost: the queue's lock, and a pass over the workers' counters.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// How long jobs waited in the queue before they started; one job in 64 is timed. Three clock reads per sample.
    pub fn waits(&self) -> Durations {
        Durations::of(self.shared.lock_as_is().crew.desks().map(|desk| &desk.waits))
    }

    /// How long jobs ran; the same jobs as in [`waits`](Self::waits).
    pub fn runs(&self) -> Durations {
        Durations::of(self.shared.lock_as_is().crew.desks().map(|desk| &desk.runs))
    }

    /// The runtime the workers run on.
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }
}

/// Waits until nothing is left to do for a closed pool, and nobody to do it.
async fn ended<J: Send + 'static, T: Send + 'static>(shared: &Arc<Shared<J, T>>) {
    loop {
        let ended = shared.ended.notified();
        {
            let queue = shared.lock();
            if queue.crew.live() == 0 && (queue.len() == 0 || queue.crew.is_doomed()) {
                return;
            }
        }
        ended.await;
    }
}

/// What [`WorkerPool::drain`] achieved.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::future::ready;
/// use tidemill_pools::WorkerPool;
///
/// let pool = WorkerPool::builder().build(|n: u32| async move { n })?;
/// for job in 1..=3 {
///     pool.execute(job).await?;
/// }
/// let drained = pool.drain_until(ready(())).await; // no patience at all
/// assert_eq!((drained.finished, drained.running), (0, 0));
/// assert_eq!(drained.unstarted, [1, 2, 3]); // to be kept for the next start
/// # Ok(()) }
/// ```
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
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => second.as_mut().poll(cx),
    })
    .await;
}
