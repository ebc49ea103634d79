//! A tree of tasks, ten children per node, whose leaves return their number.

use std::pin::Pin;

use super::{Size, side_by_side};
use crate::executor::Spawner;

/// Children per node, as in the original skynet benchmark.
const FAN_OUT: u64 = 10;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    node(spawner, 0, size.steps).await
}

/// Sums the leaves `first .. first + leaves`. Boxed because a future cannot contain its own type.
fn node<S: Spawner>(spawner: S, first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let children = FAN_OUT.min(leaves);
        let bound = move |child| leaves * child / children;
        side_by_side(spawner, children, |child| node(spawner, first + bound(child), bound(child + 1) - bound(child)))
            .await
    })
}
