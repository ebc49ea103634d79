//! The worker pool: a bounded queue, and as many jobs at a time as there are slots, each carried by a worker (a task, not
//! a thread).
//!
//! A job is plain data that the pool's handler turns into work, so what never started can be handed back as data; jobs
//! that carry their own code are [`Job`]s. The path of a job, with one file for each step:
//!
//! 1. `submit` gets a place in the `queue`, waits for one, or does what the pool's `overflow` policy says, and wakes or
//!    hires at most one worker (`crew`);
//! 2. a worker (`run`) takes the job whose turn it is (`lines`) with a slot for it, gives the place to the next submitter; under
//!    load it is dealt some more jobs (`deals`), which stay queued for everybody but it (`hand`);
//! 3. it runs the job behind a panic wall (`course`), and counts it (`tally`, on its own `desk`);
//! 4. it answers the [`Ticket`], or the [`JobGroup`] (`reply`).
//!
//! **Cost of a job** that is ready at once, per job and under load:
//!
//! | | submit | worker |
//! |---|---|---|
//! | read-modify-writes | 2, the queue's lock | 2, the lock of its own hand; 2 of the queue's for each hand |
//! | the same for a ticket | 1, and 1 to collect it | 1 |
//! | allocations | 1 for a ticket, else none | none |
//! | clock reads | 1 for one job in 64 | 2 for one job in 64 |
//! | wake-ups | 1 if a worker is idle and none is on its way | 1 if a submitter waits for a place |
//!
//! [`submit_batch`](WorkerPool::submit_batch) takes the lock once for all jobs that fit. What is not asked for costs no
//! read-modify-write, allocation or clock read: options of a job are one null pointer without, and the order is one deque until
//! a priority or a tenant comes. The job in 64 that is timed takes one allocation more.
//! `cargo run --release -p tidemill-pools --example pools_speed 60 jobs` prints it beside a spawn per job and a channel.
//!
//! **Submitting from inside a job** to the same pool, and waiting there for the ticket, cannot dead-lock: a job that waits
//! for its own pool lends its slot (`inside` finds out, `crew` tells how). Each waiting job is a suspended task, so a
//! recursion needs memory for all jobs that wait at the same time.

mod ambient;
mod batch;
mod builder;
mod cancel;
mod control;
mod course;
mod crew;
mod deals;
mod desk;
mod entry;
mod group;
mod hand;
mod histogram;
mod inside;
mod job;
mod lines;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod model;
mod overflow;
mod park;
mod queue;
mod reply;
mod run;
mod shared;
mod shed;
mod submission;
mod submit;
mod tally;
mod ticket;

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

pub use self::{
    batch::{Batch, BatchError},
    builder::{BuildError, WorkerBuilder, Workers},
    control::{Cancelled, Drained},
    entry::Priority,
    group::{GroupError, JobGroup},
    histogram::Durations,
    job::Job,
    overflow::Overflow,
    shed::Shed,
    submission::Submission,
    submit::SubmitError,
    tally::Stats,
    ticket::{JobError, JobPanic, Ticket},
};
use self::{
    course::{Course, poll_job, turn},
    entry::{Asked, Entry},
    shared::Shared,
    submit::{Enter, Untimed},
};
use crate::Spawner;

