#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod clock;
mod limiter;
mod manual_clock;
mod retry;

pub use clock::{Clock, TokioClock};
pub use limiter::{Builder as RateLimiterBuilder, InvalidLimiter, Rate, RateLimiter, Refused, Reservation};
pub use manual_clock::ManualClock;
pub use retry::{
    Attempt, AttemptInfo, Builder as RetryBuilder, Decision, InvalidBudget, InvalidRetry, Jitter, Reason, Retry,
    RetryBudget, RetryError, Retrying,
};
