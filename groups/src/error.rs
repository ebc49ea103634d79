//! What can go wrong, as values: why a child has no result, why a group failed, why a child was not taken.

use std::{
    any::Any,
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
};

use tidemill_context::Cause;

/// Why a child has no result.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{Failure, TaskGroup};
///
/// let mut group = TaskGroup::<(), &str>::builder().supervise().build().unwrap();
/// group.spawn(async { Err("no disk") }).await.unwrap();
/// assert!(matches!(group.next().await, Some(Err(Failure::Error("no disk")))));
/// group.spawn(async { panic!("no luck") }).await.unwrap();
/// let failure = group.next().await.unwrap().unwrap_err();
/// assert_eq!(failure.to_string(), "panicked: no luck");
/// # }
/// ```
#[derive(Debug)]
pub enum Failure<E> {
    /// It returned an error.
    Error(E),
    /// It panicked.
    Panicked(Panic),
    /// It was dropped before its end, because the group was cancelled for this cause, or because the runtime shut down.
    Cancelled(Cause),
    /// It was dropped before its end, because its [`AbortHandle`](crate::AbortHandle) said so. No failure of the group.
    Aborted,
}

impl<E> Failure<E> {
    /// The child's own error, if it returned one.
    pub fn into_error(self) -> Option<E> {
        match self {
            Self::Error(error) => Some(error),
            _ => None,
        }
    }

    /// Whether it is a consequence of a cancel or an abort, and not a fault of the child's.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_) | Self::Aborted)
    }

    /// Whether the child alone was ended, by its [`AbortHandle`](crate::AbortHandle).
    pub fn is_aborted(&self) -> bool {
        matches!(self, Self::Aborted)
    }

    /// Whether the child panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }
}

