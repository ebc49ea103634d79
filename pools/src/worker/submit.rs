//! Getting a job into the queue: why it may be refused ([`SubmitError`]), and the wait for a place ([`Enter`]).

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tidemill_context::Cause;

use super::{
    ambient::Interrupt,
    entry::{Entry, NEVER},
    inside,
    queue::{Queue, Standing},
    shared::Shared,
};
use crate::PoolSleep;

/// Why the pool did not take a job. Holds the job (or the jobs, of a batch).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{SubmitError, WorkerPool};
///
/// let pool = WorkerPool::builder().queue(1).build(|name: &str| async move { name.len() })?;
/// pool.pause(); // so that nothing leaves the queue
/// pool.execute("first").await?;
/// match pool.try_submit("second") {
///     Err(SubmitError::Full(job)) => assert_eq!(job, "second"), // it comes back
///     other => panic!("{other:?}"),
/// }
/// pool.close();
/// assert_eq!(pool.submit("third").await.unwrap_err(), SubmitError::Closed("third"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum SubmitError<J> {
    /// The pool takes no more jobs: it was closed, drained, or its runtime shut down.
    Closed(J),
    /// Every place in the queue is taken or promised, and the call does not wait: see [`Overflow`](crate::Overflow).
    Full(J),
    /// The time within which the job was to start has passed, or was none.
    Expired(J),
    /// A job of the same group failed, so this one is not wanted any more.
    Unwanted(J),
    /// The context of the caller is cancelled, or its deadline has come; also while it waited for a place.
    Interrupted(J, Cause),
}

impl<J> SubmitError<J> {
    /// The job that was refused.
    pub fn into_job(self) -> J {
        match self {
            Self::Closed(job) | Self::Full(job) | Self::Expired(job) => job,
            Self::Unwanted(job) | Self::Interrupted(job, _) => job,
        }
    }

    /// The same reason, for something else.
    pub(super) fn map<K>(self, change: impl FnOnce(J) -> K) -> SubmitError<K> {
        match self {
            Self::Closed(job) => SubmitError::Closed(change(job)),
            Self::Full(job) => SubmitError::Full(change(job)),
            Self::Expired(job) => SubmitError::Expired(change(job)),
            Self::Unwanted(job) => SubmitError::Unwanted(change(job)),
            Self::Interrupted(job, cause) => SubmitError::Interrupted(change(job), cause),
        }
    }
}

impl<J> fmt::Debug for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Closed(_) => "Closed",
            Self::Full(_) => "Full",
            Self::Expired(_) => "Expired",
            Self::Unwanted(_) => "Unwanted",
            Self::Interrupted(_, cause) => return f.debug_tuple("Interrupted").field(cause).finish(),
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "the worker pool is closed",
            Self::Full(_) => "the queue of the worker pool is full",
            Self::Expired(_) => "the job cannot start in time",
            Self::Unwanted(_) => "a job of the same group failed",
            Self::Interrupted(_, cause) => return write!(f, "the job is not wanted any more: {cause}"),
        })
    }
}

impl<J> Error for SubmitError<J> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Interrupted(_, cause) => Some(cause),
            _ => None,
        }
    }
}

/// Waits for a place and takes it. Dropped before it is ready, it leaves nothing behind: a place it was granted goes to
/// the next in line.
pub(super) struct Enter<'p, J, T> {
    shared: &'p Arc<Shared<J, T>>,
    /// Present until the future is ready.
    entry: Option<Entry<J, T>>,
    /// Our name in the line of waiters, while we stand in it.
    key: Option<u64>,
    /// Ends the wait when it is too late to start. Made when the wait begins, if there is such a moment.
    timer: Option<PoolSleep>,
    interrupt: Interrupt,
}

impl<'p, J, T> Enter<'p, J, T> {
    pub(super) fn new(shared: &'p Arc<Shared<J, T>>, entry: Entry<J, T>) -> Self {
        Self { shared, entry: Some(entry), key: None, timer: None, interrupt: Interrupt::default() }
    }

    #[must_use = "the waker is dropped after the lock is released"]
    fn leave(&mut self, queue: &mut Queue<J, T>) -> Option<Waker> {
        self.key.take().and_then(|key| queue.leave(key))
    }

    fn take(&mut self) -> Entry<J, T> {
        self.entry.take().expect("polled after it was ready")
    }

