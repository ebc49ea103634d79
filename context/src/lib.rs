#![doc = include_str!("../README.md")]
#![cfg_attr(all(test, tidemill_loom), allow(dead_code, reason = "the models use a part of it"))]

mod after;
mod ambient;
mod cause;
mod clock;
mod context;
mod futures;
mod listeners;
#[cfg(all(test, tidemill_loom))]
mod models;
mod node;
mod slot;
mod sync;
mod system;
mod timers;
mod values;

pub use after::{AfterFunc, DropGuard};
pub use cause::{Cause, Reason};
pub use context::Context;
pub use futures::{Cancelled, Run, Scope};
pub use tidemill_clock::ManualClock;
