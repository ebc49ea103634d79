//! One job with options of its own, on its way into the pool.

use std::{
    hash::{BuildHasher, Hash},
    num::NonZeroU32,
    time::Duration,
};

use super::{
    WorkerPool,
    entry::{Asked, Entry, Priority, Tag},
    submit::SubmitError,
    ticket::Ticket,
};

/// A job with options of its own; made by [`WorkerPool::job`], ended by one of the submitting methods, which do what
/// those of the [`WorkerPool`] do.
///
/// Cost: one allocation more than without, as soon as a priority, a tenant or a time is given.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_pools::{Priority, WorkerPool};
///
/// let pool = WorkerPool::builder().workers(2).build(|page: u32| async move { page + 1 })?;
/// let ticket = pool
///     .job(41)
///     .priority(Priority::High)               // before the normal ones, which are not starved
///     .tenant("acme")                         // tenants take turns inside of a priority
///     .start_within(Duration::from_secs(1))   // else never
///     .run_within(Duration::from_secs(5))     // else dropped
///     .submit()
///     .await?;
/// assert_eq!(ticket.await?, 42);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a job is submitted by `submit`, `try_submit`, `execute`, .."]
pub struct Submission<'p, J: Send + 'static, T: Send + 'static> {
    pool: &'p WorkerPool<J, T>,
    job: J,
    asked: Asked<T>,
}

impl<'p, J: Send + 'static, T: Send + 'static> Submission<'p, J, T> {
    pub(super) fn new(pool: &'p WorkerPool<J, T>, job: J) -> Self {
        Self { pool, job, asked: Asked::default() }
    }

    fn tag(&mut self) -> &mut Tag<T> {
        self.asked.tag.get_or_insert_default()
    }

    /// How urgent the job is. The highest priority with jobs goes first, and each of the four is served at least once in
    /// any 64 starts while it has jobs, so none is starved. Default: [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.tag().priority = priority;
        self
    }

    /// Whose job it is. Inside of a priority the tenants that have jobs take turns, one job each, however many one of
    /// them has queued. Jobs without a tenant have one in common.
    pub fn tenant(self, name: impl Hash) -> Self {
        self.weighted_tenant(name, NonZeroU32::MIN)
    }

    /// As [`tenant`](Self::tenant), with a share: up to `weight` jobs per turn. A tenant's latest job decides its weight.
    pub fn weighted_tenant(mut self, name: impl Hash, weight: NonZeroU32) -> Self {
        // Zero is for those without a tenant.
        let name = self.pool.shared.names.hash_one(name).max(1);
        self.tag().tenant = (name, weight.get());
        self
    }

    /// As [`WorkerBuilder::start_within`](crate::WorkerBuilder::start_within), for this job.
    pub fn start_within(mut self, time: Duration) -> Self {
        self.asked.start_within = Some(time);
        self
    }

    /// As [`WorkerBuilder::run_within`](crate::WorkerBuilder::run_within), for this job.
    pub fn run_within(mut self, time: Duration) -> Self {
        self.tag().run_within = Some(time);
        self
    }

    /// As [`WorkerPool::submit`].
    ///
    /// # Errors
    /// As there.
    pub async fn submit(self) -> Result<Ticket<T>, SubmitError<J>> {
        match self.pool.submit_now(self.job, self.asked) {
            Ok(ticket) => Ok(ticket),
            Err(refusal) => self.pool.submit_otherwise(refusal).await,
        }
    }

    /// As [`WorkerPool::execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn execute(self) -> Result<(), SubmitError<J>> {
        let Self { pool, job, asked } = self;
        pool.enter(pool.shared.entry(job, None, asked)?).await.map(drop)
    }

    /// As [`WorkerPool::try_submit`].
    ///
    /// # Errors
    /// As there.
    pub fn try_submit(self) -> Result<Ticket<T>, SubmitError<J>> {
        self.with_ticket(WorkerPool::try_enter)
    }

    /// As [`WorkerPool::try_execute`].
    ///
    /// # Errors
    /// As there.
    pub fn try_execute(self) -> Result<(), SubmitError<J>> {
        let Self { pool, job, asked } = self;
        pool.try_enter(pool.shared.entry(job, None, asked)?).map(drop)
    }

    /// As [`WorkerPool::submit_blocking`].
    ///
    /// # Errors
    /// As there.
    pub fn submit_blocking(self) -> Result<Ticket<T>, SubmitError<J>> {
        self.with_ticket(WorkerPool::enter_blocking)
    }

    fn with_ticket(
        self,
        enter: impl FnOnce(&WorkerPool<J, T>, Entry<J, T>) -> Result<u64, SubmitError<J>>,
    ) -> Result<Ticket<T>, SubmitError<J>> {
        let Self { pool, job, asked } = self;
        let (answer, mut ticket) = Ticket::new(pool.shared.id);
        ticket.number(enter(pool, pool.shared.entry(job, Some(answer), asked)?)?);
        Ok(ticket)
    }
}
