//! A worker: a task that takes a job, runs it behind a wall that panics do not pass, answers the ticket, and repeats.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, MutexGuard},
    task::{Context, Poll, Waker},
};

use super::{
    course::Course,
    desk::Desk,
    entry::{Entry, NEVER, Nanos},
    inside::Inside,
    queue::Queue,
    shared::Shared,
    shed::Shed,
};
use crate::{
    PoolSleep,
    limits::{JOBS_PER_TURN, SHED_PER_TURN},
};

/// Works until the pool is closed and its queue empty, or until this worker is one too many.
pub(super) async fn work<J, T, F>(mut seat: Seat<J, T>, handler: Arc<impl Fn(J) -> F>)
where
    J: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T>,
{
    let mut jobs: u32 = 0;
    while seat.next().await {
        seat.run(&*handler).await;
        jobs = jobs.wrapping_add(1);
        if jobs.is_multiple_of(JOBS_PER_TURN) {
            let_others_run().await;
        }
    }
}

/// A worker's place in the pool. Dropping it, at the end or because the runtime shuts down, signs the worker off.
pub(super) struct Seat<J, T> {
    shared: Arc<Shared<J, T>>,
    /// Our name in the crew.
    number: usize,
    desk: Arc<Desk>,
    /// We registered as idle, or were hired for work, and have not been back since.
    called: bool,
    /// We have signed off.
    left: bool,
    /// The job we took and have not begun. Kept here, because a job that is handed on from call to call is copied each time.
    taken: Option<Entry<J, T>>,
    /// The waker that the desk knows.
    heard: Option<Waker>,
    /// Ends the wait for work, of a worker that may go.
    expiry: Option<PoolSleep>,
}

impl<J, T> Seat<J, T> {
    /// A worker that is there from the beginning.
    pub(super) fn new(shared: Arc<Shared<J, T>>, number: usize, desk: Arc<Desk>) -> Self {
        Self { shared, number, desk, called: false, left: false, taken: None, heard: None, expiry: None }
    }

    /// A worker hired for work that waits.
    pub(super) fn called(shared: Arc<Shared<J, T>>, number: usize, desk: Arc<Desk>) -> Self {
        let mut seat = Self::new(shared, number, desk);
        seat.called = true;
        seat
    }
}

