#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bench;
mod blocking;
pub mod board;
mod child;
pub mod compare;
mod executor;
mod executors;
mod go;
mod idle;
mod latency;
mod network;
mod process;
mod quota;
mod scale;
pub mod scheduling;
mod tail;
pub mod workloads;

pub use bench::{Bench, Case, Lap, Work, checked};
pub use executor::{Executor, Spawner};
pub use executors::{AsyncExecutor, Form, Listed, Tidemill, Tokio, TokioCurrent, Unlisted};
pub use scale::Scale;
