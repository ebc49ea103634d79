//! When and how often an attempt is made: rate limit, time-out, back-off, budget, deadline.
//!
//! The order matters. The limiter stands inside the retry, so that repeats are limited too, but outside
//! the time-out of the attempt: waiting for one's turn says nothing about the provider. Behind the limiter is
//! the breaker, which hears only of what was asked. The deadline stands around everything. A call whose turn would
//! come after its deadline is refused at once instead of at the end of it.

use std::{future::Future, time::Duration};

use tidemill::resilience::{CircuitBreaker, Decision, Outcome, RateLimiter, Retry, RetryBudget, RetryError};
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
    pub(crate) breaker: Option<CircuitBreaker>,
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
        let attempt = async {
            let answer = timeout(self.attempt_timeout, attempt).await;
            answer.unwrap_or_else(|_| Err(Failure::from(Cause::TimedOut)))
        };
        let Some(breaker) = &self.breaker else { return attempt.await };
        match breaker.call_with(attempt, health).await {
            Ok(answer) => answer,
            Err(open) => Err(Failure { cause: Cause::Open, retry_after: open.retry_after }),
        }
    }
}

/// What an answer says of the provider: that it takes our request to be wrong says that it works.
fn health<T>(answer: &Result<T, Failure>) -> Outcome {
    match answer.as_ref().map_err(|failure| &failure.cause) {
        Ok(_) => Outcome::Success,
        Err(Cause::Status { code, .. }) if is_final(*code) => Outcome::Success,
        Err(Cause::Status { code: 429, .. }) => Outcome::Ignored,
        Err(_) => Outcome::Failure,
    }
}

fn unknown_or_refused(ended: RetryError<Failure>) -> PaymentError {
    let cause = ended.last.map_or(Cause::Deadline, |failure| failure.cause);
    PaymentError::after(ended.attempts, cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

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
            (Cause::Open, Some(wait), Decision::RetryAfter(wait)),
        ];
        for (cause, retry_after, decision) in table {
            let failure = Failure { cause, retry_after };
            assert_eq!(failure.decide(), decision, "{failure:?}");
        }
    }

    /// Runs calls of one attempt that end in `cause`; how many asked the provider, and how the last one ended.
    fn asked(calls: u32, cause: &Cause) -> (u32, Option<PaymentError>) {
        let builder = crate::Gateway::builder("http://127.0.0.1:1").attempts(1);
        let policy = builder.breaker(50, Duration::from_secs(60)).policy().unwrap();
        let (asked, mut last) = (Cell::new(0), None);
        tidemill::block_on(async {
            for _ in 0..calls {
                let attempt = || async {
                    asked.set(asked.get() + 1);
                    Err::<(), _>(Failure::from(cause.clone()))
                };
                last = policy.run(attempt).await.err();
            }
        });
        (asked.get(), last)
    }

    #[test]
    fn a_provider_that_does_not_answer_is_left_alone_and_the_payment_is_unknown() {
        let open = PaymentError::Unknown { attempts: 1, cause: Cause::Open };
        let (asked, last) = asked(100, &Cause::TimedOut);
        assert!(asked < 30, "{asked}");
        assert_eq!(last, Some(open));
    }

    #[test]
    fn a_provider_that_refuses_is_not_down() {
        for code in [400, 429] {
            let refusal = Cause::Status { code, message: String::new() };
            assert_eq!(asked(100, &refusal).0, 100, "{code}");
        }
    }
}
