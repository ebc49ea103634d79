//! What a submitter holds: a [`Ticket`] for the result, or the [`JobError`] that explains why there is none.
//!
//! The channel between worker and ticket is the `oneshot` crate's: one allocation and one read-modify-write at each
//! end, 26 ns for make, send, and receive. Rejected: tokio's (47 ns: two counted references and a flag word), and a
//! mutex or a `OnceLock` in an `Arc` (65 and 53 ns).

use std::{
    any::Any,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use tidemill_context::Cause;

use super::{ambient::Interrupt, inside, park, reply::Answer};

/// The result of one job, to be awaited.
///
/// Dropping the ticket lets the job go on unobserved, as dropping a task's join handle does. Awaiting it is cancel safe, and
/// ends with [`JobError::Interrupted`] when the context it is awaited in is cancelled.
/// Cost: one allocation per ticket, made at submission.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_pools::{JobError, WorkerPool};
///
/// let pool = WorkerPool::builder().build(|n: u32| async move { 100 / n }).unwrap();
/// assert_eq!(pool.submit(5).await.unwrap().await.unwrap(), 20);
/// let error = pool.submit(0).await.unwrap().await.unwrap_err();
/// assert!(matches!(error, JobError::Panicked(_)));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "awaiting the ticket gives the job's result; use `execute` when nobody waits for it"]
pub struct Ticket<T> {
    answer: oneshot::AsyncReceiver<Result<T, JobError>>,
    pool: u64,
    /// The job's number in that pool, which no other job has; 0 before it is queued.
    job: u64,
    interrupt: Interrupt,
}

impl<T> Ticket<T> {
    #[inline]
    pub(super) fn new(pool: u64) -> (Answer<T>, Self) {
        let (sender, answer) = oneshot::async_channel();
        (sender, Self { answer, pool, job: 0, interrupt: Interrupt::default() })
    }

    /// The job is in the queue, under this number.
    pub(super) fn number(&mut self, job: u64) {
        self.job = job;
    }

    /// The job's number, if it is one of that pool.
    pub(super) fn number_in(&self, pool: u64) -> Option<u64> {
        (self.pool == pool && self.job != 0).then_some(self.job)
    }

    /// Blocks this thread until the result is there. For plain threads and for jobs that may block; on a tidemill thread
    /// the other tasks go on meanwhile. A job that waits so for a job of its own pool lends its slot, as one that
    /// awaits does.
    ///
    /// # Errors
    /// As awaiting the ticket.
    pub fn wait(self) -> Result<T, JobError> {
        let pool = self.pool;
        park::block_on(pool, self)
    }
}

impl<T> Future for Ticket<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(cx) {
            return Poll::Ready(answer.unwrap_or(Err(JobError::Cancelled)));
        }
        if let Some(cause) = self.interrupt.poll(cx) {
            return Poll::Ready(Err(JobError::Interrupted(cause)));
        }
        inside::waits_for(self.pool);
        Poll::Pending
    }
}

/// Why a job has no result.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{JobError, WorkerPool};
///
/// let pool = WorkerPool::builder().build(|n: u32| async move { 100 / n })?;
/// let answer = match pool.submit(0).await?.await {
///     Ok(quotient) => quotient.to_string(),
///     Err(JobError::Panicked(panic)) => format!("a bug: {}", panic.message()),
///     Err(JobError::Displaced | JobError::Expired) => "busy, try later".to_owned(), // it never started
///     Err(other) => other.to_string(),
/// };
/// assert_eq!(answer, "a bug: attempt to divide by zero");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The job panicked; the worker that ran it goes on.
    Panicked(JobPanic),
    /// The job was not finished: it was cancelled, by its ticket or with its group, the pool was dropped or drained
    /// before it started, or its runtime shut down.
    Cancelled,
    /// The job had to give way before it started: see [`Overflow`](crate::Overflow).
    Displaced,
    /// The job could not start in time: see [`start_within`](crate::WorkerBuilder::start_within).
    Expired,
    /// The job ran for too long and was dropped: see [`run_within`](crate::WorkerBuilder::run_within).
    TimedOut,
    /// The context that the job was submitted in was cancelled before it started, or the one that waits for the ticket was
    /// cancelled before the job ended.
    Interrupted(Cause),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "the job panicked: {}", panic.message()),
            Self::Cancelled => f.write_str("the job was cancelled before it finished"),
            Self::Displaced => f.write_str("the job gave way to another before it started: the queue was full"),
            Self::Expired => f.write_str("the job could not start in time"),
            Self::TimedOut => f.write_str("the job ran for too long and was dropped"),
            Self::Interrupted(cause) => write!(f, "the job is not wanted any more: {cause}"),
        }
    }
}

impl std::error::Error for JobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Interrupted(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The payload a job panicked with. One pointer wide, so that results which are no panic stay small on their way.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{JobError, WorkerPool};
///
/// let pool = WorkerPool::builder().build_sync(|n: u32| n.checked_sub(10).unwrap_or_else(|| panic!("{n} is below ten")))?;
/// let Err(JobError::Panicked(panic)) = pool.submit(3).await?.await else { unreachable!() };
/// assert_eq!(panic.message(), "3 is below ten");
/// let payload = panic.into_payload(); // for `std::panic::resume_unwind`
/// assert!(payload.is::<String>());
/// # Ok(()) }
/// ```
pub struct JobPanic(Box<Payload>);

struct Payload {
    /// A payload is `Send` but not `Sync`; behind the mutex the error is both, as error types should be.
    payload: Mutex<Box<dyn Any + Send>>,
    message: Box<str>,
}

impl JobPanic {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(the payload is not text)")
            .into();
        Self(Box::new(Payload { payload: Mutex::new(payload), message }))
    }

    /// The text given to `panic!`, or a stand-in for a payload that is not text.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The payload itself, for [`std::panic::resume_unwind`].
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JobPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobPanic").field(&self.message()).finish()
    }
}
