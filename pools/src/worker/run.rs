//! A worker: a task that takes a job, runs it behind a wall that panics do not pass, answers the ticket, and repeats.
//!
//! Everything up to the end of a job's first poll is plain functions: what a future keeps across an `await` lies in memory. As
//! one future for each job, with the job handed from one to the next, an `execute` took 146 ns on one thread, and 91 so.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, MutexGuard, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
};

use super::{
    course::{Course, poll_job, turn},
    desk::Desk,
    entry::{Entry, NEVER, Nanos, Tag},
    hand::Hand,
    inside::Inside,
    queue::Queue,
    reply::Reply,
    shared::Shared,
    shed::Shed,
    tally::Ending,
    ticket::{JobError, JobPanic},
};
use crate::{
    PoolSleep,
    limits::{BRISK, JOBS_PER_TURN},
};

/// Works until the pool is closed and its queue empty, or until this worker is one too many.
pub(super) async fn work<J, T, F>(mut seat: Seat<J, T>, handler: Arc<impl Fn(J) -> F>)
where
    J: Send + 'static,
    T: Send + 'static,
    F: Future<Output = T>,
{
    // One for all jobs, as most of them leave it as soon as they came in.
    let mut running = pin!(None);
    while let Some(started) = poll_fn(|cx| seat.poll(cx, &*handler, running.as_mut())).await {
        seat.finish(started, running.as_mut()).await;
    }
}

/// A job that was suspended at its first poll.
pub(super) struct Started<T> {
    note: Note<T>,
    inside: Inside,
    run_by: Nanos,
    tag: Option<Box<Tag<T>>>,
    /// Whether it waits for its own pool.
    waits: bool,
}

/// What is left to do when a job has ended.
struct Note<T> {
    reply: Option<Reply<T>>,
    /// When it was queued, and when it began, if it is timed.
    times: Option<(Nanos, Nanos)>,
}

/// A worker's place in the pool. Dropping it, at the end or because the runtime shuts down, signs the worker off.
pub(super) struct Seat<J, T> {
    shared: Arc<Shared<J, T>>,
    /// Our name in the crew.
    number: usize,
    desk: Arc<Desk>,
    hand: Arc<Hand<Entry<J, T>>>,
    /// We registered as idle, or were hired for work, and have not been back since.
    called: bool,
    /// We have signed off.
    left: bool,
    /// The waker that the desk knows.
    heard: Option<Arc<Waker>>,
    /// Ends the wait for work, of a worker that may go.
    expiry: Option<PoolSleep>,
}

impl<J, T> Seat<J, T> {
    /// A worker that is there from the beginning.
    pub(super) fn new(shared: Arc<Shared<J, T>>, number: usize, desk: Arc<Desk>) -> Self {
        let hand = shared.lock_as_is().deals.hand(number);
        Self { shared, number, desk, hand, called: false, left: false, heard: None, expiry: None }
    }

    /// A worker hired for work that waits.
    pub(super) fn called(shared: Arc<Shared<J, T>>, number: usize, desk: Arc<Desk>) -> Self {
        let mut seat = Self::new(shared, number, desk);
        seat.called = true;
        seat
    }
}

