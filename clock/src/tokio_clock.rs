//! The clock of every program that does not choose one: tokio's, which on either runtime is the system's.

use std::future::Future;

use crate::Clock;

/// Tokio's clock and timer: the monotonic clock of the system, or the paused one of a tokio test or of Tidemill's simulation.
///
/// Reading it needs no runtime; sleeping needs one with its timer enabled (any Tidemill runtime has it).
///
/// ```
/// use tidemill_clock::{Clock, TokioClock};
///
/// assert!(TokioClock.now() <= TokioClock.now());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    type Instant = tokio::time::Instant;

    fn now(&self) -> Self::Instant {
        tokio::time::Instant::now()
    }

    fn sleep_until(&self, at: Self::Instant) -> impl Future<Output = ()> {
        tokio::time::sleep_until(at)
    }
}
