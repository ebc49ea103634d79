//! The contenders, one file each, all of the same shape: a struct that owns the threads, a `Copy` spawner.

mod async_executor;
mod tidemill;
mod tokio;

pub use async_executor::{AsyncExecutor, Form, Listed, Unlisted};
pub use tidemill::Tidemill;
pub use tokio::{Tokio, TokioCurrent};
