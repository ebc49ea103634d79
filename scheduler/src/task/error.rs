//! Why a task has no output.

use std::any::Any;
use std::fmt;

/// Why a task has no output: it panicked, or it was cancelled by [`abort`](crate::JoinHandle::abort) or by the end of
/// its runtime.
pub struct JoinError(Reason);

enum Reason {
    Cancelled,
    Panicked(Payload),
}

/// The payload of a panic. Boxed once more, to be thin: every task has room for a `JoinError`, and few panic.
struct Payload(Box<Box<dyn Any + Send>>);

// SAFETY: nothing reaches the payload through a shared reference but `message`, which downcasts to `&'static str` and
// `String`; both are `Sync`.
unsafe impl Sync for Payload {}

impl JoinError {
    pub(super) fn cancelled() -> Self {
        Self(Reason::Cancelled)
    }

    pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self(Reason::Panicked(Payload(Box::new(payload))))
    }

    /// The task was aborted, or its runtime shut down before it ended.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Reason::Cancelled)
    }

    /// The task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Reason::Panicked(_))
    }

    /// The payload of the panic, fit for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the task did not panic but was cancelled; see [`try_into_panic`](Self::try_into_panic).
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        self.try_into_panic().expect("into_panic on a JoinError that is a cancellation")
    }

    /// The payload of the panic, or the error unchanged.
    ///
    /// # Errors
    /// The error itself, if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            Reason::Panicked(payload) => Ok(*payload.0),
            Reason::Cancelled => Err(self),
        }
    }

    /// The text of the panic, if it has one.
    fn message(&self) -> Option<&str> {
        let Reason::Panicked(payload) = &self.0 else { return None };
        let text = payload.0.downcast_ref::<&'static str>().copied();
        text.or_else(|| payload.0.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.message()) {
            (Reason::Cancelled, _) => f.write_str("the task was cancelled"),
            (Reason::Panicked(_), Some(text)) => write!(f, "the task panicked: {text}"),
            (Reason::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Cancelled => f.write_str("JoinError::Cancelled"),
            Reason::Panicked(_) => write!(f, "JoinError::Panicked({:?})", self.message().unwrap_or("..")),
        }
    }
}

impl std::error::Error for JoinError {}
