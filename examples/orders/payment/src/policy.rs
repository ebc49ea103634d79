//! When and how often an attempt is made: rate limit, time-out, back-off, budget, deadline.
//!
//! The order matters. The limiter stands inside the retry, so that repeats are limited too, but outside
//! the time-out of the attempt: waiting for one's turn says nothing about the provider. The deadline
//! stands around everything. A call whose turn would come after its deadline is refused at once instead
//! of at the end of it.

use std::{future::Future, time::Duration};

use tidemill::resilience::{Decision, RateLimiter, Retry, RetryBudget, RetryError};
use tokio::time::{Instant, timeout};

use crate::{Cause, PaymentError, error::is_final};

/// Why one attempt brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// What the provider asks us to wait before the next attempt.
    pub(crate) retry_after: Option<Duration>,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, retry_after: None }
    }
}

impl Failure {
    fn decide(&self) -> Decision {
        match (&self.cause, self.retry_after) {
            (Cause::Deadline, _) => Decision::Stop,
            (Cause::Status { code, .. }, _) if is_final(*code) => Decision::Stop,
            (_, Some(wait)) => Decision::RetryAfter(wait),
            (_, None) => Decision::Retry,
        }
    }
}

/// The policy of one gateway, shared by its calls.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) limiter: RateLimiter,
    pub(crate) retry: Retry,
    pub(crate) budget: Option<RetryBudget>,
    pub(crate) attempt_timeout: Duration,
    pub(crate) deadline: Duration,
}

impl Policy {
    /// Makes attempts until one brings an answer, the failure is final, or attempts, budget or time run
    /// out. A first attempt that succeeds costs its timers and the limiter's token, no allocation.
    pub(crate) async fn run<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, PaymentError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = Instant::now() + self.deadline;
        let retrying = self.retry.classify(Failure::decide).until(deadline);
        let attempt = |_| self.attempt(deadline, attempt());
        let ended = match &self.budget {
            Some(budget) => retrying.budget(budget).run(attempt).await,
            None => retrying.run(attempt).await,
        };
        ended.map_err(unknown_or_refused)
    }

    /// One attempt, when its turn has come.
    async fn attempt<T>(
        &self,
        deadline: Instant,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let turn = self.limiter.acquire_until(1, deadline).await;
        turn.map_err(|_| Failure::from(Cause::Deadline))?;
        let answer = timeout(self.attempt_timeout, attempt).await;
        answer.unwrap_or_else(|_| Err(Failure::from(Cause::TimedOut)))
    }
}

fn unknown_or_refused(ended: RetryError<Failure>) -> PaymentError {
    let cause = ended.last.map_or(Cause::Deadline, |failure| failure.cause);
    PaymentError::after(ended.attempts, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_decision() {
        let status = |code| Cause::Status { code, message: String::new() };
        let wait = Duration::from_secs(2);
        let table = [
            (status(400), None, Decision::Stop),
            (status(422), Some(wait), Decision::Stop),
            (status(429), None, Decision::Retry),
            (status(429), Some(wait), Decision::RetryAfter(wait)),
            (status(500), None, Decision::Retry),
            (status(503), Some(wait), Decision::RetryAfter(wait)),
            (Cause::TimedOut, None, Decision::Retry),
            (Cause::Io(String::new()), None, Decision::Retry),
            (Cause::Malformed(String::new()), None, Decision::Retry),
            (Cause::Deadline, None, Decision::Stop),
        ];
        for (cause, retry_after, decision) in table {
            let failure = Failure { cause, retry_after };
            assert_eq!(failure.decide(), decision, "{failure:?}");
        }
    }
}
