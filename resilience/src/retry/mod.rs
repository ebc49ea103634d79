//! Try again, a bounded number of times, for a bounded time, at moments that do not collide with everyone else's.
//!
//! A [`Retry`] is a plain value: it can be a `const`, is copied into every run, and one value serves any number of runs at
//! once. `backoff` says how long to wait, `classify` what is worth another attempt, `progress` holds the rules of giving up, and
//! `run` has the two loops (async and blocking), which differ only in how they wait. Nothing allocates, and a first attempt that
//! succeeds touches neither the clock (unless there is a time limit) nor the random numbers.
//!
//! **The deadline owns the loop.** `within` counts attempts, their time-outs and sleeps alike; an attempt is cut at it, and a
//! sleep that would reach it is not begun: the caller gets the last error at once instead of after a useless wait.
//! Peers that add up only the sleeps were seen to retry for hours with a limit of seconds.
//!
//! **Who pays for retries.** Attempts alone do not bound the load: three layers that each try three times make 27 calls of
//! one. A [`RetryBudget`] shared by all calls of a client does: retries stay a fixed share of its successes.

mod backoff;
mod budget;
mod builder;
mod classify;
mod error;
mod progress;
mod retrying;
mod run;

use std::time::Duration;

use self::backoff::Growth;
pub(crate) use self::budget::Counted;
pub use self::{
    backoff::{Jitter, Waits},
    budget::{InvalidBudget, RetryBudget, Spend},
    builder::{Builder, InvalidRetry},
    classify::{Always, ByOutcome, ByPolicy, Classify, Decision, Delays, OnRetry, Silent},
    error::{Reason, RetryError},
    progress::{Attempt, AttemptInfo},
    retrying::Retrying,
};

/// How, how often and for how long to try again.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
/// use tidemill_resilience::Retry;
///
/// const POLICY: Retry = match Retry::exponential(Duration::from_millis(1)).max_attempts(5).build() {
///     Ok(policy) => policy,
///     Err(_) => panic!("the policy is sound"),
/// };
/// let answer: Result<u32, _> = POLICY
///     .run(async |attempt| if attempt.number < 3 { Err("busy") } else { Ok(42) })
///     .await;
/// assert_eq!(answer, Ok(42));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    initial_delay: Duration,
    growth: Growth,
    max_delay: Duration,
    jitter: Jitter,
    max_attempts: u32,
    within: Option<Duration>,
    attempt_timeout: Option<Duration>,
    max_retry_after: Duration,
    seed: Option<u64>,
}

impl Retry {
    /// Waits that start around `initial_delay` and double up to [`max_delay`](Builder::max_delay).
    pub const fn exponential(initial_delay: Duration) -> Builder {
        Builder::new(initial_delay, Growth::Factor(2))
    }

    /// Waits around `step`, twice `step`, three times `step`, up to [`max_delay`](Builder::max_delay).
    pub const fn linear(step: Duration) -> Builder {
        Builder::new(step, Growth::Linear)
    }

    /// Waits around 1, 1, 2, 3, 5, 8 times `initial_delay`, each the sum of the two before, up to
    /// [`max_delay`](Builder::max_delay).
    pub const fn fibonacci(initial_delay: Duration) -> Builder {
        Builder::new(initial_delay, Growth::Fibonacci)
    }

    /// Waits anywhere from `initial_delay` to three times the wait before, up to [`max_delay`](Builder::max_delay).
    pub const fn decorrelated(initial_delay: Duration) -> Builder {
        Builder::new(initial_delay, Growth::Factor(1)).jitter(Jitter::Decorrelated)
    }

    /// Waits around `delay`, always.
    pub const fn constant(delay: Duration) -> Builder {
        Builder::new(delay, Growth::Factor(1)).max_delay(delay)
    }

    /// The waits of one run, without end, jitter included.
    #[must_use]
    pub fn waits(&self) -> Waits {
        Waits::new(self)
    }

    /// Anything in it needs the clock from the start.
    const fn is_timed(&self) -> bool {
        self.within.is_some() || self.attempt_timeout.is_some()
    }
}
