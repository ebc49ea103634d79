//! Light tasks beside as many sleepers as there are workers.
//!
//! An outside thread submits an empty task, waits until it has run, and repeats: a closed loop, so the count of
//! completed tasks falls with every stall. (An open loop would add the tasks that were due meanwhile; its worst value is
//! the same.)

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::executor::{Executor, Spawner};

/// How long a sleeper holds its thread each time.
const NAP: Duration = Duration::from_millis(50);

/// What the light tasks saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbours {
    /// Light tasks that completed.
    pub completed: u64,
    /// The longest time from submission to completion.
    pub worst: Duration,
}

/// Runs light tasks for `span` beside `sleepers` tasks that sleep 50 ms in the kernel, yield, and sleep again.
pub fn light_tasks_beside_sleepers<E: Executor>(executor: &E, sleepers: usize, span: Duration) -> Neighbours {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    executor.run(move |spawner| async move {
        for _ in 0..sleepers {
            spawner.detach(sleeper(spawner, Arc::clone(&seen)));
        }
    });
    let neighbours = submit_light_tasks(executor, span);
    // Relaxed: a flag that guards no data; a sleeper that sees it late naps once more.
    stop.store(true, Ordering::Relaxed);
    neighbours
}

async fn sleeper<S: Spawner>(spawner: S, stop: Arc<AtomicBool>) {
    // Relaxed: see the store.
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(NAP);
        spawner.yield_now().await;
    }
}

fn submit_light_tasks<E: Executor>(executor: &E, span: Duration) -> Neighbours {
    let start = Instant::now();
    let mut seen = Neighbours { completed: 0, worst: Duration::ZERO };
    while start.elapsed() < span {
        let submitted = Instant::now();
        executor.run(|_| async {});
        seen.worst = seen.worst.max(submitted.elapsed());
        seen.completed += 1;
    }
    seen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{AsyncExecutor, Listed, Tidemill, Tokio};

    fn completes_some<E: Executor>() {
        let seen = light_tasks_beside_sleepers(&E::start(2).unwrap(), 1, Duration::from_millis(5));
        assert!(seen.completed >= 1 && seen.worst > Duration::ZERO, "{}: {seen:?}", E::NAME);
    }

    #[test]
    fn on_every_executor() {
        completes_some::<Tidemill>();
        completes_some::<Tokio>();
        completes_some::<AsyncExecutor<Listed>>();
    }
}