impl<E: fmt::Display> Failure<E> {
    /// What the others are told when this failure ends them.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::Error(error) => Cause::from(&*error.to_string()),
            Self::Panicked(panic) => Cause::Panic(panic.message().into()),
            Self::Cancelled(cause) => cause.clone(),
            Self::Aborted => Cause::Cancelled,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(panic) => write!(f, "panicked: {}", panic.message()),
            Self::Cancelled(cause) => cause.fmt(f),
            Self::Aborted => f.write_str("aborted"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> Error for Failure<E> {}

/// The payload that a child panicked with. One pointer wide, so that results that are no panic stay small.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{Failure, TaskGroup};
///
/// let mut group = TaskGroup::<(), String>::new();
/// group.spawn(async { std::panic::panic_any(7) }).await.unwrap();
/// let Some(Err(Failure::Panicked(panic))) = group.next().await else { panic!("it did") };
/// assert_eq!(panic.into_payload().downcast_ref(), Some(&7));
/// # }
/// ```
pub struct Panic(Box<Payload>);

struct Payload {
    /// A payload is `Send` but not `Sync`; behind the mutex the error is both, as error types should be.
    payload: Mutex<Box<dyn Any + Send>>,
    message: Box<str>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a value that is no text").into();
        Self(Box::new(Payload { payload: Mutex::new(payload), message }))
    }

    /// The text given to `panic!`, or a stand-in for a payload that is no text.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The payload itself, for [`std::panic::resume_unwind`]. The panic hook has printed message, place and backtrace
    /// when the panic began.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

/// Why a group as a whole failed: the root cause, and what else went wrong.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{Failure, TaskGroup};
///
/// let group = TaskGroup::new();
/// group.spawn(async { Ok(1) }).await.unwrap();
/// group.spawn(async { Err("no disk") }).await.unwrap();
/// group.spawn(std::future::pending()).await.unwrap(); // is dropped
/// let error = group.wait().await.unwrap_err();
/// assert!(matches!(error.root(), Failure::Error("no disk")));
/// assert_eq!((error.child(), error.cancelled()), (Some(1), 1));
/// assert_eq!(error.to_string(), "child 1: no disk (and 1 cancelled)");
/// # }
/// ```
#[derive(Debug)]
pub struct GroupError<E> {
    pub(crate) root: Failure<E>,
    pub(crate) child: Option<usize>,
    pub(crate) others: Vec<(usize, Failure<E>)>,
    pub(crate) cancelled: usize,
}

impl<E> GroupError<E> {
    /// What happened first: the failure that cancelled the rest, or the cause for which the group was cancelled from
    /// outside. Never a consequence of the cancel. Under supervision, the failure that came first.
    pub fn root(&self) -> &Failure<E> {
        &self.root
    }

    /// The number of the child that failed first, in order of spawning from 0; none if the group was cancelled from outside.
    pub fn child(&self) -> Option<usize> {
        self.child
    }

    /// The errors and panics that came after the root, each with its child's number, in order of occurrence.
    pub fn others(&self) -> &[(usize, Failure<E>)] {
        &self.others
    }

    /// How many children were dropped before their end, but for those that were aborted one by one.
    pub fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// The root alone.
    pub fn into_root(self) -> Failure<E> {
        self.root
    }

    /// Root and others.
    pub fn into_parts(self) -> (Failure<E>, Vec<(usize, Failure<E>)>) {
        (self.root, self.others)
    }

    /// Goes on with the panic if the root is one; else the error unchanged.
    ///
    /// # Panics
    /// If a child's panic is the root, with its payload.
    #[must_use]
    pub fn resume_panic(self) -> Self {
        match self.root {
            Failure::Panicked(panic) => std::panic::resume_unwind(panic.into_payload()),
            _ => self,
        }
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.child {
            Some(number) => write!(f, "child {number}: {}", self.root)?,
            None => write!(f, "the group was cut short: {}", self.root)?,
        }
        match (self.others.len(), self.cancelled) {
            (0, 0) => Ok(()),
            (others, 0) => write!(f, " (and {others} failed)"),
            (0, cancelled) => write!(f, " (and {cancelled} cancelled)"),
            (others, cancelled) => write!(f, " (and {others} failed, {cancelled} cancelled)"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> Error for GroupError<E> {}

/// Why a group took no child. The child's future has been dropped; [`TrySpawnError`] gives it back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_context::Cause;
/// use tidemill_groups::{SpawnError, TaskGroup};
///
/// let group = TaskGroup::<(), &str>::new();
/// let scope = group.scope(); // that of an accept loop, for instance
/// assert_eq!(scope.spawn(async { Ok(()) }).await, Ok(()));
/// group.cancel(Cause::Shutdown);
/// match scope.spawn(async { Ok(()) }).await {
///     Err(SpawnError::Cancelled(cause)) => assert_eq!(cause, Cause::Shutdown),
///     other => panic!("{other:?}"),
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SpawnError {
    /// The group was cancelled, for this cause. [`TaskGroup::wait`](crate::TaskGroup::wait) has the root as a value.
    Cancelled(Cause),
    /// Whoever spawns was cancelled while it waited for a slot, for this cause; or too little time was left to begin to wait.
    Caller(Cause),
    /// The group is over: its owner has waited for its end, or has dropped it.
    Closed,
    /// The group was made outside of every runtime, without [`on`](crate::GroupBuilder::on), and so was this child.
    NoRuntime,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cause) => write!(f, "the group takes no more children: {cause}"),
            Self::Caller(cause) => write!(f, "gave up waiting for a slot of the group: {cause}"),
            Self::Closed => f.write_str("the group is over"),
            Self::NoRuntime => {
                f.write_str("no runtime: spawn inside tidemill or tokio, or choose one with `on(handle)`")
            }
        }
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(cause) | Self::Caller(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why [`try_spawn`](crate::TaskGroup::try_spawn) took no child, with the child's future.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{TaskGroup, TrySpawnError};
///
/// let group = TaskGroup::<u32, String>::builder().limit(1).build().unwrap();
/// group.try_spawn(async { Ok(1) }).unwrap();
/// match group.try_spawn(async { Ok(2) }) {
///     Err(TrySpawnError::Full(future)) => group.spawn(future).await.unwrap(), // in its turn
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(group.wait().await.unwrap(), [1, 2]);
/// # }
/// ```
pub enum TrySpawnError<F> {
    /// All slots are taken.
    Full(F),
    /// As for [`spawn`](crate::TaskGroup::spawn).
    Refused(F, SpawnError),
}

impl<F> TrySpawnError<F> {
    /// The future that was not started.
    pub fn into_future(self) -> F {
        match self {
            Self::Full(future) | Self::Refused(future, _) => future,
        }
    }
}

impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Refused(_, why) => f.debug_tuple("Refused").field(why).finish_non_exhaustive(),
        }
    }
}

impl<F> fmt::Display for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("all slots of the group are taken"),
            Self::Refused(_, why) => why.fmt(f),
        }
    }
}

impl<F> Error for TrySpawnError<F> {}

/// Which option of a group is at fault.
///
/// ```
/// use tidemill_groups::{BuildError, TaskGroup};
///
/// let refused = TaskGroup::<(), String>::builder().limit(0).build().unwrap_err();
/// assert_eq!(refused, BuildError::NoSlots);
/// assert!(refused.to_string().starts_with("limit(0)"), "it names the option");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// `limit(0)`: no child could ever run.
    NoSlots,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlots => f.write_str("limit(0): no child could ever run; leave the limit out for none"),
        }
    }
}

impl Error for BuildError {}
