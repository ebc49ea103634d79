//! The settings of a gateway, checked when it is built.

use std::time::Duration;

use tidemill::resilience::{CircuitBreaker, Rate, RateLimiter, Retry, RetryBudget, RetryBuilder};

use crate::{ConfigError, Gateway, limits, policy::Policy, pool::Pool};

/// Settings of a [`Gateway`]; what is not set has the value named with its setter.
///
/// ```
/// use orders_payment::{ConfigError, Gateway};
/// let error = Gateway::builder("http://127.0.0.1:80").connections(0).build().unwrap_err();
/// assert_eq!(error, ConfigError::Connections(0));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    url: String,
    connections: usize,
    limit: (u64, u64),
    backoff: (Duration, Duration),
    attempts: u32,
    seed: Option<u64>,
    budget: Option<(u32, u32)>,
    breaker: Option<(u32, Duration)>,
    attempt_timeout: Duration,
    deadline: Duration,
}

impl Builder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            connections: limits::CONNECTIONS,
            limit: limits::LIMIT,
            backoff: limits::BACKOFF,
            attempts: limits::ATTEMPTS,
            seed: None,
            budget: None,
            breaker: None,
            attempt_timeout: limits::ATTEMPT_TIMEOUT,
            deadline: limits::DEADLINE,
        }
    }

    /// Requests per second in the long run, and how many may go at once after a pause. Every attempt
    /// counts, so retries cannot exceed what the provider allows. Default: 100,000 and 1,000.
    pub fn limit(self, rate: u64, burst: u64) -> Self {
        Self { limit: (rate, burst), ..self }
    }

    /// Attempts per call at most, the first one included. Default: 4.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Time of one attempt, from the wait for a connection to the last byte. Default: 1 s.
    pub fn attempt_timeout(self, attempt_timeout: Duration) -> Self {
        Self { attempt_timeout, ..self }
    }

    /// Wall-clock time of a whole call, waits included. Default: 5 s.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The first back-off, which doubles with each repeat, and the longest. The wait is drawn
    /// uniformly from zero to that value (full jitter), unless the provider names one. Default: 25 ms
    /// and 1 s.
    pub fn backoff(self, first: Duration, longest: Duration) -> Self {
        Self { backoff: (first, longest), ..self }
    }

    /// A bound on the retries of all calls together, against retry storms: `reserve` of them, and
    /// `percent` hundredths of one for each call that succeeds. Default: none.
    pub fn retry_budget(self, reserve: u32, percent: u32) -> Self {
        Self { budget: Some((reserve, percent)), ..self }
    }

    /// Stops asking for `open_for`, and longer each time, once `percent` of the latest requests brought no answer: a
    /// provider that is down is not beaten, and a call that would wait for it longer than it has time ends at
    /// once, its payment unknown. Default: none.
    pub fn breaker(self, percent: u32, open_for: Duration) -> Self {
        Self { breaker: Some((percent, open_for)), ..self }
    }

    /// Connections at most; a call beyond them waits for one. Default: 8.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// Seed of the jitter, for runs that are to repeat. Default: another one each time.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Checks the settings; no connection is opened yet.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    pub fn build(self) -> Result<Gateway, ConfigError> {
        if self.attempt_timeout.is_zero() {
            return Err(ConfigError::AttemptTimeout);
        }
        let pool = Pool::new(&self.url, self.connections)?;
        Ok(Gateway::new(pool, self.policy()?))
    }

    pub(crate) fn policy(&self) -> Result<Policy, ConfigError> {
        let (rate, burst) = self.limit;
        let limiter = RateLimiter::builder().rate(Rate::per_second(rate)).burst(burst).build();
        let breaker = self.breaker.map(|(percent, open_for)| {
            let breaker = CircuitBreaker::builder().failure_rate(percent).open_for(open_for);
            breaker.open_growth(2, open_for * limits::BREAKER_GROWTH).build()
        });
        let budget = self.budget.map(|(reserve, percent)| RetryBudget::new(reserve, percent));
        Ok(Policy {
            limiter: limiter.map_err(ConfigError::Limit)?,
            retry: self.retry().build().map_err(ConfigError::Retry)?,
            budget: budget.transpose().map_err(ConfigError::Budget)?,
            breaker: breaker.transpose().map_err(ConfigError::Breaker)?,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
        })
    }

    fn retry(&self) -> RetryBuilder {
        let (first, longest) = self.backoff;
        let retry = Retry::exponential(first).max_delay(longest).max_attempts(self.attempts);
        // Each call sets the same limit as a deadline, which the limiter obeys as well.
        let retry = retry.within(self.deadline);
        self.seed.map_or(retry, |seed| retry.seed(seed))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tidemill::resilience::{InvalidBreaker, InvalidBudget, InvalidLimiter, InvalidRetry};

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn each_bad_setting_is_named() {
        let good = || Gateway::builder("http://127.0.0.1:1");
        let rate = InvalidLimiter::Rate(Rate::per_second(0));
        let table = [
            (Gateway::builder("ftp://x"), ConfigError::Url("ftp://x".into())),
            (good().limit(0, 1), ConfigError::Limit(rate)),
            (good().limit(5, 0), ConfigError::Limit(InvalidLimiter::NoBurst)),
            (good().attempts(0), ConfigError::Retry(InvalidRetry::NoAttempts)),
            (good().deadline(Duration::ZERO), ConfigError::Retry(InvalidRetry::NoTime)),
            (good().backoff(2 * MS, MS), ConfigError::Retry(InvalidRetry::DelayAboveMax)),
            (good().retry_budget(0, 10), ConfigError::Budget(InvalidBudget::NoReserve)),
            (good().breaker(0, MS), ConfigError::Breaker(InvalidBreaker::Rate(0))),
            (good().connections(0), ConfigError::Connections(0)),
            (good().attempt_timeout(Duration::ZERO), ConfigError::AttemptTimeout),
        ];
        for (builder, error) in table {
            assert_eq!(builder.build().unwrap_err(), error);
        }
        good().build().unwrap();
    }
}
