#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod clock;
mod manual;
mod shared;
#[cfg(feature = "tokio")]
mod tokio_clock;

pub use clock::Clock;
pub use manual::ManualClock;
pub use shared::{Elapsed, SharedClock, Sleep};
#[cfg(feature = "tokio")]
pub use tokio_clock::TokioClock;
