//! Getting a job into the queue: at once or not at all ([`TrySubmitError`]), or as soon as there is a place ([`Enter`]).

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    queue::{Entry, Standing},
    shared::Shared,
};

/// The pool takes no more jobs: it was closed, drained, or its runtime shut down. Holds the job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Closed<J>(pub J);

impl<J> fmt::Debug for Closed<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

impl<J> fmt::Display for Closed<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the worker pool is closed")
    }
}

impl<J> Error for Closed<J> {}

/// Why a job could not be queued at once. Holds the job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySubmitError<J> {
    /// Every place in the queue is taken or promised.
    Full(J),
    /// The pool takes no more jobs.
    Closed(J),
}

impl<J> TrySubmitError<J> {
    /// The job that was refused.
    pub fn into_job(self) -> J {
        match self {
            Self::Full(job) | Self::Closed(job) => job,
        }
    }
}

impl<J> fmt::Debug for TrySubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Full(_) => "Full",
            Self::Closed(_) => "Closed",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for TrySubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of the worker pool is full",
            Self::Closed(_) => "the worker pool is closed",
        })
    }
}

impl<J> Error for TrySubmitError<J> {}

/// Waits for a place and takes it. Dropped before it is ready, it leaves nothing behind: a place it was granted goes to
/// the next in line.
#[derive(Debug)]
pub(super) struct Enter<'p, J, T> {
    shared: &'p Shared<J, T>,
    /// Present until the future is ready.
    entry: Option<Entry<J, T>>,
    /// Our name in the line of waiters, while we stand in it.
    key: Option<u64>,
}

impl<'p, J, T> Enter<'p, J, T> {
    pub(super) fn new(shared: &'p Shared<J, T>, entry: Entry<J, T>) -> Self {
        Self { shared, entry: Some(entry), key: None }
    }

    fn leave(&mut self, queue: &mut super::queue::Queue<J, T>) {
        if let Some(key) = self.key.take() {
            queue.leave(key);
        }
    }
}

/// Nothing in it is pinned; the job only passes through.
impl<J, T> Unpin for Enter<'_, J, T> {}

impl<J, T> Future for Enter<'_, J, T> {
    type Output = Result<(), Closed<Entry<J, T>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut queue = this.shared.lock();
        if queue.closed {
            this.leave(&mut queue);
            queue.rejected += 1;
            return Poll::Ready(Err(Closed(this.entry.take().expect("polled after it was ready"))));
        }
        let standing = match this.key {
            Some(key) => queue.standing(key, cx.waker()),
            None if queue.room() > 0 => Standing::Granted,
            None => {
                this.key = Some(queue.wait(cx.waker()));
                Standing::Waiting
            }
        };
        if standing == Standing::Waiting {
            return Poll::Pending;
        }
        this.leave(&mut queue);
        let wake = queue.push(this.entry.take().expect("polled after it was ready"));
        drop(queue);
        wake.into_iter().for_each(std::task::Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl<J, T> Drop for Enter<'_, J, T> {
    fn drop(&mut self) {
        if self.key.is_none() {
            return;
        }
        let mut queue = self.shared.lock();
        self.leave(&mut queue);
        let heir = queue.grant();
        drop(queue);
        heir.into_iter().for_each(std::task::Waker::wake);
    }
}
