//! The rules of one run: how far it is, and what follows a failed attempt. No clock, no sleep, no await in here.
//!
//! After a failure the questions are asked in this order, and the first that says no ends the run: may this *outcome* be
//! retried, is there *time* left, are there *attempts* left, does the *wait* fit into the time, is there a *budget*? The
//! budget comes last, so that nothing is paid for a retry that is not made.
//!
//! What is paid for is a request *sent*. The first is free; an attempt that was not sent leaves its right to the next one, and
//! a right that was paid for and never used is refunded.

use std::time::Duration;

use super::{Decision, Reason, Retry, RetryBudget, RetryError, Spend};

/// What an attempt is told.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{Jitter, ManualClock, Retry};
///
/// let second = Duration::from_secs(1);
/// let policy = Retry::constant(4 * second).within(10 * second).jitter(Jitter::None).build()?;
/// let mut told = Vec::new();
/// let failed = policy.clock(ManualClock::new()).run_blocking(|attempt| {
///     told.push((attempt.number, attempt.time_left)); // what a call can pass on as its time-out
///     Err::<(), _>("down")
/// });
/// assert!(failed.is_err());
/// assert_eq!(told, [(1, Some(10 * second)), (2, Some(6 * second)), (3, Some(2 * second))]);
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AttemptInfo {
    /// 1 for the first attempt. One less is what gRPC sends as `grpc-previous-rpc-attempts`.
    pub number: u32,
    /// Time for this attempt, if any limit is set: what to pass on as a time-out to whatever it calls.
    pub time_left: Option<Duration>,
}

impl AttemptInfo {
    /// The first attempt of a run without time limits.
    pub(super) const FIRST: Self = Self { number: 1, time_left: None };
}

/// What the hook is told before each wait.
///
/// # Examples
/// ```
/// use std::{cell::RefCell, time::Duration};
/// use tidemill_resilience::{Attempt, Jitter, ManualClock, Retry};
///
/// let policy = Retry::exponential(Duration::from_secs(1)).jitter(Jitter::None).build()?;
/// let log = RefCell::new(Vec::new());
/// let failed = policy
///     .clock(ManualClock::new())
///     .on_retry(|attempt: Attempt<'_, &'static str>| log.borrow_mut().push((attempt.number, attempt.delay.as_secs())))
///     .run_blocking(|_| Err::<(), _>("down"));
/// assert_eq!(failed.unwrap_err().attempts, 3);
/// assert_eq!(log.take(), [(1, 1), (2, 2)], "after the third there is no wait");
/// # Ok::<(), tidemill_resilience::InvalidRetry>(())
/// ```
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Attempt<'a, E> {
    /// The attempt that failed; 1 is the first.
    pub number: u32,
    /// Time since the run began (see [`RetryError::elapsed`]).
    pub elapsed: Duration,
    /// The wait that follows.
    pub delay: Duration,
    /// Its error; `None` if its time-out cut it, or if it had a value that was not good enough.
    pub error: Option<&'a E>,
}

/// The right to send a request.
#[derive(Debug)]
enum Right<'b> {
    /// Of the first.
    Free,
    Paid(Spend<'b>),
    /// A request was sent by it.
    Used,
}

/// How far a run is. Cheap to begin: what only a failure needs is made at the first one.
#[derive(Debug)]
pub(super) struct Progress<'b, E, W> {
    /// Time in all, counted from the start.
    limit: Option<Duration>,
    number: u32,
    waits: Option<W>,
    last: Option<E>,
    right: Right<'b>,
}

impl<'b, E, W: Iterator<Item = Duration>> Progress<'b, E, W> {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, number: 0, waits: None, last: None, right: Right::Free }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Begins the next attempt at `elapsed`; `None` if there is no time for it. `ambient` is what the ambient context has left.
    pub(super) fn begin(
        &mut self,
        policy: &Retry,
        elapsed: Duration,
        ambient: Option<Duration>,
    ) -> Option<AttemptInfo> {
        let in_all = self.limit.map(|limit| limit.saturating_sub(elapsed));
        if in_all.is_some_and(|left| left.is_zero()) {
            return None;
        }
        self.number += 1;
        let time_left = [in_all, policy.attempt_timeout, ambient].into_iter().flatten().min();
        Some(AttemptInfo { number: self.number, time_left })
    }

    /// The wait before the next attempt, or why there is none; `used_up` is the reason if there are no more attempts.
    pub(super) fn next_wait(
        &mut self,
        policy: &Retry,
        (decision, used_up): (Decision, Reason),
        elapsed: Duration,
        budget: Option<&'b RetryBudget>,
        waits: impl FnOnce() -> W,
    ) -> Result<Duration, Reason> {
        if !matches!(decision, Decision::NotSent(_)) {
            self.right = Right::Used;
        }
        let delay = match decision {
            Decision::Stop => return Err(Reason::Stopped),
            Decision::RetryAfter(delay) => {
                self.waits = None;
                Some(delay.min(policy.max_retry_after))
            }
            Decision::NotSent(Some(delay)) => Some(delay.min(policy.max_retry_after)),
            Decision::Retry | Decision::NotSent(None) => self.waits.get_or_insert_with(waits).next(),
        };
        if self.is_over_at(elapsed) {
            return Err(Reason::Deadline);
        }
        let Some(delay) = delay.filter(|_| self.number < policy.max_attempts) else { return Err(used_up) };
        if self.is_over_at(elapsed.saturating_add(delay)) {
            return Err(Reason::Deadline);
        }
        self.pay(budget)?;
        Ok(delay)
    }

    /// Makes sure of the right to send the next request.
    fn pay(&mut self, budget: Option<&'b RetryBudget>) -> Result<(), Reason> {
        if let (Right::Used, Some(budget)) = (&self.right, budget) {
            self.right = Right::Paid(budget.withdraw().ok_or(Reason::BudgetSpent)?);
        }
        Ok(())
    }

    fn is_over_at(&self, elapsed: Duration) -> bool {
        self.limit.is_some_and(|limit| elapsed >= limit)
    }

    /// Keeps the error of a failed attempt.
    pub(super) fn keep(&mut self, error: E) {
        self.last = Some(error);
    }

    /// The last error seen.
    pub(super) fn last(&self) -> Option<&E> {
        self.last.as_ref()
    }

    pub(super) fn give_up(self, reason: Reason, elapsed: Duration) -> RetryError<E> {
        if let Right::Paid(spend) = self.right {
            spend.refund();
        }
        RetryError { last: self.last, attempts: self.number, elapsed, reason }
    }
}
