//! Tasks that hold one async mutex across a yield, so that nearly every lock has to wait.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Size, side_by_side};
use crate::executor::Spawner;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    let count = Arc::new(Mutex::new(0));
    side_by_side(spawner, size.lanes, |_| lane(spawner, Arc::clone(&count), size.steps)).await;
    *count.lock().await
}

async fn lane<S: Spawner>(spawner: S, count: Arc<Mutex<u64>>, steps: u64) -> u64 {
    for _ in 0..steps {
        let mut count = count.lock().await;
        spawner.yield_now().await;
        *count += 1;
    }
    steps
}
