#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod blocking;
pub mod compare;
mod executor;
mod executors;
pub mod idle;
mod process;
pub mod workloads;

pub use executor::{Executor, Spawner};
pub use executors::{AsyncExecutor, Form, Listed, Tidemill, Tokio, Unlisted};
