//! One job from its start to its end: its result, its panic, or what cuts it short. The first poll is [`turn`], the rest [`Course`].
//!
//! A job that is ready at its first poll pays for the panic wall and for the note of whose job it is (`inside`). Only one
//! that is suspended comes to the rest: to listen for a cancel, to start the timer of its run time, to lend its slot
//! while it waits for its own pool, and to take a slot back before it is polled again.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    thread,
};

use super::{
    desk::Desk,
    entry::{NEVER, Nanos},
    inside::{Inside, Lender, within},
    run::discard_with,
    shared::Shared,
    ticket::{JobError, JobPanic},
};
use crate::PoolSleep;

/// How one poll of a job ended: with its output, not yet, or with a panic's payload; and whether it waits for its own pool.
type Turn<T> = (thread::Result<Poll<T>>, bool);

/// One poll of a job behind the panic wall, in its context and under the note of whose job it is.
#[inline]
pub(super) fn turn<T>(
    inside: Option<Inside>,
    context: Option<&tidemill_context::Context>,
    poll: impl FnOnce() -> Poll<T>,
) -> Turn<T> {
    let walled = || catch_unwind(AssertUnwindSafe(poll));
    let noted = || match inside {
        Some(inside) => within(inside, walled),
        None => (walled(), false),
    };
    match context {
        Some(context) => context.enter(noted),
        None => noted(),
    }
}

/// Polls the future, and drops it when it is ready: its destructor may panic, so that belongs behind the wall too.
#[inline]
pub(super) fn poll_job<F: Future>(mut running: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    let future = running.as_mut().as_pin_mut().expect("set by the first poll, cleared by the last");
    let output = ready!(future.poll(cx));
    running.set(None);
    Poll::Ready(output)
}

/// The rest of a job that was suspended at its first poll.
pub(super) struct Course<'c, J, T> {
    shared: &'c Arc<Shared<J, T>>,
    /// On which worker; `None` in its submitter's place.
    worker: Option<(Inside, &'c Desk, &'c mut Option<Arc<Waker>>)>,
    /// When it has run for too long.
    run_by: Nanos,
    timer: Option<PoolSleep>,
    lent: bool,
    /// What the job is run in: its submitter's.
    context: Option<&'c tidemill_context::Context>,
}

impl<'c, J: Send + 'static, T: Send + 'static> Course<'c, J, T> {
    /// By a worker, whose desk knows the waker that comes third; or by its submitter, under whatever that is inside of.
    pub(super) fn new(
        shared: &'c Arc<Shared<J, T>>,
        worker: Option<(Inside, &'c Desk, &'c mut Option<Arc<Waker>>)>,
        run_by: Nanos,
        context: Option<&'c tidemill_context::Context>,
    ) -> Self {
        Self { shared, worker, run_by, timer: None, lent: false, context }
    }

    /// Drives the future to its end, beginning where its first poll ended. A panic of it, or of its destructor, becomes an
    /// error.
    pub(super) async fn run<F: Future<Output = T>>(
        mut self,
        mut running: Pin<&mut Option<F>>,
        waits: bool,
    ) -> Result<T, JobError> {
        let mut first = Some(waits);
        let outcome = poll_fn(|cx| {
            if let Some(waits) = first.take() {
                return self.suspend(cx, waits);
            }
            ready!(self.resume(cx))?;
            let inside = self.worker.as_ref().map(|(inside, ..)| *inside);
            match turn(inside, self.context, || poll_job(running.as_mut(), cx)) {
                (Ok(Poll::Ready(output)), _) => Poll::Ready(Ok(output)),
                (Ok(Poll::Pending), waits) => self.suspend(cx, waits),
                (Err(payload), _) => Poll::Ready(Err(JobError::Panicked(JobPanic::new(payload)))),
            }
        })
        .await;
        if outcome.is_err() {
            // The future that panicked or was cut is still there, and its destructor may panic.
            discard_with(|| running.set(None));
        }
        outcome
    }

    /// The job waits for something.
    #[inline(never)]
    fn suspend<R>(&mut self, cx: &mut Context<'_>, waits: bool) -> Poll<Result<R, JobError>> {
        if let Some((_, desk, heard)) = &mut self.worker
            && !heard.as_ref().is_some_and(|heard| heard.will_wake(cx.waker()))
        {
            desk.listen(heard.insert(Arc::new(cx.waker().clone())));
        }
        if let Some(cut) = self.cut(cx) {
            return Poll::Ready(Err(cut));
        }
        if let Some((inside, ..)) = &self.worker
            && waits
        {
            self.lent = Arc::clone(self.shared).lend(*inside);
        }
        Poll::Pending
    }

    /// The job may be polled again, once it has its slot back.
    #[inline(never)]
    fn resume(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), JobError>> {
        let Some((Inside { worker, job, .. }, ..)) = self.worker else { return Poll::Ready(Ok(())) };
        if !self.lent {
            return Poll::Ready(Ok(()));
        }
        if let Some(cut) = self.cut(cx) {
            return Poll::Ready(Err(cut));
        }
        let mut waker = Some(cx.waker().clone());
        let retaken = self.shared.lock().crew.retake(worker, job, &mut waker);
        drop(waker);
        if !retaken {
            return Poll::Pending;
        }
        self.lent = false;
        Poll::Ready(Ok(()))
    }

    /// Why the job is to be dropped now, if it is.
    fn cut(&mut self, cx: &mut Context<'_>) -> Option<JobError> {
        if let Some((inside, desk, _)) = &self.worker
            && desk.is_unwanted(inside.job)
        {
            return Some(JobError::Cancelled);
        }
        if self.run_by == NEVER {
            return None;
        }
        let timer = self.timer.get_or_insert_with(|| self.shared.sleep_until(self.run_by));
        timer.as_mut().poll(cx).is_ready().then_some(JobError::TimedOut)
    }
}
