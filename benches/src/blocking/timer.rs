//! A timer beside a task that was woken by the driver and then blocks.
//!
//! The thread that polled the reactor picks up the task which the reactor woke. If that task blocks, nobody polls the
//! reactor, and timers that have nothing to do with it stand still (tokio issue 4730).

use std::{
    thread,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::executor::{Executor, Spawner};

/// When the blocker wakes: soon, but late enough that the workers have gone idle.
const WAKES_AFTER: Duration = Duration::from_millis(10);

/// Sets a timer of `due`, beside a task that is woken by the reactor after 10 ms and then blocks for `blocked`.
/// Returns after how long the timer fired. The executor must provide tokio's timers.
pub fn timer_beside_a_blocker<E: Executor>(executor: &E, due: Duration, blocked: Duration) -> Duration {
    executor.run(move |spawner| async move {
        let blocker = spawner.spawn(async move {
            sleep(WAKES_AFTER).await;
            thread::sleep(blocked);
        });
        let fired = spawner.spawn(async move {
            let set = Instant::now();
            sleep(due).await;
            set.elapsed()
        });
        let fired = fired.await;
        blocker.await;
        fired
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Tidemill, Tokio};

    #[test]
    fn never_fires_early() {
        let due = Duration::from_millis(12);
        let blocked = Duration::from_millis(4);
        assert!(timer_beside_a_blocker(&Tidemill::start(2).unwrap(), due, blocked) >= due);
        assert!(timer_beside_a_blocker(&Tokio::start(2).unwrap(), due, blocked) >= due);
    }
}
