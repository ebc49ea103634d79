//! Each task spawns its successor and ends; the last one reports.

use std::pin::Pin;

use tokio::sync::oneshot;

use super::{Size, side_by_side};
use crate::executor::Spawner;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    side_by_side(spawner, size.lanes, |_| lane(spawner, size.steps)).await
}

async fn lane<S: Spawner>(spawner: S, links: u64) -> u64 {
    let (report, reported) = oneshot::channel();
    spawner.detach(link(Link { spawner, report, done: 1, links }));
    reported.await.expect("the last link reports")
}

struct Link<S> {
    spawner: S,
    report: oneshot::Sender<u64>,
    /// This link's number, from 1.
    done: u64,
    links: u64,
}

/// Boxed because a future cannot contain its own type.
fn link<S: Spawner>(this: Link<S>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if this.done == this.links {
            this.report.send(this.done).expect("the lane waits for the report");
        } else {
            let spawner = this.spawner;
            spawner.detach(link(Link { done: this.done + 1, ..this }));
        }
    })
}
