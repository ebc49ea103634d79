//! What tasks cost that do nothing: memory each, and processor time together.
//!
//! A parked task waits for a oneshot whose sender is kept, the cheapest thing to wait for that every executor can wake
//! from; its few bytes are part of the figure, for all executors alike.

use std::{io, thread, time::Duration};

use tokio::sync::oneshot;

use crate::{
    executor::{Executor, Spawner},
    process::{cpu_time, resident_bytes},
};

/// The senders that keep tasks parked. Dropping it wakes them, and they end.
#[derive(Debug)]
pub struct Parked(Vec<oneshot::Sender<()>>);

impl Parked {
    /// How many tasks are parked.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.0.len()
    }
}

/// Spawns `tasks` tasks and returns once each of them has been polled and waits.
pub fn park<E: Executor>(executor: &E, tasks: usize) -> Parked {
    Parked(executor.run(move |spawner| async move {
        let mut senders = Vec::with_capacity(tasks);
        let mut polled = Vec::with_capacity(tasks.min(BATCH));
        for _ in 0..tasks {
            let (sender, wake) = oneshot::channel();
            let (running, seen) = oneshot::channel();
            spawner.detach(async move {
                // An error only means that nobody counts any more.
                _ = running.send(());
                _ = wake.await;
            });
            senders.push(sender);
            polled.push(seen);
            if polled.len() == BATCH {
                all(&mut polled).await;
            }
        }
        all(&mut polled).await;
        senders
    }))
}

/// Tasks whose first poll is awaited together, so that counting needs little memory beside the tasks.
const BATCH: usize = 1_000;

async fn all(polled: &mut Vec<oneshot::Receiver<()>>) {
    for seen in polled.drain(..) {
        seen.await.expect("a task reports before it parks");
    }
}

/// Processor time that the process uses in `span` while tasks are parked and nothing happens.
#[must_use]
pub fn cpu_while_parked(parked: &Parked, span: Duration) -> Duration {
    let before = cpu_time();
    thread::sleep(span);
    // Used here so that the tasks are still parked.
    debug_assert!(parked.tasks() > 0, "an executor without tasks is not the question");
    cpu_time().saturating_sub(before)
}

/// Resident bytes per task that parking `tasks` more of them takes.
///
/// # Errors
/// The system does not tell the memory of the process.
pub fn bytes_per_parked_task<E: Executor>(executor: &E, tasks: usize) -> io::Result<(Parked, f64)> {
    let before = resident_bytes()?;
    let parked = park(executor, tasks);
    let grown = resident_bytes()?.saturating_sub(before);
    Ok((parked, grown as f64 / tasks as f64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{AsyncExecutor, Listed, Tidemill, Tokio};

    fn tasks_park_and_take_memory<E: Executor>() {
        let executor = E::start(1).unwrap();
        let (parked, bytes) = bytes_per_parked_task(&executor, 3 * BATCH + 1).unwrap();
        assert_eq!(parked.tasks(), 3 * BATCH + 1, "{}", E::NAME);
        // Other tests free memory at the same time, so the figure itself is left to the program.
        assert!(bytes.is_finite(), "{}", E::NAME);
        assert!(cpu_while_parked(&parked, Duration::from_millis(1)) < Duration::from_secs(1), "{}", E::NAME);
    }

    #[test]
    fn on_every_executor() {
        tasks_park_and_take_memory::<Tidemill>();
        tasks_park_and_take_memory::<Tokio>();
        tasks_park_and_take_memory::<AsyncExecutor<Listed>>();
    }
}
