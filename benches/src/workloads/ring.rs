//! A token goes round a ring of tasks joined by bounded channels.

use tokio::sync::mpsc;

use super::{Size, side_by_side};
use crate::executor::Spawner;

/// Tasks per ring; `steps` is how often the token passes each of them.
pub(super) const MEMBERS: u64 = 50;

pub(super) async fn run<S: Spawner>(spawner: S, size: Size) -> u64 {
    side_by_side(spawner, size.lanes, |_| lane(spawner, size.steps)).await
}

/// Builds one ring, puts the token in, and adds up how often each member held it.
async fn lane<S: Spawner>(spawner: S, rounds: u64) -> u64 {
    let (first, mut inbox) = mpsc::channel(1);
    first.send(()).await.expect("the inbox is held here");
    let mut members = Vec::new();
    for _ in 1..MEMBERS {
        let (outbox, next) = mpsc::channel(1);
        members.push(spawner.spawn(member(inbox, outbox, rounds)));
        inbox = next;
    }
    members.push(spawner.spawn(member(inbox, first, rounds)));
    let mut held = 0;
    for member in members {
        held += member.await;
    }
    held
}

async fn member(mut inbox: mpsc::Receiver<()>, outbox: mpsc::Sender<()>, rounds: u64) -> u64 {
    for _ in 0..rounds {
        inbox.recv().await.expect("the predecessor passes the token on every round");
        // The last pass may meet a successor that has had its rounds and is gone.
        _ = outbox.send(()).await;
    }
    rounds
}