    /// Gives up the wait, because of the time.
    pub(super) fn expire(&mut self) -> SubmitError<Entry<J, T>> {
        self.give_up(SubmitError::Expired)
    }

    fn give_up(&mut self, why: impl FnOnce(Entry<J, T>) -> SubmitError<Entry<J, T>>) -> SubmitError<Entry<J, T>> {
        let entry = self.take();
        self.go();
        self.shared.refuse(why(entry))
    }

    /// Leaves the line, and passes a granted place on.
    fn go(&mut self) {
        if self.key.is_none() {
            return;
        }
        let mut queue = self.shared.lock_as_is();
        let own = self.leave(&mut queue);
        let heir = queue.grant();
        drop(queue);
        drop(own);
        heir.into_iter().for_each(Waker::wake);
    }

    /// What is left of the time to start, for waits that are no tasks.
    pub(super) fn left(shared: &Shared<J, T>, start_by: u64) -> Option<Duration> {
        (start_by != NEVER).then(|| Duration::from_nanos(start_by.saturating_sub(shared.now())))
    }

    /// Whether the time to start is over.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let start_by = self.entry.as_ref().map_or(NEVER, Entry::start_by);
        if start_by == NEVER {
            return false;
        }
        let timer = self.timer.get_or_insert_with(|| self.shared.sleep_until(start_by));
        timer.as_mut().poll(cx).is_ready()
    }

    /// Polls for a wait that looks at the clock itself.
    pub(super) fn untimed(self) -> Untimed<'p, J, T> {
        Untimed(self)
    }
}

impl<J: Send + 'static, T: Send + 'static> Enter<'_, J, T> {
    /// A look at the queue, and one at the context.
    fn look_or_give_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, SubmitError<Entry<J, T>>>> {
        let look = self.look(cx.waker());
        if look.is_pending()
            && let Some(cause) = self.interrupt.poll(cx)
        {
            return Poll::Ready(Err(self.give_up(|entry| SubmitError::Interrupted(entry, cause))));
        }
        look
    }

    /// One look at the queue. A waker is user code: it is cloned before the lock is taken, and dropped after.
    fn look(&mut self, waker: &Waker) -> Poll<Result<u64, SubmitError<Entry<J, T>>>> {
        let shared = self.shared;
        let mut waker = Some(waker.clone());
        let mut queue = shared.lock_as_is();
        if queue.closed {
            let own = self.leave(&mut queue);
            queue.counts.rejected += 1;
            drop(queue);
            drop((own, waker));
            return Poll::Ready(Err(SubmitError::Closed(self.take())));
        }
        if self.stands(&mut queue, &mut waker) == Standing::Waiting {
            drop(queue);
            drop(waker);
            return Poll::Pending;
        }
        let own = self.leave(&mut queue);
        let (number, rouse) = queue.push(self.take(), || shared.now());
        drop(queue);
        drop((own, waker));
        shared.act(rouse);
        Poll::Ready(Ok(number))
    }

    /// Whether there is a place for us; else we stand in line.
    fn stands(&mut self, queue: &mut Queue<J, T>, waker: &mut Option<Waker>) -> Standing {
        if let Some(key) = self.key {
            return queue.standing(key, waker);
        }
        queue.recall();
        if queue.room() > 0 {
            return Standing::Granted;
        }
        self.key = Some(queue.wait(waker));
        Standing::Waiting
    }
}

/// The job only passes through; nothing in it is pinned but the timer, which is pinned in its box.
impl<J, T> Unpin for Enter<'_, J, T> {}

impl<J: Send + 'static, T: Send + 'static> Future for Enter<'_, J, T> {
    type Output = Result<u64, SubmitError<Entry<J, T>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(end) = this.look_or_give_up(cx) {
            return Poll::Ready(end);
        }
        if this.is_late(cx) {
            return Poll::Ready(Err(this.expire()));
        }
        inside::waits_for(this.shared.id);
        Poll::Pending
    }
}

impl<J, T> Drop for Enter<'_, J, T> {
    fn drop(&mut self) {
        self.go();
    }
}

/// [`Enter`] without its timer: tokio's needs a runtime, and a plain thread has none.
pub(super) struct Untimed<'p, J, T>(pub(super) Enter<'p, J, T>);

impl<J, T> Unpin for Untimed<'_, J, T> {}

impl<J: Send + 'static, T: Send + 'static> Future for Untimed<'_, J, T> {
    type Output = Result<u64, SubmitError<Entry<J, T>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.look_or_give_up(cx)
    }
}
