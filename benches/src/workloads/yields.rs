//! Tasks that do nothing but give way.

use super::{Size, side_by_side};
use crate::executor::Spawner;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    side_by_side(spawner, size.lanes, |_| lane(spawner, size.steps)).await
}

async fn lane<S: Spawner>(spawner: S, yields: u64) -> u64 {
    for _ in 0..yields {
        spawner.yield_now().await;
    }
    yields
}
