//! The call side of a policy: what a `const` cannot hold, put together by a chain of methods.

use std::future::Future;

use super::{
    Always, Attempt, AttemptInfo, ByOutcome, ByPolicy, Classify, Decision, Delays, OnRetry, Retry, RetryBudget,
    RetryError, Silent,
    run::{self, Run},
};
use crate::{Clock, TokioClock};

/// A [`Retry`] together with what the policy cannot know: which errors are worth another attempt, who wants to hear of it,
/// the clock, the deadline of the caller, the budget. Reusable; made by the methods of [`Retry`].
///
/// # Examples
/// ```
/// use std::{io, time::Duration};
/// use tidemill_resilience::{Decision, Reason, Retry};
///
/// let policy = Retry::exponential(Duration::from_millis(10)).build()?;
/// let failed = policy
///     .classify(|error: &io::Error| match error.kind() {
///         io::ErrorKind::PermissionDenied => Decision::Stop,
///         _ => Decision::Retry,
///     })
///     .on_retry(|attempt| eprintln!("attempt {} failed: {:?}", attempt.number, attempt.error))
///     .run_blocking(|_| Err::<(), _>(io::Error::from(io::ErrorKind::PermissionDenied)))
///     .unwrap_err();
/// assert_eq!((failed.attempts, failed.reason), (1, Reason::Stopped));
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing runs before `run` or `run_blocking`"]
pub struct Retrying<'b, F = Always, H = Silent, D = ByPolicy, C: Clock = TokioClock> {
    policy: Retry,
    classify: F,
    on_retry: H,
    delays: D,
    clock: C,
    deadline: Option<C::Instant>,
    budget: Option<&'b RetryBudget>,
}

impl Retry {
    /// Runs `operation` under this policy; every error is retried. See [`Retrying::run`].
    ///
    /// # Errors
    /// As [`Retrying::run`].
    #[inline]
    pub fn run<T, E, Fut>(
        &self,
        operation: impl FnMut(AttemptInfo) -> Fut,
    ) -> impl Future<Output = Result<T, RetryError<E>>>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        run::run(|| self.bare_run(), operation)
    }

    /// Runs `operation` on this thread; every error is retried. See [`Retrying::run_blocking`].
    ///
    /// # Errors
    /// As [`Retrying::run_blocking`].
    #[inline]
    pub fn run_blocking<T, E>(&self, operation: impl FnMut(AttemptInfo) -> Result<T, E>) -> Result<T, RetryError<E>> {
        run::run_blocking(|| self.bare_run(), operation)
    }

    /// A run that borrows everything, so that the policy is not copied for it.
    fn bare_run(&self) -> Run<'_, Always, Silent, ByPolicy, TokioClock> {
        Run {
            policy: self,
            classify: &Always,
            on_retry: &Silent,
            delays: &ByPolicy,
            clock: &TokioClock,
            deadline: None,
            budget: None,
        }
    }

    /// Adds nothing yet: where a chain of [`Retrying`]'s methods begins.
    pub const fn plain(self) -> Retrying<'static> {
        self.clock(TokioClock)
    }

    /// Reads and sleeps by `clock`, on whose axis deadlines are then given.
    pub const fn clock<C: Clock>(self, clock: C) -> Retrying<'static, Always, Silent, ByPolicy, C> {
        let (classify, on_retry, delays) = (Always, Silent, ByPolicy);
        Retrying { policy: self, classify, on_retry, delays, clock, deadline: None, budget: None }
    }

    /// Decides by `classify` what to do about an error.
    pub fn classify<E, F: Fn(&E) -> Decision>(self, classify: F) -> Retrying<'static, F> {
        self.plain().classify(classify)
    }
}

