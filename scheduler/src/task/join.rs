//! The join handle: waits for a task, aborts it, or lets it go.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use super::header::{Header, release};
use super::{JoinError, waker};

/// A handle to a spawned task; as a future it gives the task's output.
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped. A panic of the task is returned as a
/// [`JoinError`], never raised here.
///
/// # Cancel safety
/// Dropping `&mut handle` as a future loses nothing: the output stays until the handle itself is polled or dropped.
///
/// # Panics
/// Polling it again after it has returned the output panics.
///
/// ```
/// let rt = tidemill_scheduler::Runtime::new()?;
/// let answer = rt.block_on(rt.spawn(async { 6 * 7 }))?;
/// assert_eq!(answer, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JoinHandle<T> {
    /// None when the output has been taken, and the reference released with it.
    task: Option<NonNull<Header>>,
    output: PhantomData<T>,
}

// SAFETY: the handle reaches the output only when the task is complete, and the output is `Send`; all else that it
// touches is atomic or handed over through the state word.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through `&JoinHandle` only atomics are touched.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// The caller gives the join handle's reference of a task whose output is `T`.
    pub(super) unsafe fn from_raw(task: NonNull<Header>) -> Self {
        Self { task: Some(task), output: PhantomData }
    }

    fn header(&self) -> Option<&Header> {
        // SAFETY: the handle owns a reference.
        self.task.as_ref().map(|task| unsafe { task.as_ref() })
    }

    /// Asks for the task's end. A task that is not being polled drops its future soon, on a machine of its runtime; a
    /// task inside a poll drops it when that poll returns. The handle then gives a [`JoinError`] that
    /// [`is_cancelled`](JoinError::is_cancelled), or the output, if the task was faster.
    pub fn abort(&self) {
        if let Some(task) = self.task {
            // SAFETY: the handle owns a reference.
            unsafe { waker::submit_if(task, |h| h.state.abort()) };
        }
    }

    /// Whether the task has ended: returned, panicked or been cancelled.
    pub fn is_finished(&self) -> bool {
        self.header().is_none_or(|header| header.state.is_complete())
    }

    /// Leaves `waker` to be woken at completion; `false` if the task is complete.
    fn register(task: NonNull<Header>, waker: &Waker) -> bool {
        // SAFETY: the handle owns a reference.
        let Header { state, vtable, .. } = unsafe { task.as_ref() };
        // SAFETY: the handle's reference keeps the slot alive.
        let slot = unsafe { (vtable.join_waker)(task) };
        // SAFETY: as above.
        let slot = unsafe { slot.as_ref() };
        if state.has_join_waker() {
            // SAFETY: while JOIN_WAKER is set the slot is only read, by us and by the completer.
            let same = unsafe { &*slot.get() }.as_ref().is_some_and(|w| w.will_wake(waker));
            if same {
                return !state.is_complete();
            }
            if !state.retract_join_waker() {
                return false;
            }
        }
        // SAFETY: JOIN_WAKER is clear and the task was not complete when it was: the slot is ours.
        unsafe { *slot.get() = Some(waker.clone()) };
        state.publish_join_waker()
    }

    /// Takes the waker back that this handle left. In its slot it would keep the waiter's memory until the end of this
    /// task; along a chain of tasks that wait for each other the last one would keep all, and free them in one
    /// recursion; and tasks that wait in a ring would keep each other for ever.
    fn take_waker_back(task: NonNull<Header>) {
        // SAFETY: the handle owns a reference.
        let Header { state, vtable, .. } = unsafe { task.as_ref() };
        if state.has_join_waker() && state.retract_join_waker() {
            // SAFETY: the handle's reference keeps the slot alive.
            let slot = unsafe { (vtable.join_waker)(task) };
            // SAFETY: as above.
            let slot = unsafe { slot.as_ref() };
            // SAFETY: JOIN_WAKER is clear and the task was not complete when it was: the slot is ours.
            drop(unsafe { &mut *slot.get() }.take());
        }
    }

    /// Takes the output of a complete task, and releases the handle's reference.
    fn take(&mut self, task: NonNull<Header>) -> Result<T, JoinError> {
        let mut output: Option<Result<T, JoinError>> = None;
        // SAFETY: the handle owns a reference.
        let vtable = unsafe { task.as_ref() }.vtable;
        // SAFETY: the task is complete, the handle is the taker, and `T` is the task's output.
        unsafe { (vtable.take_output)(task, (&raw mut output).cast()) };
        self.task = None;
        // SAFETY: the handle's own reference, which it has just forgotten.
        unsafe { release(task, 1) };
        output.expect("take_output fills the slot")
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task.expect("a JoinHandle was polled after it had returned its task's output");
        if !self.is_finished() && Self::register(task, context.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.take(task))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(task) = self.task else { return };
        Self::take_waker_back(task);
        // SAFETY: the handle owns a reference.
        let Header { state, vtable, .. } = unsafe { task.as_ref() };
        if !state.drop_join_interest() {
            return;
        }
        // SAFETY: the task is complete, so the output is the handle's to drop.
        unsafe { (vtable.drop_output)(task) };
        // SAFETY: the handle's own reference, not used again.
        unsafe { release(task, 1) };
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
