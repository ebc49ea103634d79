//! Why a context was cancelled: one small value that everybody below gets, as an error with its source.

use std::{error::Error, fmt, sync::Arc};

/// An error of the user's, shared by everybody who is told of it.
///
/// ```
/// use std::{io, sync::Arc};
/// use tidemill_context::{Cause, Reason};
///
/// let reason: Reason = Arc::new(io::Error::other("the disk is full"));
/// let cause = Cause::from(Arc::clone(&reason));
/// assert_eq!(cause.to_string(), "cancelled: the disk is full");
/// assert_eq!(cause, Cause::Error(reason), "that very error");
/// ```
pub type Reason = Arc<dyn Error + Send + Sync>;

/// Why a [`Context`](crate::Context) was cancelled.
///
/// The first cause wins and is what the whole tree below the cancelled context reports. It is an [`Error`]: its `Display`
/// names the reason, and [`source`](Error::source) leads to the user's error. Cloning counts a reference at most.
///
/// Two causes are equal if they are of one kind with the same number, text or (by address) error.
///
/// ```
/// use std::{error::Error, io};
/// use tidemill_context::{Cause, Context};
///
/// let ctx = Context::background();
/// ctx.cancel(Cause::error(io::Error::other("the disk is full")));
/// let cause = ctx.child().check().unwrap_err();
/// assert_eq!(cause.to_string(), "cancelled: the disk is full");
/// assert!(cause.source().unwrap().is::<io::Error>());
/// ```
#[must_use = "it says why the work was cut short"]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Somebody cancelled it and gave no reason.
    Cancelled,
    /// Somebody cancelled it because of this error.
    Error(Reason),
    /// Its deadline came.
    DeadlineExceeded,
    /// The program ends, and lets go of what is not finished.
    Shutdown,
    /// A signal of the operating system, by number.
    Signal(i32),
    /// Work that belonged to it panicked, with this message.
    Panic(Arc<str>),
}

impl Cause {
    /// The cause that `error` is.
    pub fn error(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Error(Arc::new(error))
    }

    /// The cause that a panic is, from what `catch_unwind` or a join gave.
    ///
    /// ```
    /// use tidemill_context::Cause;
    ///
    /// let payload = std::thread::spawn(|| panic!("no luck")).join().unwrap_err();
    /// assert_eq!(Cause::panic(&*payload).to_string(), "panicked: no luck");
    /// ```
    pub fn panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::Panic(text.unwrap_or("a value that is no text").into())
    }

    /// The user's error in it, if it is an `E`.
    ///
    /// ```
    /// use std::fmt::Error;
    /// use tidemill_context::Cause;
    ///
    /// assert_eq!(Cause::error(Error).downcast_ref::<Error>(), Some(&Error));
    /// assert_eq!(Cause::Cancelled.downcast_ref::<Error>(), None);
    /// ```
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Error(reason) => reason.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Error(reason) => write!(f, "cancelled: {reason}"),
            Self::DeadlineExceeded => f.write_str("deadline exceeded"),
            Self::Shutdown => f.write_str("shutting down"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Panic(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(reason) => Some(&**reason),
            _ => None,
        }
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cancelled, Self::Cancelled)
            | (Self::DeadlineExceeded, Self::DeadlineExceeded)
            | (Self::Shutdown, Self::Shutdown) => true,
            (Self::Error(one), Self::Error(other)) => Arc::ptr_eq(one, other),
            (Self::Signal(one), Self::Signal(other)) => one == other,
            (Self::Panic(one), Self::Panic(other)) => one == other,
            _ => false,
        }
    }
}

impl From<Reason> for Cause {
    fn from(reason: Reason) -> Self {
        Self::Error(reason)
    }
}

impl From<Box<dyn Error + Send + Sync>> for Cause {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::Error(error.into())
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Box::<dyn Error + Send + Sync>::from(text).into()
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_cause_names_its_reason() {
        for (cause, text) in [
            (Cause::Cancelled, "cancelled"),
            (Cause::from("a reason"), "cancelled: a reason"),
            (Cause::DeadlineExceeded, "deadline exceeded"),
            (Cause::Shutdown, "shutting down"),
            (Cause::Signal(15), "signal 15"),
            (Cause::panic(&"oh"), "panicked: oh"),
            (Cause::panic(&String::from("ah")), "panicked: ah"),
            (Cause::panic(&7), "panicked: a value that is no text"),
        ] {
            assert_eq!(cause.to_string(), text);
            assert_eq!(cause.clone(), cause);
            assert_eq!(cause.source().is_some(), matches!(cause, Cause::Error(_)));
        }
    }

    #[test]
    fn causes_of_different_kinds_numbers_or_errors_differ() {
        let all = [Cause::Cancelled, "a".into(), "a".into(), Cause::Shutdown, Cause::Signal(1), Cause::Signal(2)];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one == other, i == j, "{one} {other}");
            }
        }
    }
}
