//! The two loops: begin, attempt, judge, wait. They share everything but the attempting and the waiting.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::{
    Attempt, AttemptInfo, Reason, Retry, RetryBudget, RetryError,
    progress::{Failure, Progress},
    retrying::{Classify, OnRetry},
};
use crate::Clock;

/// All that one run needs, borrowed.
pub(super) struct Run<'a, F, H, C: Clock> {
    pub(super) policy: &'a Retry,
    pub(super) classify: &'a F,
    pub(super) on_retry: &'a H,
    pub(super) clock: &'a C,
    pub(super) deadline: Option<C::Instant>,
    pub(super) budget: Option<&'a RetryBudget>,
}

/// A run is an ordinary call until it fails: without a time limit, the first attempt is made before anything is set up, and
/// only its failure begins the loop. `run` gathers what the loop needs; on the way of success the compiler drops it.
#[inline]
pub(super) async fn run<'a, F, H, C, T, E, Fut>(
    is_timed: bool,
    run: impl Fn() -> Run<'a, F, H, C>,
    mut operation: impl FnMut(AttemptInfo) -> Fut,
) -> Result<T, RetryError<E>>
where
    F: Classify<E> + 'a,
    H: OnRetry<E> + 'a,
    C: Clock + 'a,
    Fut: Future<Output = Result<T, E>>,
{
    if is_timed {
        return run().repeat(None, operation).await;
    }
    match operation(AttemptInfo::FIRST).await {
        Ok(value) => Ok(run().succeed(value)),
        Err(error) => run().repeat(Some(error), operation).await,
    }
}

/// [`run`] on this thread.
#[inline]
pub(super) fn run_blocking<'a, F, H, C, T, E>(
    is_timed: bool,
    run: impl Fn() -> Run<'a, F, H, C>,
    mut operation: impl FnMut(AttemptInfo) -> Result<T, E>,
) -> Result<T, RetryError<E>>
where
    F: Classify<E> + 'a,
    H: OnRetry<E> + 'a,
    C: Clock + 'a,
{
    if is_timed {
        return run().repeat_blocking(None, operation);
    }
    match operation(AttemptInfo::FIRST) {
        Ok(value) => Ok(run().succeed(value)),
        Err(error) => run().repeat_blocking(Some(error), operation),
    }
}

