#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod spawner;
mod task;

pub use spawner::{Spawner, blocking_here};
pub use task::{Task, TaskError};
