//! Spawn a peer, send it a ping, wait for its pong.
//!
//! The pattern of a request handed to a helper task: the spawner goes to sleep at once and is woken by the very task it
//! has just spawned.

use tokio::sync::oneshot;

use super::{Size, side_by_side};
use crate::executor::Spawner;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    side_by_side(spawner, size.lanes, |_| lane(spawner, size.steps)).await
}

async fn lane<S: Spawner>(spawner: S, rounds: u64) -> u64 {
    let mut pongs = 0;
    for _ in 0..rounds {
        pongs += round(spawner).await;
    }
    pongs
}

async fn round<S: Spawner>(spawner: S) -> u64 {
    let (ping, pinged) = oneshot::channel::<u64>();
    let (pong, ponged) = oneshot::channel::<u64>();
    spawner.detach(async move {
        let ball = pinged.await.expect("the spawner sends before it waits");
        pong.send(ball).expect("the spawner waits for the pong");
    });
    ping.send(1).expect("the peer waits for the ping");
    ponged.await.expect("the peer answers every ping")
}
