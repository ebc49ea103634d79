//! The call side of a policy: what a `const` cannot hold, put together by a chain of methods.

use std::future::Future;

use super::{
    Attempt, AttemptInfo, Decision, Retry, RetryBudget, RetryError,
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
pub struct Retrying<'b, F = Always, H = Silent, C: Clock = TokioClock> {
    policy: Retry,
    classify: F,
    on_retry: H,
    clock: C,
    deadline: Option<C::Instant>,
    budget: Option<&'b RetryBudget>,
}

/// The default classification: every error is worth another attempt.
#[derive(Clone, Copy, Debug)]
pub struct Always;

/// The default hook: nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

/// Says what to do about an error: a closure, or the default.
pub trait Classify<E> {
    /// The decision on `error`.
    fn decide(&self, error: &E) -> Decision;
}

impl<E> Classify<E> for Always {
    fn decide(&self, _: &E) -> Decision {
        Decision::Retry
    }
}

impl<E, F: Fn(&E) -> Decision> Classify<E> for F {
    fn decide(&self, error: &E) -> Decision {
        self(error)
    }
}

/// Hears of each retry: a closure, or the default.
pub trait OnRetry<E> {
    /// `attempt` failed and its wait begins.
    fn notify(&self, attempt: Attempt<'_, E>);
}

impl<E> OnRetry<E> for Silent {
    fn notify(&self, _: Attempt<'_, E>) {}
}

impl<E, H: Fn(Attempt<'_, E>)> OnRetry<E> for H {
    fn notify(&self, attempt: Attempt<'_, E>) {
        self(attempt);
    }
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
        run::run(self.is_timed(), || self.bare_run(), operation)
    }

    /// Runs `operation` on this thread; every error is retried. See [`Retrying::run_blocking`].
    ///
    /// # Errors
    /// As [`Retrying::run_blocking`].
    #[inline]
    pub fn run_blocking<T, E>(&self, operation: impl FnMut(AttemptInfo) -> Result<T, E>) -> Result<T, RetryError<E>> {
        run::run_blocking(self.is_timed(), || self.bare_run(), operation)
    }

    /// A run that borrows everything, so that the policy is not copied for it.
    fn bare_run(&self) -> Run<'_, Always, Silent, TokioClock> {
        Run { policy: self, classify: &Always, on_retry: &Silent, clock: &TokioClock, deadline: None, budget: None }
    }

    /// Adds nothing yet: where a chain of [`Retrying`]'s methods begins.
    pub const fn plain(self) -> Retrying<'static> {
        self.clock(TokioClock)
    }

    /// Reads and sleeps by `clock`, on whose axis deadlines are then given.
    pub const fn clock<C: Clock>(self, clock: C) -> Retrying<'static, Always, Silent, C> {
        Retrying { policy: self, classify: Always, on_retry: Silent, clock, deadline: None, budget: None }
    }

    /// Decides by `classify` what to do about an error.
    pub fn classify<E, F: Fn(&E) -> Decision>(self, classify: F) -> Retrying<'static, F> {
        self.plain().classify(classify)
    }
}

impl<'b, F, H, C: Clock> Retrying<'b, F, H, C> {
    /// Decides by `classify` what to do about an error.
    pub fn classify<E, G: Fn(&E) -> Decision>(self, classify: G) -> Retrying<'b, G, H, C> {
        let Self { policy, on_retry, clock, deadline, budget, .. } = self;
        Retrying { policy, classify, on_retry, clock, deadline, budget }
    }

    /// Tells `hook` of each failed attempt that is followed by another, before the wait.
    pub fn on_retry<E, G: Fn(Attempt<'_, E>)>(self, hook: G) -> Retrying<'b, F, G, C>
    where
        F: Classify<E>,
    {
        let Self { policy, classify, clock, deadline, budget, .. } = self;
        Retrying { policy, classify, on_retry: hook, clock, deadline, budget }
    }

    /// Ends every run at `deadline`, or at the policy's own limit if that is earlier.
    pub fn until(mut self, deadline: C::Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Pays for retries out of `budget`, and pays into it with each success.
    pub fn budget<'n>(self, budget: &'n RetryBudget) -> Retrying<'n, F, H, C> {
        let Self { policy, classify, on_retry, clock, deadline, .. } = self;
        Retrying { policy, classify, on_retry, clock, deadline, budget: Some(budget) }
    }

    /// Runs `operation` until it succeeds or the policy ends the run.
    ///
    /// Allocates nothing. Without a time limit, a first attempt that succeeds reads no clock. *Cancel safe* as far as
    /// `operation` is: dropped, it drops the attempt or the sleep.
    ///
    /// # Errors
    /// [`RetryError`] with the last error and the reason.
    #[inline]
    pub fn run<T, E, Fut>(
        &self,
        operation: impl FnMut(AttemptInfo) -> Fut,
    ) -> impl Future<Output = Result<T, RetryError<E>>>
    where
        F: Classify<E>,
        H: OnRetry<E>,
        Fut: Future<Output = Result<T, E>>,
    {
        run::run(self.is_timed(), || self.as_run(), operation)
    }

    /// Runs `operation` on this thread until it succeeds or the policy ends the run, and sleeps between attempts.
    ///
    /// An attempt is not cut: it is told how long it has.
    ///
    /// # Errors
    /// [`RetryError`] with the last error and the reason.
    #[inline]
    pub fn run_blocking<T, E>(&self, operation: impl FnMut(AttemptInfo) -> Result<T, E>) -> Result<T, RetryError<E>>
    where
        F: Classify<E>,
        H: OnRetry<E>,
    {
        run::run_blocking(self.is_timed(), || self.as_run(), operation)
    }

    fn is_timed(&self) -> bool {
        self.policy.is_timed() || self.deadline.is_some()
    }

    fn as_run(&self) -> Run<'_, F, H, C> {
        let Self { policy, classify, on_retry, clock, deadline, budget } = self;
        Run { policy, classify, on_retry, clock, deadline: *deadline, budget: *budget }
    }
}
