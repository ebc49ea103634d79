//! A worker: a task that takes a job, runs it behind a wall that panics do not pass, answers the ticket, and repeats.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{
    queue::Entry,
    shared::Shared,
    ticket::{JobError, JobPanic},
};
use crate::limits::JOBS_PER_TURN;

/// Works until the pool is closed and its queue empty.
pub(super) async fn work<J, T, F>(mut seat: Seat<J, T>, handler: Arc<impl Fn(J) -> F>)
where
    F: Future<Output = T>,
{
    let mut jobs: u32 = 0;
    while let Some(Entry { job, reply }) = seat.next().await {
        let tally = &seat.shared.tallies[seat.number];
        tally.start();
        let outcome = walled(|| handler(job)).await;
        tally.finish(seat.shared.ending(&outcome));
        let orphan = match reply {
            Some(reply) => reply.send(outcome).err().map(oneshot::SendError::into_inner),
            None => Some(outcome),
        };
        discard(orphan);
        jobs = jobs.wrapping_add(1);
        if jobs.is_multiple_of(JOBS_PER_TURN) {
            let_others_run().await;
        }
    }
}

/// A worker's place in the pool. Dropping it, at the end or because the runtime shuts down, signs the worker off.
#[derive(Debug)]
pub(super) struct Seat<J, T> {
    pub(super) shared: Arc<Shared<J, T>>,
    /// Which tally is ours, and our name among the idle.
    pub(super) number: usize,
    /// We registered as idle and have not been back since.
    pub(super) asleep: bool,
}

impl<J, T> Seat<J, T> {
    /// The next job, or `None` when the pool is closed and nothing is left.
    fn next(&mut self) -> impl Future<Output = Option<Entry<J, T>>> {
        poll_fn(|cx| self.poll_next(cx))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Entry<J, T>>> {
        let mut queue = self.shared.lock();
        if std::mem::take(&mut self.asleep) {
            queue.arrive(self.number);
        }
        if let Some(entry) = queue.pop() {
            let wakes = [queue.grant(), queue.rouse()];
            drop(queue);
            wakes.into_iter().flatten().for_each(Waker::wake);
            return Poll::Ready(Some(entry));
        }
        if queue.closed {
            return Poll::Ready(None);
        }
        queue.sleep(self.number, cx.waker());
        self.asleep = true;
        Poll::Pending
    }
}

impl<J, T> Drop for Seat<J, T> {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        if self.asleep {
            queue.arrive(self.number);
        }
        queue.live -= 1;
        let (heir, last) = (queue.rouse(), queue.live == 0);
        drop(queue);
        heir.into_iter().for_each(Waker::wake);
        if last {
            // Normally there is nothing left. If the runtime dropped its tasks, this is where the queued jobs go.
            discard(self.shared.close_and_take());
            self.shared.ended.notify_waiters();
        }
    }
}

/// Calls `start` and drives the future it returns; a panic of either, or of the future's destructor, becomes an error.
/// The future is born, polled, and dropped inside one `catch_unwind` per poll, so a job that is ready at once pays for one.
async fn walled<F: Future>(start: impl FnOnce() -> F) -> Result<F::Output, JobError> {
    let mut start = Some(start);
    let mut running = pin!(None);
    let outcome = poll_fn(|cx| {
        let turn = catch_unwind(AssertUnwindSafe(|| {
            if let Some(start) = start.take() {
                running.set(Some(start()));
            }
            let future = running.as_mut().as_pin_mut().expect("set by the first poll, cleared by the last");
            let output = std::task::ready!(future.poll(cx));
            running.set(None);
            Poll::Ready(output)
        }));
        match turn {
            Ok(turn) => turn.map(Ok),
            Err(payload) => Poll::Ready(Err(JobError::Panicked(JobPanic::new(payload)))),
        }
    })
    .await;
    if outcome.is_err() {
        // The future that panicked is still there, and its destructor may panic once more.
        discard_with(|| running.set(None));
    }
    outcome
}

/// Drops a value of the user's; if its destructor panics, the worker goes on.
fn discard<V>(value: V) {
    if std::mem::needs_drop::<V>() {
        discard_with(|| drop(value));
    }
}

/// A second panic of the same job has nobody to go to; the panic hook has printed it.
fn discard_with(drop_it: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(drop_it)));
}

/// Goes to the back of the runtime's queue once. Runtime-neutral, unlike the runtimes' own `yield_now`.
async fn let_others_run() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
