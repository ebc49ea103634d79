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

/// The sending half, kept beside the job. Dropping it unanswered resolves the ticket as [`JobError::Cancelled`].
pub(super) type Reply<T> = oneshot::Sender<Result<T, JobError>>;

/// The result of one job, to be awaited.
///
/// Dropping the ticket lets the job go on unobserved, as dropping a task's join handle does. Awaiting it is cancel safe.
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
pub struct Ticket<T>(oneshot::AsyncReceiver<Result<T, JobError>>);

impl<T> Ticket<T> {
    pub(super) fn new() -> (Reply<T>, Self) {
        let (reply, receiver) = oneshot::async_channel();
        (reply, Self(receiver))
    }
}

impl<T> Future for Ticket<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(JobError::Cancelled)))
    }
}

/// Why a job has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The job panicked; the worker that ran it goes on.
    Panicked(JobPanic),
    /// The job was never finished: the pool was dropped or drained before it started, or its runtime shut down.
    Cancelled,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "the job panicked: {}", panic.message()),
            Self::Cancelled => f.write_str("the job was cancelled before it finished"),
        }
    }
}

impl std::error::Error for JobError {}

/// The payload a job panicked with. One pointer wide, so that results which are no panic stay small on their way.
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
