#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod all_of;
mod ambient;
mod clock;
mod flight;
mod guard;
mod hedge;
mod limiter;
mod line;
mod manual_clock;
mod metered;
mod retry;
mod sync;

pub use all_of::{AllOf, AllOfBuilder, RefusedBy};
pub use clock::{Clock, TokioClock};
pub use flight::{FlightError, InvalidFlight, SingleFlight};
pub use guard::{TimedOut, fallback, timeout, timeout_by};
pub use hedge::{Builder as HedgeBuilder, Hedge, HedgeError, HedgeInfo, Hedging, InvalidHedge};
pub use limiter::{Builder as RateLimiterBuilder, InvalidLimiter, Rate, RateLimiter, Refused, Reservation};
pub use manual_clock::ManualClock;
pub use metered::{FixedWindow, InvalidMeter, Meter, Metered, MeteredBuilder, SlidingLog, SlidingWindow, WarmUp};
pub use retry::{
    Attempt, AttemptInfo, Builder as RetryBuilder, Decision, InvalidBudget, InvalidRetry, Jitter, Reason, Retry,
    RetryBudget, RetryError, Retrying, Spend, Waits,
};

/// The seams of [`Retrying`] and [`Hedging`]: what their type parameters stand for.
pub mod seams {
    pub use crate::hedge::{Admit, Unlimited};
    pub use crate::retry::{Always, ByOutcome, ByPolicy, Classify, Delays, OnRetry, Silent};
}
