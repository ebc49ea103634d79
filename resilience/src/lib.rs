#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod all_of;
mod ambient;
mod clock;
mod keyed;
mod limiter;
mod line;
mod manual_clock;
mod metered;
mod retry;
mod sync;

pub use all_of::{AllOf, AllOfBuilder, RefusedBy};
pub use clock::{Clock, TokioClock};
pub use keyed::{KeyedBuilder, KeyedRateLimiter};
pub use limiter::{Builder as RateLimiterBuilder, InvalidLimiter, Rate, RateLimiter, Refused, Reservation};
pub use manual_clock::ManualClock;
pub use metered::{FixedWindow, InvalidMeter, Meter, Metered, MeteredBuilder, SlidingLog, SlidingWindow, WarmUp};
pub use retry::{
    Attempt, AttemptInfo, Builder as RetryBuilder, Decision, InvalidBudget, InvalidRetry, Jitter, Reason, Retry,
    RetryBudget, RetryError, Retrying,
};
