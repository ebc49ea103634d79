//! One job from its start to its end: its result, its panic, or what cuts it short.
//!
//! A job that is ready at its first poll pays for the panic wall and for the note of whose job it is (`inside`). Only one
//! that is suspended comes to the rest: to listen for a cancel, to start the timer of its run time, to lend its slot
//! while it waits for its own pool, and to take a slot back before it is polled again.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    desk::Desk,
    entry::{NEVER, Nanos, nanos},
    inside::{Inside, Lender, within},
    run::discard_with,
    shared::Shared,
    ticket::{JobError, JobPanic},
};
use crate::PoolSleep;

/// What surrounds one run of one job.
pub(super) struct Course<'c, J, T> {
    shared: &'c Arc<Shared<J, T>>,
    /// On which worker; `None` in its submitter's place.
    worker: Option<(Inside, &'c Desk, &'c mut Option<Waker>)>,
    /// When it has run for too long.
    run_by: Nanos,
    timer: Option<PoolSleep>,
    suspended: bool,
    lent: bool,
    /// What the job is run in: its submitter's.
    context: Option<&'c tidemill_context::Context>,
}

impl<'c, J: Send + 'static, T: Send + 'static> Course<'c, J, T> {
    /// A run by a worker; `heard` is the waker its desk knows.
    pub(super) fn of_worker(
        shared: &'c Arc<Shared<J, T>>,
        inside: Inside,
        desk: &'c Desk,
        heard: &'c mut Option<Waker>,
        run_within: Option<Duration>,
    ) -> Self {
        Self::new(shared, Some((inside, desk, heard)), run_within)
    }

    /// A run in the submitter's place, under whatever the submitter is inside of.
    pub(super) fn of_caller(shared: &'c Arc<Shared<J, T>>, run_within: Option<Duration>) -> Self {
        Self::new(shared, None, run_within)
    }

    fn new(
        shared: &'c Arc<Shared<J, T>>,
        worker: Option<(Inside, &'c Desk, &'c mut Option<Waker>)>,
        run_within: Option<Duration>,
    ) -> Self {
        let run_by = run_within.map_or(NEVER, |within| shared.now().saturating_add(nanos(within)));
        Self { shared, worker, run_by, timer: None, suspended: false, lent: false, context: None }
    }

    /// Runs the job in that context.
    pub(super) fn in_context(self, context: Option<&'c tidemill_context::Context>) -> Self {
        Self { context, ..self }
    }

    /// Calls `start` and drives the future it returns; a panic of either, or of the future's destructor, becomes an
    /// error. The future is born, polled, and dropped inside one `catch_unwind` per poll, so a job that is ready at once
    /// pays for one.
    pub(super) async fn run<F: Future<Output = T>>(mut self, start: impl FnOnce() -> F) -> Result<T, JobError> {
        let mut start = Some(start);
        let mut running = pin!(None);
        let outcome = poll_fn(|cx| {
            if self.suspended {
                std::task::ready!(self.resume(cx))?;
            }
            let mut turn = || {
                catch_unwind(AssertUnwindSafe(|| {
                    if let Some(start) = start.take() {
                        running.set(Some(start()));
                    }
                    let future = running.as_mut().as_pin_mut().expect("set by the first poll, cleared by the last");
                    let output = std::task::ready!(future.poll(cx));
                    running.set(None);
                    Poll::Ready(output)
                }))
            };
            let poll = || match &self.worker {
                Some((inside, ..)) => within(*inside, turn),
                None => (turn(), false),
            };
            let (turn, waits) = match self.context {
                Some(context) => context.enter(poll),
                None => poll(),
            };
            match turn {
                Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
                Ok(Poll::Pending) => self.suspend(cx, waits),
                Err(payload) => Poll::Ready(Err(JobError::Panicked(JobPanic::new(payload)))),
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
        self.suspended = true;
        if let Some((_, desk, heard)) = &mut self.worker
            && !heard.as_ref().is_some_and(|heard| heard.will_wake(cx.waker()))
        {
            desk.listen(cx.waker());
            **heard = Some(cx.waker().clone());
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
        if !self.shared.lock().crew.retake(worker, job, cx.waker()) {
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
