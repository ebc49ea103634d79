#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod blocking;
pub mod board;
mod child;
pub mod compare;
mod executor;
mod executors;
mod idle;
mod latency;
mod network;
mod process;
mod quota;
mod scale;
mod scheduling;
mod tail;
pub mod workloads;

pub use executor::{Executor, Spawner};
pub use executors::{AsyncExecutor, Form, Listed, Tidemill, Tokio, TokioCurrent, Unlisted};
pub use scale::Scale;
