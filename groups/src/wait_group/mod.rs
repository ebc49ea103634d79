//! The wait group, as Go has it: a count of what is under way, and waiting until it is zero.
//!
//! `state` is the protocol; this file is the handle, the guard, and the two ways to wait.

mod state;

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{self, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tidemill_context::{Cause, Context};
use tidemill_spawner::{Spawner, blocking_here};

use self::state::{MAX, Place, State};

/// Counts work that is under way, and waits until there is none.
///
/// It knows nothing of tasks, results or errors; for these there is [`TaskGroup`](crate::TaskGroup). A clone is the same group.
/// It may be used again as soon as it has reached zero, also while those who waited are still on their way.
///
/// Count with a [guard](Self::guard), which cannot be forgotten nor counted twice; [`add`](Self::add) and [`done`](Self::done)
/// are for where a guard cannot go.
///
/// # Cost
/// A compare-and-swap to add and one to be done; no allocation. Waiting takes a lock, unless the count is zero.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::WaitGroup;
///
/// let group = WaitGroup::new();
/// for _ in 0..3 {
///     let guard = group.guard();
///     tokio::spawn(async move {
///         tokio::task::yield_now().await;
///         drop(guard); // or whenever the task ends, panics included
///     });
/// }
/// group.wait().await.unwrap();
/// assert_eq!(group.count(), 0);
/// # }
/// ```
#[derive(Clone)]
pub struct WaitGroup {
    state: Arc<State>,
}

impl WaitGroup {
    /// A group with a count of zero. One allocation.
    pub fn new() -> Self {
        Self { state: Arc::new(State::new()) }
    }

    /// Adds one until the guard is dropped.
    ///
    /// # Panics
    /// Past a count of 2³¹ - 1.
    pub fn guard(&self) -> WaitGuard {
        assert!(self.state.add(1), "a wait group counts to {MAX}");
        WaitGuard { group: self.clone() }
    }

    /// Adds `more`, for as many calls of [`done`](Self::done) to come.
    ///
    /// # Errors
    /// [`CountError::TooMany`] past a count of 2³¹ - 1; nothing is added.
    pub fn add(&self, more: usize) -> Result<(), CountError> {
        if self.state.add(more) { Ok(()) } else { Err(CountError::TooMany) }
    }

    /// Takes one away; if it was the last, those who wait are woken.
    ///
    /// # Errors
    /// [`CountError::Negative`] if there was none; nothing is taken away.
    pub fn done(&self) -> Result<(), CountError> {
        if self.state.done() { Ok(()) } else { Err(CountError::Negative) }
    }

    /// What has been added and is not done.
    pub fn count(&self) -> usize {
        self.state.count()
    }

    /// Spawns `future` as a task on the runtime of this thread, and counts it until it has ended, by a panic as well. Its
    /// destructors have run by then.
    ///
    /// # Errors
    /// [`CountError::NoRuntime`] outside of every runtime.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// use tidemill_groups::WaitGroup;
    ///
    /// let (group, sum) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
    /// for number in 1..=10 {
    ///     let sum = Arc::clone(&sum);
    ///     group.spawn(async move { sum.fetch_add(number, Ordering::Relaxed); }).unwrap();
    /// }
    /// group.wait().await.unwrap();
    /// assert_eq!(sum.load(Ordering::Relaxed), 55);
    /// # }
    /// ```
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<(), CountError> {
        let spawner = Spawner::current().ok_or(CountError::NoRuntime)?;
        spawner.spawn(Counted { future, _guard: self.guard() });
        Ok(())
    }

    /// Waits until the count is zero; ready at once if it is. Any number may wait. *Cancel safe*.
    ///
    /// Who waits sees what was done before each `done`.
    ///
    /// # Errors
    /// The cause, if the ambient [`Context`] is cancelled first.
    pub async fn wait(&self) -> Result<(), Cause> {
        if self.state.count() == 0 {
            return Ok(());
        }
        let zero = Zero { state: &self.state, place: None };
        match Context::try_current() {
            Some(context) => context.run(zero).await,
            None => {
                zero.await;
                Ok(())
            }
        }
    }

    /// As [`wait`](Self::wait), and keeps the calling thread. For plain threads, and for tasks of tidemill, which may block; a
    /// task of tokio's should `wait().await`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_blocking(&self) -> Result<(), Cause> {
        if self.state.count() == 0 {
            return Ok(());
        }
        blocking_here(|| block_on(self.wait()))
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}

/// One in the count of a [`WaitGroup`], until it is dropped. A clone is one more.
///
/// ```
/// use tidemill_groups::WaitGroup;
///
/// let group = WaitGroup::new();
/// let guard = group.guard();
/// let other = guard.clone();
/// assert_eq!(guard.group().count(), 2);
/// drop(guard);
/// std::thread::spawn(move || drop(other));
/// group.wait_blocking().unwrap();
/// assert_eq!(group.count(), 0);
/// ```
#[must_use = "it counts only while it lives"]
pub struct WaitGuard {
    group: WaitGroup,
}

impl WaitGuard {
    /// The group that it counts in.
    pub fn group(&self) -> &WaitGroup {
        &self.group
    }
}

impl Clone for WaitGuard {
    /// # Panics
    /// Past a count of 2³¹ - 1.
    fn clone(&self) -> Self {
        self.group.guard()
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        // Fails only if `done` was called for what this guard has added.
        let counted = self.group.state.done();
        debug_assert!(counted || thread::panicking(), "a wait group's `done` was called once too often");
    }
}

impl fmt::Debug for WaitGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGuard").field("count", &self.group.count()).finish()
    }
}

/// Why a count could not be changed.
///
/// ```
/// use tidemill_groups::{CountError, WaitGroup};
///
/// let group = WaitGroup::new();
/// assert_eq!(group.add(1), Ok(()));
/// assert_eq!(group.done(), Ok(()));
/// assert_eq!(group.done(), Err(CountError::Negative)); // once too often
/// assert_eq!(group.spawn(async {}), Err(CountError::NoRuntime));
/// assert_eq!(group.count(), 0, "nothing of that counts");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CountError {
    /// `done` was called more often than was added.
    Negative,
    /// The count would be above 2³¹ - 1.
    TooMany,
    /// `spawn` was called outside of every runtime.
    NoRuntime,
}

impl fmt::Display for CountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negative => "done() was called more often than was added",
            Self::TooMany => "add(n): a wait group counts to 2147483647",
            Self::NoRuntime => "no runtime: spawn inside tidemill or tokio",
        })
    }
}

impl Error for CountError {}

pin_project_lite::pin_project! {
    /// A future that is counted until it is gone.
    struct Counted<F> {
        // Before the guard, so that it is dropped first.
        #[pin]
        future: F,
        _guard: WaitGuard,
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

/// Ready when the count is zero, or was since the first poll.
struct Zero<'a> {
    state: &'a State,
    place: Option<Place>,
}

impl Future for Zero<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let over = match self.place {
            Some(place) => self.state.is_over(place, cx.waker()),
            None => {
                self.place = self.state.join(cx.waker());
                self.place.is_none()
            }
        };
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Zero<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.state.leave(place);
        }
    }
}

/// Keeps this thread until the future is ready.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut task::Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            // May return for no reason; the loop looks again.
            Poll::Pending => thread::park(),
        }
    }
}