impl<'b, F, H, D, C: Clock> Retrying<'b, F, H, D, C> {
    /// Decides by `classify` what to do about an error.
    pub fn classify<E, G: Fn(&E) -> Decision>(self, classify: G) -> Retrying<'b, G, H, D, C> {
        self.with_classify(classify)
    }

    /// Decides by `classify` what to do about an error, and about a value that may not be good enough.
    ///
    /// For a value, [`Decision::Stop`] says that it is the answer. A run that gives up on a value returns it as it is: a poor
    /// answer is still an answer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_resilience::{Decision, Retry};
    ///
    /// let policy = Retry::constant(Duration::ZERO).build()?;
    /// let status = policy
    ///     .plain()
    ///     .classify_outcome(|outcome: Result<&u16, &String>| match outcome {
    ///         Ok(500..) | Err(_) => Decision::Retry,
    ///         Ok(_) => Decision::Stop,
    ///     })
    ///     .run_blocking(|attempt| Ok(if attempt.number < 3 { 503 } else { 200 }));
    /// assert_eq!(status, Ok(200));
    /// # Ok::<(), tidemill_resilience::InvalidRetry>(())
    /// ```
    pub fn classify_outcome<T, E, G>(self, classify: G) -> Retrying<'b, ByOutcome<G>, H, D, C>
    where
        G: Fn(Result<&T, &E>) -> Decision,
    {
        self.with_classify(ByOutcome(classify))
    }

    pub(crate) fn with_classify<G>(self, classify: G) -> Retrying<'b, G, H, D, C> {
        let Self { policy, on_retry, delays, clock, deadline, budget, .. } = self;
        Retrying { policy, classify, on_retry, delays, clock, deadline, budget }
    }

    /// Tells `hook` of each failed attempt that is followed by another, before the wait.
    pub fn on_retry<E, G: Fn(Attempt<'_, E>)>(self, hook: G) -> Retrying<'b, F, G, D, C> {
        let Self { policy, classify, delays, clock, deadline, budget, .. } = self;
        Retrying { policy, classify, on_retry: hook, delays, clock, deadline, budget }
    }

    /// Takes the waits of each run from the iterator that `delays` makes, as they are: without jitter and maximum. The run ends
    /// as exhausted when they do.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_resilience::{ManualClock, Retry};
    ///
    /// let policy = Retry::constant(Duration::ZERO).max_attempts(100).build()?;
    /// let waits = [10, 10, 500].map(Duration::from_millis);
    /// let failed = policy
    ///     .clock(ManualClock::new())
    ///     .delays(|| waits.into_iter())
    ///     .run_blocking(|_| Err::<(), _>("down"))
    ///     .unwrap_err();
    /// assert_eq!((failed.attempts, failed.elapsed), (4, waits.iter().sum()));
    /// # Ok::<(), tidemill_resilience::InvalidRetry>(())
    /// ```
    pub fn delays<I, G>(self, delays: G) -> Retrying<'b, F, H, G, C>
    where
        I: Iterator<Item = std::time::Duration>,
        G: Fn() -> I,
    {
        let Self { policy, classify, on_retry, clock, deadline, budget, .. } = self;
        Retrying { policy, classify, on_retry, delays, clock, deadline, budget }
    }

    /// Ends every run at `deadline`, or at the policy's own limit if that is earlier.
    pub fn until(mut self, deadline: C::Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Pays for retries out of `budget`, and records successes and failures in it, unless a layer inside has.
    pub fn budget<'n>(self, budget: &'n RetryBudget) -> Retrying<'n, F, H, D, C> {
        let Self { policy, classify, on_retry, delays, clock, deadline, .. } = self;
        Retrying { policy, classify, on_retry, delays, clock, deadline, budget: Some(budget) }
    }

    /// Runs `operation` until it succeeds or the policy ends the run.
    ///
    /// Allocates nothing. Without a time limit, a first attempt that succeeds reads no clock. *Cancel safe* as far as
    /// `operation` is: dropped, it drops the attempt or the sleep.
    ///
    /// **Context.** A wait that would reach the deadline of the ambient context is not begun, and one during which the context is
    /// cancelled ends at once: [`Reason::Cancelled`](super::Reason::Cancelled) has the cause. An attempt has at most what the
    /// context has left; only the first of a run without limits and budget is made without a look at the context.
    ///
    /// # Errors
    /// [`RetryError`] with the last error and the reason.
    #[inline]
    pub fn run<T, E, Fut>(
        &self,
        operation: impl FnMut(AttemptInfo) -> Fut,
    ) -> impl Future<Output = Result<T, RetryError<E>>>
    where
        F: Classify<T, E>,
        H: OnRetry<E>,
        D: Delays,
        Fut: Future<Output = Result<T, E>>,
    {
        run::run(|| self.as_run(), operation)
    }

    /// Runs `operation` on this thread until it succeeds or the policy ends the run, and sleeps between attempts.
    ///
    /// An attempt is not cut: it is told how long it has. A wait is refused as by [`run`](Self::run), but once begun it is not cut
    /// short by the ambient context.
    ///
    /// # Errors
    /// [`RetryError`] with the last error and the reason.
    #[inline]
    pub fn run_blocking<T, E>(&self, operation: impl FnMut(AttemptInfo) -> Result<T, E>) -> Result<T, RetryError<E>>
    where
        F: Classify<T, E>,
        H: OnRetry<E>,
        D: Delays,
    {
        run::run_blocking(|| self.as_run(), operation)
    }

    fn as_run(&self) -> Run<'_, F, H, D, C> {
        let Self { policy, classify, on_retry, delays, clock, deadline, budget } = self;
        Run { policy, classify, on_retry, delays, clock, deadline: *deadline, budget: *budget }
    }
}
