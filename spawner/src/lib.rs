#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod may_block;
mod spawner;
mod task;

pub use may_block::may_block;
pub use spawner::Spawner;
pub use task::{Task, TaskError};
