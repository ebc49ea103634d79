//! The handle of a started task: both runtimes' join handles behind one type, with one meaning.
//!
//! Rejected: a boxed trait object, which would allocate once more per task.

use std::{
    any::Any,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A handle to a task; as a future it gives the task's output. Made by [`Spawner::spawn_task`](crate::Spawner::spawn_task).
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped. A panic of the task comes out as a
/// [`TaskError`] and is never raised here.
///
/// # Cancel safety
/// Dropping `&mut task` as a future loses nothing.
///
/// # Panics
/// Polling it again after it has returned the output panics.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let spawner = tidemill_spawner::Spawner::current().expect("inside of a runtime");
/// let mut task = spawner.spawn_task(async { "hello" });
/// assert!(!task.is_finished());
/// assert_eq!((&mut task).await.ok(), Some("hello"));
/// assert!(task.is_finished());
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it detaches the task; say so with `spawn`"]
pub struct Task<T>(Kind<T>);

#[derive(Debug)]
enum Kind<T> {
    #[cfg(feature = "tidemill")]
    Tidemill(tidemill_scheduler::JoinHandle<T>),
    Tokio(tokio::task::JoinHandle<T>),
}

impl<T> Task<T> {
    #[cfg(feature = "tidemill")]
    pub(crate) fn on_tidemill(handle: tidemill_scheduler::JoinHandle<T>) -> Self {
        Self(Kind::Tidemill(handle))
    }

    pub(crate) fn on_tokio(handle: tokio::task::JoinHandle<T>) -> Self {
        Self(Kind::Tokio(handle))
    }

    /// Asks for the task's end. Its future is dropped on a thread of its runtime, soon if it is not inside a poll, else when
    /// that poll returns. Afterwards, and not before, the handle gives an error that
    /// [`is_cancelled`](TaskError::is_cancelled), or the output if the task was faster.
    pub fn abort(&self) {
        match &self.0 {
            #[cfg(feature = "tidemill")]
            Kind::Tidemill(handle) => handle.abort(),
            Kind::Tokio(handle) => handle.abort(),
        }
    }

    /// Whether the task has ended: returned, panicked or been cancelled.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "tidemill")]
            Kind::Tidemill(handle) => handle.is_finished(),
            Kind::Tokio(handle) => handle.is_finished(),
        }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            #[cfg(feature = "tidemill")]
            Kind::Tidemill(handle) => {
                Pin::new(handle).poll(context).map_err(|error| TaskError(ErrorKind::Tidemill(error)))
            }
            Kind::Tokio(handle) => Pin::new(handle).poll(context).map_err(|error| TaskError(ErrorKind::Tokio(error))),
        }
    }
}

/// Why a task has no output: it panicked, or it was cancelled by [`Task::abort`] or by the end of its runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let spawner = tidemill_spawner::Spawner::current().expect("inside of a runtime");
/// let error = spawner.spawn_task(async { panic!("as foreseen") }).await.unwrap_err();
/// assert!(error.is_panic() && !error.is_cancelled());
/// let payload = error.try_into_panic().expect("it panicked");
/// assert_eq!(payload.downcast_ref(), Some(&"as foreseen"));
/// # }
/// ```
#[derive(Debug)]
pub struct TaskError(ErrorKind);

#[derive(Debug)]
enum ErrorKind {
    #[cfg(feature = "tidemill")]
    Tidemill(tidemill_scheduler::JoinError),
    Tokio(tokio::task::JoinError),
}

impl TaskError {
    /// The task was aborted, or its runtime shut down before it ended.
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "tidemill")]
            ErrorKind::Tidemill(error) => error.is_cancelled(),
            ErrorKind::Tokio(error) => error.is_cancelled(),
        }
    }

    /// The task panicked.
    pub fn is_panic(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "tidemill")]
            ErrorKind::Tidemill(error) => error.is_panic(),
            ErrorKind::Tokio(error) => error.is_panic(),
        }
    }

    /// The payload of the panic, fit for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    /// The error itself, if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            #[cfg(feature = "tidemill")]
            ErrorKind::Tidemill(error) => error.try_into_panic().map_err(|error| Self(ErrorKind::Tidemill(error))),
            ErrorKind::Tokio(error) => error.try_into_panic().map_err(|error| Self(ErrorKind::Tokio(error))),
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            #[cfg(feature = "tidemill")]
            ErrorKind::Tidemill(error) => error.fmt(f),
            ErrorKind::Tokio(error) => error.fmt(f),
        }
    }
}

impl Error for TaskError {}