impl<J: Send + 'static, T: Send + 'static> Seat<J, T> {
    /// Does one job after the other, up to the first that is suspended; none when the pool is closed and nothing is left, or
    /// when this worker is not needed. A plain function, and all of a job's first poll in it: what a future keeps across an
    /// `await` lies in memory, and moving a job through there twice cost more than all else of a job that does nothing.
    fn poll<F: Future<Output = T>>(
        &mut self,
        cx: &mut Context<'_>,
        handler: &impl Fn(J) -> F,
        mut running: Pin<&mut Option<F>>,
    ) -> Poll<Option<Started<T>>> {
        if self.has_expired(cx) {
            return Poll::Ready(None);
        }
        for _ in 0..JOBS_PER_TURN {
            let entry = match self.hand.next() {
                Some(entry) => entry,
                None => match self.look(cx) {
                    Look::Job(entry) => entry,
                    Look::Nothing => {
                        self.arm(cx);
                        return Poll::Pending;
                    }
                    Look::End => return Poll::Ready(None),
                },
            };
            let Some(entry) = self.sift(entry) else { continue };
            let started = self.start(cx, entry, handler, running.as_mut());
            if started.is_some() {
                return Poll::Ready(started);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One look at the queue, or a second one: before it sleeps a worker clones its waker, which is user code and must not
    /// run under the lock.
    #[inline(never)]
    fn look(&mut self, cx: &mut Context<'_>) -> Look<Entry<J, T>> {
        let mut waker = None;
        loop {
            match self.look_once(&mut waker) {
                Some(look) => {
                    if !matches!(look, Look::Nothing) {
                        self.expiry = None;
                    }
                    return look;
                }
                None => waker = Some(cx.waker().clone()),
            }
        }
    }

    /// None if there is nothing to do and no waker to sleep with.
    #[inline]
    fn look_once(&mut self, waker: &mut Option<Waker>) -> Option<Look<Entry<J, T>>> {
        let mut queue = self.shared.lock_as_is();
        let stale = if std::mem::take(&mut self.called) { queue.crew.arrive(self.number) } else { None };
        queue.crew.end(self.number);
        let heir = queue.crew.settle();
        let look = if let Some(entry) = queue.pick(self.number) {
            let (granted, rouse) = (queue.grant(), queue.rouse());
            // Relaxed: a guess.
            if self.shared.brisk.load(Relaxed) {
                queue.deal(self.number, entry.number);
            }
            drop(queue);
            granted.into_iter().for_each(Waker::wake);
            self.shared.act(rouse);
            Some(Look::Job(entry))
        } else if queue.closed || queue.crew.is_surplus() {
            leave(&self.shared, queue, self.number);
            self.left = true;
            Some(Look::End)
        } else if let Some(waker) = waker.take() {
            queue.crew.sleep(self.number, waker);
            drop(queue);
            self.called = true;
            Some(Look::Nothing)
        } else {
            drop(queue);
            None
        };
        drop(stale);
        heir.into_iter().for_each(Waker::wake);
        look
    }

    /// Puts the job aside, if it is not to be started any more.
    #[inline]
    fn sift(&self, entry: Entry<J, T>) -> Option<Entry<J, T>> {
        if entry.tag.is_none() { Some(entry) } else { self.sift_by_terms(entry) }
    }

    #[inline(never)]
    fn sift_by_terms(&self, entry: Entry<J, T>) -> Option<Entry<J, T>> {
        let Some(why) = self.stale(&entry) else { return Some(entry) };
        self.shared.shed(entry, why);
        None
    }

    /// Why the job is not to be started any more. Reads the clock only for a job that has to start in time.
    fn stale(&self, entry: &Entry<J, T>) -> Option<Shed> {
        let tag = entry.tag.as_ref()?;
        if tag.start_by != NEVER && tag.start_by <= self.shared.now() {
            self.shared.lock_as_is().counts.expired += 1;
            return Some(Shed::Expired);
        }
        let cause = tag.context.as_ref()?.cause()?;
        self.shared.lock_as_is().counts.cancelled += 1;
        Some(Shed::Interrupted(cause))
    }

    /// Polls the job once; the end of it, or what is left to be done.
    #[inline]
    fn start<F: Future<Output = T>>(
        &self,
        cx: &mut Context<'_>,
        entry: Entry<J, T>,
        handler: &impl Fn(J) -> F,
        mut running: Pin<&mut Option<F>>,
    ) -> Option<Started<T>> {
        let shared = &self.shared;
        let run_by = shared.run_by(&entry);
        let Entry { job, answer, number, mut tag } = entry;
        let reply = Reply::of(answer, tag.as_deref_mut());
        let inside = Inside { pool: shared.id, worker: self.number, job: number };
        let sampled = tag.as_ref().map_or(NEVER, |tag| tag.sampled);
        let times = (sampled != NEVER).then(|| (sampled, shared.now()));
        let note = Note { reply, times };
        self.desk.tally.start();
        let context = tag.as_ref().and_then(|tag| tag.context.as_ref());
        let (turn, waits) = turn(Some(inside), context, || {
            running.set(Some(handler(job)));
            poll_job(running.as_mut(), cx)
        });
        match turn {
            Ok(Poll::Ready(output)) => self.succeed(output, note),
            Ok(Poll::Pending) => return Some(Started { note, inside, run_by, tag, waits }),
            Err(payload) => {
                discard_with(|| running.set(None));
                self.conclude(Err(JobError::Panicked(JobPanic::new(payload))), note);
            }
        }
        None
    }

    /// Goes on with a job that was suspended at its first poll.
    async fn finish<F: Future<Output = T>>(&mut self, started: Started<T>, running: Pin<&mut Option<F>>) {
        let Started { note, inside, run_by, tag, waits } = started;
        let context = tag.as_ref().and_then(|tag| tag.context.as_ref());
        let worker = (inside, &*self.desk, &mut self.heard);
        let outcome = Course::new(&self.shared, Some(worker), run_by, context).run(running, waits).await;
        self.conclude(outcome, note);
    }

    /// Counts and answers a job that came to its end by itself.
    #[inline]
    fn succeed(&self, output: T, note: Note<T>) {
        if note.reply.is_some() || note.times.is_some() || self.shared.rules.failed_when.is_some() {
            return self.conclude(Ok(output), note);
        }
        self.desk.tally.finish(Ending::Done);
        discard(output);
    }

    fn conclude(&self, outcome: Result<T, JobError>, note: Note<T>) {
        let ending = self.shared.ending(&outcome);
        self.desk.tally.finish(ending);
        if let Some((queued, begun)) = note.times {
            self.time(queued, begun);
        }
        let left = match note.reply {
            Some(reply) => reply.answer(outcome, ending.is_failure(), &self.shared),
            None => Some(outcome),
        };
        if let Some(left) = left {
            discard(left);
        }
    }

    #[inline(never)]
    fn time(&self, queued: Nanos, begun: Nanos) {
        let ran = self.shared.now().saturating_sub(begun);
        self.desk.waits.record(begun.saturating_sub(queued));
        self.desk.runs.record(ran);
        // Relaxed: a guess for whoever deals next.
        self.shared.brisk.store(ran < BRISK, Relaxed);
    }

    /// Starts to count the time without work, if this worker may go.
    #[inline(never)]
    fn arm(&mut self, cx: &mut Context<'_>) {
        if self.expiry.is_some() || !self.shared.lock_as_is().crew.is_above_min() {
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
        let mut queue = self.shared.lock_as_is();
        let own = queue.crew.expire(self.number);
        let goes = own.is_some();
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
enum Look<E> {
    Job(E),
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
        let stale = if self.called { queue.crew.arrive(self.number) } else { None };
        queue.crew.end(self.number);
        queue.crew.doom();
        let heir = queue.crew.settle();
        queue.crew.dismiss(self.number);
        let last = queue.crew.live() == 0;
        drop(queue);
        drop(stale);
        heir.into_iter().for_each(Waker::wake);
        if last {
            // This is where the queued jobs go.
            discard(self.shared.close_and_take());
        }
    }
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