/// Workers that run jobs `J` from one bounded queue and answer with `T`.
///
/// Share it by reference or in an [`Arc`]. Dropping it cancels the queued jobs: their tickets resolve as
/// [`JobError::Cancelled`]. A job that has started is not torn off by that; it runs to its end and its worker ends after it.
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

    /// Gets the job a place in the queue and returns the ticket for its result. While the queue is full it waits, in order
    /// of arrival, unless the pool was given another [`Overflow`] policy.
    ///
    /// Cancel safe in the sense that a dropped call leaves neither the job nor a claim on a place behind; the job is
    /// dropped with it. From inside a job of the same pool: the wait lends the job's slot.
    ///
    /// # Errors
    /// [`SubmitError`] with the job: the pool is closed, also while waiting, the time to start has passed, or the policy
    /// refuses it.
    pub async fn submit(&self, job: J) -> Result<Ticket<T>, SubmitError<J>> {
        match self.submit_now(job, Asked::default()) {
            Ok(ticket) => Ok(ticket),
            Err(refusal) => self.submit_otherwise(refusal).await,
        }
    }

    /// As [`submit`](Self::submit), for a job whose result nobody waits for: no ticket, no allocation.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn execute(&self, job: J) -> Result<(), SubmitError<J>> {
        match self.shared.enter_now(self.shared.entry(job, None, Asked::default())?) {
            Ok(_) => Ok(()),
            Err(refusal) => self.enter_otherwise(refusal).await.map(drop),
        }
    }

    /// Queues the job if that takes no wait: there is a place now that no earlier submitter waits for, or the policy lets
    /// another job give way.
    ///
    /// # Errors
    /// [`SubmitError`] with the job.
    pub fn try_submit(&self, job: J) -> Result<Ticket<T>, SubmitError<J>> {
        self.job(job).try_submit()
    }

    /// As [`try_submit`](Self::try_submit), without a ticket.
    ///
    /// # Errors
    /// As [`try_submit`](Self::try_submit).
    pub fn try_execute(&self, job: J) -> Result<(), SubmitError<J>> {
        self.job(job).try_execute()
    }

    /// As [`submit`](Self::submit), for plain threads and for jobs that may block: the thread waits. Works outside of
    /// every runtime. [`Ticket::wait`] is its other half.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_blocking(&self, job: J) -> Result<Ticket<T>, SubmitError<J>> {
        self.job(job).submit_blocking()
    }

    /// As [`execute`](Self::execute), for plain threads: the thread waits.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn execute_blocking(&self, job: J) -> Result<(), SubmitError<J>> {
        self.enter_blocking(self.shared.entry(job, None, Asked::default())?).map(drop)
    }

    /// A job with options of its own: a priority, a tenant, time-outs.
    pub fn job(&self, job: J) -> Submission<'_, J, T> {
        Submission::new(self, job)
    }

    /// Jobs that belong together: the first failure cancels the rest, the results come in order.
    pub fn group(&self) -> JobGroup<'_, J, T> {
        JobGroup::new(self)
    }

    /// The part of a submit that waits for nothing, as a plain function: what a future keeps across an `await` lies in
    /// memory, also when that `await` is not reached.
    #[inline]
    fn submit_now(&self, job: J, asked: Asked<T>) -> Result<Ticket<T>, Refusal<J, T>> {
        let (answer, mut ticket) = Ticket::new(self.shared.id);
        let entry = self.shared.entry(job, Some(answer), asked).map_err(Refusal::Final)?;
        match self.shared.enter_now(entry) {
            Ok(number) => {
                ticket.number(number);
                Ok(ticket)
            }
            Err(refusal) => Err(Refusal::Perhaps(refusal, ticket)),
        }
    }

    async fn submit_otherwise(&self, refusal: Refusal<J, T>) -> Result<Ticket<T>, SubmitError<J>> {
        match refusal {
            Refusal::Final(refusal) => Err(refusal),
            Refusal::Perhaps(refusal, mut ticket) => {
                ticket.number(self.enter_otherwise(refusal).await?);
                Ok(ticket)
            }
        }
    }

    async fn enter(&self, entry: Entry<J, T>) -> Result<u64, SubmitError<J>> {
        match self.shared.enter_now(entry) {
            Ok(number) => Ok(number),
            Err(refusal) => self.enter_otherwise(refusal).await,
        }
    }

    /// What does not go straight in; only such a job pays for the future that waits, and for being handed on to it.
    async fn enter_otherwise(&self, refusal: SubmitError<Entry<J, T>>) -> Result<u64, SubmitError<J>> {
        match refusal {
            SubmitError::Full(entry) => self.enter_full(entry).await,
            refusal => Err(self.shared.refuse(refusal).map(|entry| entry.job)),
        }
    }

    /// The queue is full: what the policy says for a caller that may wait.
    async fn enter_full(&self, entry: Entry<J, T>) -> Result<u64, SubmitError<J>> {
        match self.shared.rules.overflow {
            Overflow::Wait => Enter::new(&self.shared, entry).await.map_err(|refusal| refusal.map(|entry| entry.job)),
            Overflow::CallerRuns => Ok(self.run_here(entry).await),
            Overflow::Reject | Overflow::DropOldest | Overflow::DropLowest => {
                Err(self.shared.refuse(SubmitError::Full(entry.job)))
            }
        }
    }

    /// Runs the job in its submitter's place, behind the same wall. It gets no number, as nobody can cancel it.
    async fn run_here(&self, entry: Entry<J, T>) -> u64 {
        self.shared.lock_as_is().counts.caller_ran += 1;
        let run_by = self.shared.run_by(&entry);
        let (job, reply) = entry.into_job_and_reply();
        let (mut running, mut job) = (pin!(None), Some(job));
        let first = poll_fn(|cx| {
            Poll::Ready(turn(None, None, || {
                running.set(job.take().map(|job| (self.shared.rules.handle)(job)));
                poll_job(running.as_mut(), cx)
            }))
        });
        let outcome = match first.await {
            (Ok(Poll::Ready(output)), _) => Ok(output),
            (Ok(Poll::Pending), waits) => Course::new(&self.shared, None, run_by, None).run(running, waits).await,
            (Err(payload), _) => {
                run::discard_with(|| running.set(None));
                Err(JobError::Panicked(JobPanic::new(payload)))
            }
        };
        let failed = self.shared.ending(&outcome).is_failure();
        if let Some(reply) = reply {
            run::discard(reply.answer(outcome, failed, &self.shared));
        }
        0
    }

    fn enter_blocking(&self, entry: Entry<J, T>) -> Result<u64, SubmitError<J>> {
        let shared = &self.shared;
        match shared.enter_now(entry) {
            Ok(number) => Ok(number),
            Err(SubmitError::Full(entry)) if shared.rules.overflow == Overflow::Wait => {
                let start_by = entry.start_by();
                let wait = Enter::new(shared, entry).untimed();
                let end = park::block_on_until(shared.id, wait, || Enter::left(shared, start_by));
                end.unwrap_or_else(|Untimed(mut late)| Err(late.expire()))
                    .map_err(|refusal| refusal.map(|entry| entry.job))
            }
            Err(SubmitError::Full(entry)) if shared.rules.overflow == Overflow::CallerRuns => {
                Ok(park::block_on(shared.id, Box::pin(self.run_here(entry))))
            }
            Err(refusal) => Err(shared.refuse(refusal).map(|entry| entry.job)),
        }
    }

    fn try_enter(&self, entry: Entry<J, T>) -> Result<u64, SubmitError<J>> {
        let entered = self.shared.enter_now(entry);
        entered.map_err(|refusal| self.shared.refuse(refusal).map(|entry| entry.job))
    }

    /// Submits the jobs in order, all that fit under one lock, and what does not fit as [`submit`](Self::submit) would.
    /// The results come in the order of the jobs. The batch may be longer than the queue.
    ///
    /// A dropped call leaves the jobs that were already queued in the queue; they run unobserved.
    ///
    /// # Errors
    /// [`BatchError`] at the first job that is refused: with that job and those after it, and with the results of those
    /// before it.
    pub async fn submit_batch(&self, jobs: impl IntoIterator<Item = J>) -> Result<Batch<T>, BatchError<J, T>> {
        batch::submit(self, jobs).await
    }
}

/// Why a job did not go straight in.
enum Refusal<J, T> {
    Final(SubmitError<J>),
    /// The policy may have another answer for a caller that waits.
    Perhaps(SubmitError<Entry<J, T>>, Ticket<T>),
}

impl<J, T> Drop for WorkerPool<J, T> {
    fn drop(&mut self) {
        drop(self.shared.close_and_take());
    }
}
