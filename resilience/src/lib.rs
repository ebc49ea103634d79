#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adaptive;
mod all_of;
mod ambient;
mod asymmetric;
mod breaker;
mod bulkhead;
mod flight;
mod guard;
mod hedge;
#[cfg(feature = "http")]
pub mod http;
mod keyed;
mod lanes;
mod limiter;
mod line;
mod metered;
#[cfg(feature = "redis")]
mod redis;
mod registry;
mod retry;
mod select;
mod sync;
mod thread;
mod throttle;
#[cfg(feature = "tower")]
pub mod tower;

pub use adaptive::{
    AdaptiveLimit, AdaptivePermit, Aimd, Builder as AdaptiveLimitBuilder, Gradient2, InvalidAdaptive, LimitAlgorithm,
    LimitReached, Vegas, Window as LimitWindow,
};
pub use all_of::{AllOf, AllOfBuilder, RefusedBy};
pub use breaker::{
    BreakerOpen, BreakerSnapshot, BreakerWait, Builder as CircuitBreakerBuilder, CallError, CircuitBreaker, Forced,
    InvalidBreaker, Outcome, Permit, Reason as TransitionReason, State, Transition,
};
pub use bulkhead::{
    Builder as BulkheadBuilder, Bulkhead, BulkheadFull, BulkheadPermit, BulkheadStats, InvalidBulkhead,
    OwnedBulkheadPermit,
};
pub use flight::{FlightError, InvalidFlight, SingleFlight};
pub use guard::{TimedOut, fallback, timeout, timeout_by};
pub use hedge::{Builder as HedgeBuilder, Hedge, HedgeError, HedgeInfo, Hedging, InvalidHedge};
pub use keyed::{KeyedBuilder, KeyedRateLimiter};
pub use limiter::{
    Builder as RateLimiterBuilder, InvalidLimiter, OwnedReservation, Rate, RateLimiter, Refused, Reservation,
};
pub use metered::{FixedWindow, InvalidMeter, Meter, Metered, MeteredBuilder, SlidingLog, SlidingWindow, WarmUp};
#[cfg(feature = "redis")]
pub use redis::{
    Decision as RedisDecision, InvalidRedisLimiter, NotAllowed, OnFailure, RedisBuilder, RedisRateLimiter, Source,
};
pub use registry::{Keep, Keyed};
pub use retry::{
    Attempt, AttemptInfo, Builder as RetryBuilder, Decision, InvalidBudget, InvalidRetry, Jitter, Reason, Retry,
    RetryBudget, RetryError, Retrying, Spend, Waits,
};
pub use select::{Ejection, EndpointStats, NoEndpoint, Pick, Policy, Selector};
pub use throttle::{Builder as ThrottleBuilder, InvalidThrottle, Sent, Throttle, Throttled};
pub use tidemill_clock::{Clock, ManualClock, TokioClock};

/// The seams of [`Retrying`] and [`Hedging`]: what their type parameters stand for.
pub mod seams {
    pub use crate::hedge::{Admit, Unlimited};
    pub use crate::retry::{Always, ByOutcome, ByPolicy, Classify, Delays, OnRetry, Silent};
}