impl<F, H, C: Clock> Run<'_, F, H, C> {
    /// The loop, from the first attempt or from its error.
    async fn repeat<T, E, Fut>(
        self,
        first: Option<E>,
        mut operation: impl FnMut(AttemptInfo) -> Fut,
    ) -> Result<T, RetryError<E>>
    where
        F: Classify<E>,
        H: OnRetry<E>,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut watch = self.start();
        let mut progress = Progress::new(watch.limit);
        let mut first = first.map(Err);
        let mut elapsed = Duration::ZERO;
        while let Some(info) = progress.begin(self.policy, elapsed) {
            let outcome = match (first.take(), info.time_left) {
                (Some(failed), _) => Some(failed),
                (None, None) => Some(operation(info).await),
                (None, Some(time)) => self.cut(operation(info), time).await,
            };
            match self.judge(&mut progress, &mut watch, outcome) {
                Verdict::Done(value) => return Ok(value),
                Verdict::GiveUp(reason, at) => return Err(progress.give_up(reason, at)),
                Verdict::Wait(delay) => self.clock.sleep_until(self.clock.now() + delay).await,
            }
            elapsed = watch.elapsed(self.clock);
        }
        Err(progress.give_up(Reason::Deadline, elapsed))
    }

    /// The same on this thread; here an attempt is not cut.
    fn repeat_blocking<T, E>(
        self,
        first: Option<E>,
        mut operation: impl FnMut(AttemptInfo) -> Result<T, E>,
    ) -> Result<T, RetryError<E>>
    where
        F: Classify<E>,
        H: OnRetry<E>,
    {
        let mut watch = self.start();
        let mut progress = Progress::new(watch.limit);
        let mut first = first.map(Err);
        let mut elapsed = Duration::ZERO;
        while let Some(info) = progress.begin(self.policy, elapsed) {
            let outcome = first.take().unwrap_or_else(|| operation(info));
            match self.judge(&mut progress, &mut watch, Some(outcome)) {
                Verdict::Done(value) => return Ok(value),
                Verdict::GiveUp(reason, at) => return Err(progress.give_up(reason, at)),
                Verdict::Wait(delay) => self.clock.block(delay),
            }
            elapsed = watch.elapsed(self.clock);
        }
        Err(progress.give_up(Reason::Deadline, elapsed))
    }

    fn succeed<T>(&self, value: T) -> T {
        self.budget.inspect(|budget| budget.deposit());
        value
    }

    /// Awaits `attempt`, or cuts it after `time`. The timer is made only if the first poll does not finish.
    async fn cut<R>(&self, attempt: impl Future<Output = R>, time: Duration) -> Option<R> {
        let mut attempt = pin!(attempt);
        let mut timer = pin!(async { self.clock.sleep_until(self.clock.now() + time).await });
        poll_fn(|cx| match attempt.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// What follows an attempt that ended with `outcome`, or was cut.
    fn judge<T, E>(&self, progress: &mut Progress<E>, watch: &mut Watch<C>, outcome: Option<Result<T, E>>) -> Verdict<T>
    where
        F: Classify<E>,
        H: OnRetry<E>,
    {
        let failure = match outcome {
            Some(Ok(value)) => return Verdict::Done(self.succeed(value)),
            Some(Err(error)) => {
                let decision = self.classify.decide(&error);
                Failure::Error(error, decision)
            }
            None => Failure::CutOff,
        };
        self.after_failure(progress, watch, failure)
    }

    fn after_failure<T, E>(&self, progress: &mut Progress<E>, watch: &mut Watch<C>, failure: Failure<E>) -> Verdict<T>
    where
        H: OnRetry<E>,
    {
        let elapsed = watch.start_or_elapsed(self.clock);
        let has_error = matches!(failure, Failure::Error(..));
        match progress.next_wait(self.policy, failure, elapsed, self.budget) {
            Err(reason) => Verdict::GiveUp(reason, elapsed),
            Ok(delay) => {
                let error = progress.last().filter(|_| has_error);
                self.on_retry.notify(Attempt { number: progress.number(), elapsed, delay, error });
                Verdict::Wait(delay)
            }
        }
    }

    /// Starts the watch if anything is limited by time.
    fn start(&self) -> Watch<C> {
        let is_timed = self.policy.is_timed() || self.deadline.is_some();
        let started = is_timed.then(|| self.clock.now());
        let to_deadline = self.deadline.zip(started).map(
            |(deadline, now)| {
                if deadline > now { deadline - now } else { Duration::ZERO }
            },
        );
        let limit = match (self.policy.within, to_deadline) {
            (Some(within), Some(left)) => Some(within.min(left)),
            (within, left) => within.or(left),
        };
        Watch { started, limit }
    }
}

enum Verdict<T> {
    Done(T),
    Wait(Duration),
    GiveUp(Reason, Duration),
}

/// When the run began, as far as anyone needs to know, and how long it may take.
struct Watch<C: Clock> {
    started: Option<C::Instant>,
    limit: Option<Duration>,
}

impl<C: Clock> Watch<C> {
    /// Time since the start; zero while the watch stands.
    fn elapsed(&self, clock: &C) -> Duration {
        self.started.map_or(Duration::ZERO, |started| {
            let now = clock.now();
            if now > started { now - started } else { Duration::ZERO }
        })
    }

    /// Time since the start, which is now if the watch stood.
    fn start_or_elapsed(&mut self, clock: &C) -> Duration {
        self.started.get_or_insert_with(|| clock.now());
        self.elapsed(clock)
    }
}
