//! The rules of one run: how far it is, and what follows a failed attempt. No clock, no sleep, no await in here.
//!
//! After a failure the questions are asked in this order, and the first that says no ends the run: may this *error* be
//! retried, is there *time* left, are there *attempts* left, does the *wait* fit into the time, is there a *budget*? The
//! budget comes last, so that nothing is paid for a retry that is not made.

use std::time::Duration;

use super::{Reason, Retry, RetryBudget, RetryError, backoff::Backoff};

/// What to do about an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Try again after the policy's own wait.
    Retry,
    /// Try again after this long, as a server asked for. It replaces the policy's wait, without jitter; it is cut to
    /// [`max_retry_after`](super::Builder::max_retry_after); if it does not fit into the time left, the run ends at once.
    RetryAfter(Duration),
    /// The error is final.
    Stop,
}

/// What an attempt is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AttemptInfo {
    /// 1 for the first attempt.
    pub number: u32,
    /// Time for this attempt, if any limit is set: what to pass on as a time-out to whatever it calls.
    pub time_left: Option<Duration>,
}

impl AttemptInfo {
    /// The first attempt of a run without time limits.
    pub(super) const FIRST: Self = Self { number: 1, time_left: None };
}

/// What the hook is told before each wait.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Attempt<'a, E> {
    /// The attempt that failed; 1 is the first.
    pub number: u32,
    /// Time since the run began (see [`RetryError::elapsed`]).
    pub elapsed: Duration,
    /// The wait that follows.
    pub delay: Duration,
    /// Its error; `None` if its time-out cut it.
    pub error: Option<&'a E>,
}

/// How an attempt ended without a value.
pub(super) enum Failure<E> {
    Error(E, Decision),
    CutOff,
}

/// How far a run is. Cheap to begin: what only a failure needs is made at the first one.
#[derive(Debug)]
pub(super) struct Progress<E> {
    /// Time in all, counted from the start.
    limit: Option<Duration>,
    number: u32,
    backoff: Option<Backoff>,
    last: Option<E>,
}

impl<E> Progress<E> {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, number: 0, backoff: None, last: None }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Begins the next attempt at `elapsed`; `None` if there is no time for it.
    pub(super) fn begin(&mut self, policy: &Retry, elapsed: Duration) -> Option<AttemptInfo> {
        let in_all = self.limit.map(|limit| limit.saturating_sub(elapsed));
        if in_all.is_some_and(|left| left.is_zero()) {
            return None;
        }
        self.number += 1;
        let time_left = match (in_all, policy.attempt_timeout) {
            (Some(left), Some(timeout)) => Some(left.min(timeout)),
            (left, timeout) => left.or(timeout),
        };
        Some(AttemptInfo { number: self.number, time_left })
    }

    /// The wait after `failure` at `elapsed`, or why there is none.
    pub(super) fn next_wait(
        &mut self,
        policy: &Retry,
        failure: Failure<E>,
        elapsed: Duration,
        budget: Option<&RetryBudget>,
    ) -> Result<Duration, Reason> {
        let (decision, used_up) = match failure {
            Failure::CutOff => (Decision::Retry, Reason::TimedOut),
            Failure::Error(error, decision) => {
                self.last = Some(error);
                (decision, Reason::Exhausted)
            }
        };
        let delay = match decision {
            Decision::Stop => return Err(Reason::Stopped),
            Decision::RetryAfter(delay) => delay.min(policy.max_retry_after),
            Decision::Retry => self.backoff.get_or_insert_with(|| Backoff::new(policy)).next(),
        };
        if self.is_over_at(elapsed) {
            return Err(Reason::Deadline);
        }
        if self.number >= policy.max_attempts {
            return Err(used_up);
        }
        if self.is_over_at(elapsed.saturating_add(delay)) {
            return Err(Reason::Deadline);
        }
        if budget.is_some_and(|budget| !budget.withdraw()) {
            return Err(Reason::BudgetSpent);
        }
        Ok(delay)
    }

    fn is_over_at(&self, elapsed: Duration) -> bool {
        self.limit.is_some_and(|limit| elapsed >= limit)
    }

    /// The last error seen.
    pub(super) fn last(&self) -> Option<&E> {
        self.last.as_ref()
    }

    pub(super) fn give_up(self, reason: Reason, elapsed: Duration) -> RetryError<E> {
        RetryError { last: self.last, attempts: self.number, elapsed, reason }
    }
}
