//! Spawn no-op tasks, then join them in the order of spawning.
//!
//! A task returns 1 instead of nothing, so that the sum proves that each one ran; it captures nothing, so it is still
//! the smallest task there is.

use super::{Size, side_by_side};
use crate::executor::Spawner;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    side_by_side(spawner, size.lanes, |_| lane(spawner, size.steps)).await
}

async fn lane<S: Spawner>(spawner: S, tasks: u64) -> u64 {
    side_by_side(spawner, tasks, |_| async { 1 }).await
}