impl<J: Send + 'static, T: Send + 'static> Seat<J, T> {
    /// Takes the next job that is still to be done; false when the pool is closed and nothing is left, or when this worker
    /// is not needed.
    fn next(&mut self) -> impl Future<Output = bool> {
        poll_fn(|cx| {
            if self.has_expired(cx) {
                return Poll::Ready(false);
            }
            let next = self.poll_next(cx);
            if next.is_ready() {
                self.expiry = None;
            }
            next
        })
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        for _ in 0..SHED_PER_TURN {
            match self.look(cx) {
                Look::Job if !self.sheds() => return Poll::Ready(true),
                Look::Job => {}
                Look::Nothing => {
                    self.arm(cx);
                    return Poll::Pending;
                }
                Look::End => return Poll::Ready(false),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One look at the queue: our last job is over, is there another?
    #[inline]
    fn look(&mut self, cx: &mut Context<'_>) -> Look {
        let mut queue = self.shared.lock();
        if std::mem::take(&mut self.called) {
            queue.crew.arrive(self.number);
        }
        queue.crew.end(self.number);
        let heir = queue.crew.settle();
        self.taken = queue.pick(self.number);
        let look = if self.taken.is_some() {
            let (granted, rouse) = (queue.grant(), queue.rouse());
            drop(queue);
            granted.into_iter().for_each(Waker::wake);
            self.shared.act(rouse);
            Look::Job
        } else if queue.closed || queue.crew.is_surplus() {
            leave(&self.shared, queue, self.number);
            self.left = true;
            Look::End
        } else {
            queue.crew.sleep(self.number, cx.waker());
            self.called = true;
            Look::Nothing
        };
        heir.into_iter().for_each(Waker::wake);
        look
    }

    /// Puts the job we took aside, if it is not to be started any more.
    #[inline]
    fn sheds(&mut self) -> bool {
        let terms = self.taken.as_ref().is_some_and(|entry| entry.start_by != NEVER || entry.tag.is_some());
        terms && self.sheds_by_terms()
    }

    #[inline(never)]
    fn sheds_by_terms(&mut self) -> bool {
        let Some(why) = self.taken.as_ref().and_then(|entry| self.stale(entry)) else { return false };
        self.taken.take().into_iter().for_each(|entry| self.shared.shed(entry, why.clone()));
        true
    }

    /// Why the job is not to be started any more. Reads the clock only for a job that has to start in time.
    fn stale(&self, entry: &Entry<J, T>) -> Option<Shed> {
        if entry.start_by != NEVER && entry.start_by <= self.shared.now() {
            self.shared.lock().counts.expired += 1;
            return Some(Shed::Expired);
        }
        let context = entry.tag.as_ref()?.context.as_ref()?;
        let cause = context.cause()?;
        self.shared.lock().counts.cancelled += 1;
        Some(Shed::Interrupted(cause))
    }

    /// Runs the job we took, counts it, and answers.
    async fn run<F: Future<Output = T>>(&mut self, handler: &impl Fn(J) -> F) {
        let Self { shared, number, desk, heard, taken, .. } = self;
        let Some(entry) = taken.take() else { return };
        let inside = Inside { pool: shared.id, worker: *number, job: entry.number };
        let run_within = shared.run_within(&entry);
        let Entry { job, reply, tag, .. } = entry;
        let sampled = tag.as_ref().map_or(NEVER, |tag| tag.sampled);
        let context = tag.as_ref().and_then(|tag| tag.context.as_ref());
        let begun = if sampled == NEVER { NEVER } else { shared.now() };
        desk.tally.start();
        let outcome =
            Course::of_worker(shared, inside, desk, heard, run_within).in_context(context).run(|| handler(job)).await;
        let ending = shared.ending(&outcome);
        desk.tally.finish(ending);
        if begun != NEVER {
            sample(desk, sampled, begun, shared.now());
        }
        discard(match reply {
            Some(reply) => reply.answer(outcome, ending.is_failure(), shared),
            None => Some(outcome),
        });
    }

    /// Starts to count the time without work, if this worker may go.
    #[inline(never)]
    fn arm(&mut self, cx: &mut Context<'_>) {
        if self.expiry.is_some() || !self.shared.lock().crew.is_above_min() {
            return;
        }
        let rules = &self.shared.rules;
        let mut sleep = rules.clock.sleep(rules.idle_expiry);
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        self.expiry = Some(sleep);
    }

    /// Whether this worker has been without work for long, and goes.
    #[inline]
    fn has_expired(&mut self, cx: &mut Context<'_>) -> bool {
        self.expiry.is_some() && self.expires(cx)
    }

    #[inline(never)]
    fn expires(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.expiry.as_mut().is_some_and(|expiry| expiry.as_mut().poll(cx).is_ready()) {
            return false;
        }
        self.expiry = None;
        let mut queue = self.shared.lock();
        let goes = queue.crew.expire(self.number);
        if goes {
            leave(&self.shared, queue, self.number);
            (self.called, self.left) = (false, true);
        }
        goes
    }
}

/// Signs a worker off in good order.
fn leave<J, T>(shared: &Shared<J, T>, mut queue: MutexGuard<'_, Queue<J, T>>, number: usize) {
    queue.crew.dismiss(number);
    let last = queue.crew.live() == 0;
    drop(queue);
    if last {
        shared.ended.notify_waiters();
    }
}

/// What a worker finds.
#[derive(Clone, Copy)]
enum Look {
    /// It is in `taken`.
    Job,
    Nothing,
    End,
}

impl<J, T> Drop for Seat<J, T> {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        // The runtime drops its tasks, in the middle of a job or of a wait.
        let mut queue = self.shared.lock();
        if self.called {
            queue.crew.arrive(self.number);
        }
        queue.crew.end(self.number);
        queue.crew.doom();
        let heir = queue.crew.settle();
        queue.crew.dismiss(self.number);
        let last = queue.crew.live() == 0;
        drop(queue);
        heir.into_iter().for_each(Waker::wake);
        if last {
            // This is where the queued jobs go.
            discard(self.shared.close_and_take());
        }
    }
}

fn sample(desk: &Desk, queued: Nanos, begun: Nanos, ended: Nanos) {
    desk.waits.record(begun.saturating_sub(queued));
    desk.runs.record(ended.saturating_sub(begun));
}

/// Drops a value of the user's; if its destructor panics, the worker goes on.
pub(super) fn discard<V>(value: V) {
    if std::mem::needs_drop::<V>() {
        discard_with(|| drop(value));
    }
}

/// A second panic of the same job has nobody to go to; the panic hook has printed it.
pub(super) fn discard_with(drop_it: impl FnOnce()) {
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
