//! Light tasks beside as many sleepers as there are workers.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    PROCS, ROUNDS,
    light::{Light, light_tasks},
};
use crate::{
    board::{Context, Row, Run},
    compare::{Contender, Figure},
    executor::{Executor, Spawner},
    executors::{AsyncExecutor, Listed, Tidemill, Tokio},
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "neighbours",
    measures: "light tasks beside as many tasks as workers that sleep 50 ms in the kernel over and over",
    leaves_out: "tasks that were due while one waited (closed loop; see `tail`)",
    seconds: 30.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 2] = [Figure::more("completed"), Figure::less("worst ms")];

/// How long a sleeper holds its thread each time.
const NAP: Duration = Duration::from_millis(50);

fn run(context: &Context) -> io::Result<()> {
    let span = Duration::from_millis(context.scale.pick(2_000, 500, 20));
    let contenders = [
        contender::<Tidemill>(Tidemill::NAME, span),
        contender::<Tokio>(Tokio::NAME, span),
        contender::<AsyncExecutor<Listed>>(AsyncExecutor::<Listed>::NAME, span),
        contender::<Tidemill>("tidemill (A/A)", span),
    ];
    context.compare(
        format!("{PROCS} workers, {PROCS} sleepers, light tasks for {span:?}"),
        &FIGURES,
        contenders.into(),
        ROUNDS,
    )?;
    Ok(())
}

fn contender<E: Executor>(name: &'static str, span: Duration) -> Contender<'static> {
    Contender::new(name, move || {
        let Light { completed, worst } = beside_sleepers(&E::start(PROCS)?, PROCS, span);
        Ok([completed as f64, worst.as_secs_f64() * 1e3])
    })
}

/// Runs light tasks for `span` beside `sleepers` tasks that sleep in the kernel, yield, and sleep again.
fn beside_sleepers<E: Executor>(executor: &E, sleepers: usize, span: Duration) -> Light {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    executor.run(move |spawner| async move {
        for _ in 0..sleepers {
            spawner.detach(sleeper(spawner, Arc::clone(&seen)));
        }
    });
    let start = Instant::now();
    let Ok(light) = light_tasks(executor, || Ok::<_, Infallible>(start.elapsed() < span));
    // Relaxed: a flag that guards no data; a sleeper that sees it late naps once more.
    stop.store(true, Ordering::Relaxed);
    light
}

async fn sleeper<S: Spawner>(spawner: S, stop: Arc<AtomicBool>) {
    // Relaxed: see the store.
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(NAP);
        spawner.yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn completes_some<E: Executor>() {
        let seen = beside_sleepers(&E::start(2).unwrap(), 1, Duration::from_millis(5));
        assert!(seen.completed >= 1 && seen.worst > Duration::ZERO, "{}: {seen:?}", E::NAME);
    }

    #[test]
    fn on_every_executor() {
        completes_some::<Tidemill>();
        completes_some::<Tokio>();
        completes_some::<AsyncExecutor<Listed>>();
    }
}
