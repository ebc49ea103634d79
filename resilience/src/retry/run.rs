//! The two loops: begin, attempt, judge, wait. They share everything but the attempting and the waiting.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use super::{
    Attempt, AttemptInfo, Classify, Decision, Delays, OnRetry, Reason, Retry, RetryBudget, RetryError,
    budget::{Counted, under},
    progress::Progress,
};
use crate::{Clock, ambient};

/// All that one run needs, borrowed.
#[derive(Debug)]
pub(super) struct Run<'a, F, H, D, C: Clock> {
    pub(super) policy: &'a Retry,
    pub(super) classify: &'a F,
    pub(super) on_retry: &'a H,
    pub(super) delays: &'a D,
    pub(super) clock: &'a C,
    pub(super) deadline: Option<C::Instant>,
    pub(super) budget: Option<&'a RetryBudget>,
}

/// A run is an ordinary call until it fails: if it is direct (no time limit, no budget), the first attempt is made before
/// anything is set up, and only its failure begins the loop. `run` gathers what the loop needs; on the way of success the
/// compiler drops it.
#[inline]
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` moves its arguments once more at the first poll: 5 of 28 instructions"
)]
pub(super) fn run<'a, F, H, D, C, T, E, Fut>(
    run: impl Fn() -> Run<'a, F, H, D, C>,
    mut operation: impl FnMut(AttemptInfo) -> Fut,
) -> impl Future<Output = Result<T, RetryError<E>>>
where
    F: Classify<T, E> + 'a,
    H: OnRetry<E> + 'a,
    D: Delays + 'a,
    C: Clock + 'a,
    Fut: Future<Output = Result<T, E>>,
{
    async move {
        let first = if run().is_direct() {
            match operation(AttemptInfo::FIRST).await {
                Ok(value) if run().accepts(&value) => return Ok(value),
                outcome => Some(outcome),
            }
        } else {
            None
        };
        run().repeat(first, operation).await
    }
}

/// [`run`] on this thread.
#[inline]
pub(super) fn run_blocking<'a, F, H, D, C, T, E>(
    run: impl Fn() -> Run<'a, F, H, D, C>,
    mut operation: impl FnMut(AttemptInfo) -> Result<T, E>,
) -> Result<T, RetryError<E>>
where
    F: Classify<T, E> + 'a,
    H: OnRetry<E> + 'a,
    D: Delays + 'a,
    C: Clock + 'a,
{
    let first = if run().is_direct() { Some(operation(AttemptInfo::FIRST)) } else { None };
    match first {
        Some(Ok(value)) if run().accepts(&value) => Ok(value),
        first => run().repeat_blocking(first, operation),
    }
}

impl<'a, F, H, D: Delays, C: Clock> Run<'a, F, H, D, C> {
    /// The loop, from the first attempt or from its outcome.
    async fn repeat<T, E, Fut>(
        self,
        mut first: Option<Result<T, E>>,
        mut operation: impl FnMut(AttemptInfo) -> Fut,
    ) -> Result<T, RetryError<E>>
    where
        F: Classify<T, E>,
        H: OnRetry<E>,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut watch = self.start();
        let mut progress = Progress::new(watch.limit);
        let mut elapsed = Duration::ZERO;
        if first.is_none()
            && let Err(cause) = ambient::admits(Duration::ZERO)
        {
            return Err(progress.give_up(Reason::Cancelled(cause), elapsed));
        }
        while let Some(info) = progress.begin(self.policy, elapsed, ambient::remaining()) {
            let outcome = match first.take() {
                Some(outcome) => Outcome { result: Some(outcome), recorded: false },
                None => self.attempt(operation(info), watch.reaches(self.clock, elapsed, info)).await,
            };
            match self.judge(&mut progress, &mut watch, outcome) {
                Verdict::Done(value) => return Ok(value),
                Verdict::GiveUp(reason, at) => return Err(progress.give_up(reason, at)),
                Verdict::Wait(delay) => {
                    let slept = ambient::until_cancelled(self.clock.sleep_until(self.clock.now() + delay)).await;
                    elapsed = watch.elapsed(self.clock);
                    if let Err(cause) = slept {
                        return Err(progress.give_up(Reason::Cancelled(cause), elapsed));
                    }
                }
            }
        }
        Err(progress.give_up(Reason::Deadline, elapsed))
    }

    /// The same on this thread; here an attempt is not cut.
    fn repeat_blocking<T, E>(
        self,
        mut first: Option<Result<T, E>>,
        mut operation: impl FnMut(AttemptInfo) -> Result<T, E>,
    ) -> Result<T, RetryError<E>>
    where
        F: Classify<T, E>,
        H: OnRetry<E>,
    {
        let mut watch = self.start();
        let mut progress = Progress::new(watch.limit);
        let mut elapsed = Duration::ZERO;
        if first.is_none()
            && let Err(cause) = ambient::admits(Duration::ZERO)
        {
            return Err(progress.give_up(Reason::Cancelled(cause), elapsed));
        }
        while let Some(info) = progress.begin(self.policy, elapsed, ambient::remaining()) {
            let (result, recorded) = match first.take() {
                Some(outcome) => (outcome, false),
                None => under(self.budget, || operation(info)),
            };
            match self.judge(&mut progress, &mut watch, Outcome { result: Some(result), recorded }) {
                Verdict::Done(value) => return Ok(value),
                Verdict::GiveUp(reason, at) => return Err(progress.give_up(reason, at)),
                Verdict::Wait(delay) => {
                    self.clock.block(delay);
                    elapsed = watch.elapsed(self.clock);
                    if let Err(cause) = ambient::admits(Duration::ZERO) {
                        return Err(progress.give_up(Reason::Cancelled(cause), elapsed));
                    }
                }
            }
        }
        Err(progress.give_up(Reason::Deadline, elapsed))
    }

    /// The first attempt needs neither clock nor budget.
    #[inline]
    fn is_direct(&self) -> bool {
        !self.is_timed() && self.budget.is_none()
    }

    fn is_timed(&self) -> bool {
        self.policy.is_timed() || self.deadline.is_some()
    }

    /// Whether the first value is the answer.
    #[inline]
    fn accepts<T, E>(&self, value: &T) -> bool
    where
        F: Classify<T, E>,
    {
        self.classify.on_value(value) == Decision::Stop
    }

    /// Awaits `attempt`, or cuts it at `end`. The timer is made only if the first poll does not finish.
    async fn attempt<T, E>(
        &self,
        attempt: impl Future<Output = Result<T, E>>,
        end: Option<C::Instant>,
    ) -> Outcome<T, E> {
        let attempt = pin!(attempt);
        let mut attempt = Counted::new(self.budget, attempt);
        let mut timer = pin!(async {
            match end {
                Some(end) => self.clock.sleep_until(end).await,
                None => pending().await,
            }
        });
        poll_fn(|cx| match Pin::new(&mut attempt).poll(cx) {
            Poll::Ready((result, recorded)) => Poll::Ready(Outcome { result: Some(result), recorded }),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| Outcome { result: None, recorded: attempt.recorded }),
        })
        .await
    }

    /// What follows an attempt that ended with `outcome`.
    fn judge<T, E>(
        &self,
        progress: &mut Progress<'a, E, D::Waits>,
        watch: &mut Watch<C>,
        outcome: Outcome<T, E>,
    ) -> Verdict<T>
    where
        F: Classify<T, E>,
        H: OnRetry<E>,
    {
        let mut unwanted = None;
        let (decision, used_up, is_error) = match outcome.result {
            None => (self.classify.on_cut(), Reason::TimedOut, false),
            Some(Err(error)) => {
                let decision = self.classify.on_error(&error);
                progress.keep(error);
                (decision, Reason::Exhausted, true)
            }
            Some(Ok(value)) => match self.classify.on_value(&value) {
                Decision::Stop => return self.succeed(value, outcome.recorded),
                decision => {
                    unwanted = Some(value);
                    (decision, Reason::Exhausted, false)
                }
            },
        };
        if let (Some(budget), Decision::Retry | Decision::RetryAfter(_)) = (self.budget, decision) {
            budget.record(outcome.recorded, RetryBudget::failure);
        }
        let elapsed = watch.start_or_elapsed(self.clock);
        let wait = progress
            .next_wait(self.policy, (decision, used_up), elapsed, self.budget, || self.delays.waits(self.policy))
            .and_then(|delay| ambient::admits(delay).map(|()| delay).map_err(Reason::Cancelled));
        match (wait, unwanted) {
            (Ok(delay), _) => {
                let error = progress.last().filter(|_| is_error);
                self.on_retry.notify(Attempt { number: progress.number(), elapsed, delay, error });
                Verdict::Wait(delay)
            }
            (Err(_), Some(value)) => Verdict::Done(value),
            (Err(reason), None) => Verdict::GiveUp(reason, elapsed),
        }
    }

    fn succeed<T>(&self, value: T, recorded: bool) -> Verdict<T> {
        if let Some(budget) = self.budget {
            budget.record(recorded, RetryBudget::success);
        }
        Verdict::Done(value)
    }

    /// Starts the watch if anything is limited by time. The ambient context is not: it has a clock of its own.
    fn start(&self) -> Watch<C> {
        let started = self.is_timed().then(|| self.clock.now());
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

/// How an attempt ended: with no result if it was cut.
struct Outcome<T, E> {
    result: Option<Result<T, E>>,
    /// A layer further inside has recorded it in the same budget.
    recorded: bool,
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

    /// When an attempt that begins at `elapsed` has to end.
    fn reaches(&self, clock: &C, elapsed: Duration, info: AttemptInfo) -> Option<C::Instant> {
        let time = info.time_left?;
        Some(self.started.map_or_else(|| clock.now() + time, |started| started + elapsed + time))
    }
}
