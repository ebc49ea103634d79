//! The start handshake: whoever starts a child waits until it says that it is ready, and gets what it says.
//!
//! | the child | who waits in `start` gets | the group gets |
//! |---|---|---|
//! | says ready | the value | what the child leaves later, as of any child |
//! | fails before | the failure | nothing: it is dealt with |
//! | ends well before | [`StartError::NotReady`] | the child's value |
//! | is cut by a cancel of the group | the cause | the cause |
//! | goes on, but `start` is dropped | - | nothing: the child alone is cut, unless it has said ready |
//!
//! Who is ready and who gives up meet under one lock, so exactly one comes first (python-trio/trio#1431, #2895).

use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll, Waker},
};

use tidemill_context::Cause;

use super::{child::Tie, shared::Shared};
use crate::{Failure, SpawnError, state::Seat};

/// One start.
pub(super) struct Start<V, E> {
    state: Mutex<State<V, E>>,
    given_up: AtomicBool,
}

enum State<V, E> {
    Waiting(Option<Waker>),
    /// Told, and to be fetched.
    Told(Result<V, StartError<E>>),
    /// Fetched; what comes now is the group's.
    Over,
}

impl<V, E> Start<V, E> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Waiting(None)), given_up: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, State<V, E>> {
        // No user code runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits, if somebody does and has not been told; else gives it back.
    fn tell(&self, news: Result<V, StartError<E>>) -> Option<Result<V, StartError<E>>> {
        let mut state = self.lock();
        let State::Waiting(waker) = &mut *state else { return Some(news) };
        let waker = waker.take();
        *state = State::Told(news);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        None
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<V, StartError<E>>> {
        let mut state = self.lock();
        let before = match &mut *state {
            State::Waiting(known) => known.replace(waker.clone()),
            State::Told(_) => {
                let State::Told(news) = mem::replace(&mut *state, State::Over) else { unreachable!("it was") };
                return Poll::Ready(news);
            }
            State::Over => unreachable!("a start is awaited once"),
        };
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Nobody waits any more; `true` if the child has not said a word yet.
    fn give_up(&self) -> bool {
        let before = mem::replace(&mut *self.lock(), State::Over);
        let untold = matches!(before, State::Waiting(_));
        if untold {
            // Release, with the Acquire in `is_cut`: by then the state is over.
            self.given_up.store(true, Ordering::Release);
        }
        untold
    }
}

impl<V: Send, E: Send> Tie<E> for Start<V, E> {
    /// Nobody waits for it to be ready any more.
    fn is_cut(&self) -> bool {
        // Acquire, with the Release in `give_up`.
        self.given_up.load(Ordering::Acquire)
    }

    fn cut(&self) -> Failure<E> {
        Failure::Cancelled(Cause::Cancelled)
    }

    fn ended(&self, failure: Option<Failure<E>>) -> Option<Failure<E>> {
        let Some(failure) = failure else {
            // Unless it was told.
            drop(self.tell(Err(StartError::NotReady)));
            return None;
        };
        let copy = match &failure {
            // The group has to know that not all was done.
            Failure::Cancelled(cause) if !self.is_cut() => Some(Failure::Cancelled(cause.clone())),
            _ => None,
        };
        match self.tell(Err(StartError::Failed(failure))) {
            None => copy,
            // Cut alone, as nobody waited for it.
            Some(Err(StartError::Failed(Failure::Cancelled(_)))) if self.is_cut() => None,
            Some(Err(StartError::Failed(failure))) => Some(failure),
            Some(_) => unreachable!("it gives back what it was given"),
        }
    }
}

/// With what a child of [`start`](crate::TaskGroup::start) says that it is ready.
///
/// Dropping it says nothing: the child may still end with an error of its own, which tells more.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::future::pending;
/// use tidemill_groups::{Ready, TaskGroup};
///
/// let group = TaskGroup::<(), String>::new();
/// let serve = |ready: Ready<u16>| async move {
///     // ... bind ...
///     if ready.set(8080).is_err() { return Ok(()); } // nobody waits any more
///     pending().await
/// };
/// assert_eq!(group.start(serve).await.unwrap(), 8080);
/// assert_eq!(group.stats().running, 1); // and it serves
/// # }
/// ```
pub struct Ready<V> {
    tell: Box<dyn FnOnce(V) -> Result<(), V> + Send>,
}

impl<V: Send + 'static> Ready<V> {
    pub(super) fn new<E: Send + 'static>(start: Arc<Start<V, E>>) -> Self {
        let tell = move |value| match start.tell(Ok(value)) {
            None | Some(Err(_)) => Ok(()),
            Some(Ok(value)) => Err(value),
        };
        Self { tell: Box::new(tell) }
    }

    /// Says that the child is ready. From now on it is as any child of the group.
    ///
    /// # Errors
    /// The value, if nobody waits any more. The child is cut at its next `.await`.
    pub fn set(self, value: V) -> Result<(), V> {
        (self.tell)(value)
    }
}

impl<V> fmt::Debug for Ready<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready")
    }
}

/// Waits for the child to be ready; dropped before, it cuts the child.
pub(super) struct Starting<V, T, E: fmt::Display> {
    pub(super) start: Arc<Start<V, E>>,
    pub(super) group: Arc<Shared<T, E>>,
    pub(super) seat: Seat,
    pub(super) over: bool,
}

impl<V, T, E: fmt::Display> Future for Starting<V, T, E> {
    type Output = Result<V, StartError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let news = self.start.poll(cx.waker());
        self.over |= news.is_ready();
        news
    }
}

impl<V, T, E: fmt::Display> Drop for Starting<V, T, E> {
    fn drop(&mut self) {
        if !self.over && self.start.give_up() {
            self.group.state.rouse(self.seat);
        }
    }
}

/// Why [`start`](crate::TaskGroup::start) has nothing to give.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::{Failure, Ready, StartError, TaskGroup};
///
/// let group = TaskGroup::<(), &str>::new();
/// let port = group.start(|_ready: Ready<u16>| async { Err("the port is taken") }).await;
/// assert!(matches!(port, Err(StartError::Failed(Failure::Error("the port is taken")))));
/// let port = group.start(|_ready: Ready<u16>| async { Ok(()) }).await;
/// assert!(matches!(port, Err(StartError::NotReady)));
/// assert!(!group.is_cancelled(), "that is the caller's business");
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError<E> {
    /// The child was not started, or who waited was cancelled.
    Refused(SpawnError),
    /// The child failed before it was ready. The group goes on.
    Failed(Failure<E>),
    /// The child ended well without having said that it was ready.
    NotReady,
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => why.fmt(f),
            Self::Failed(failure) => write!(f, "the child failed before it was ready: {failure}"),
            Self::NotReady => f.write_str("the child ended without having been ready"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> Error for StartError<E> {}

impl<E> From<SpawnError> for StartError<E> {
    fn from(why: SpawnError) -> Self {
        Self::Refused(why)
    }
}
