//! A timer beside a task that was woken by the driver and then blocks.
//!
//! The thread that polled the reactor picks up the task which the reactor woke. If that task blocks, nobody polls the
//! reactor, and timers that have nothing to do with it stand still (tokio issue 4730).

use std::{
    io, thread,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{PROCS, ROUNDS};
use crate::{
    board::{Context, Row, Run},
    compare::{Contender, Figure},
    executor::{Executor, Spawner},
    executors::{Tidemill, Tokio},
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "timer",
    measures: "when an unrelated timer fires beside a task that the reactor wakes and that then blocks",
    leaves_out: "async-executor, which has no timers; the resolution of timers, a millisecond for both",
    seconds: 6.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 1] = [Figure::less("fires ms")];

/// When the unrelated timer is due.
const DUE: Duration = Duration::from_millis(30);

fn run(context: &Context) -> io::Result<()> {
    let blocked = Duration::from_millis(context.scale.pick(300, 300, 40));
    let contenders = [
        contender::<Tidemill>(Tidemill::NAME, blocked),
        contender::<Tokio>(Tokio::NAME, blocked),
        contender::<Tidemill>("tidemill (A/A)", blocked),
    ];
    context.compare(
        format!("a timer of {DUE:?} beside {blocked:?} of blocking"),
        &FIGURES,
        contenders.into(),
        ROUNDS,
    )?;
    Ok(())
}

fn contender<E: Executor>(name: &'static str, blocked: Duration) -> Contender<'static> {
    Contender::new(name, move || {
        let fired = timer_beside_a_blocker(&E::start(PROCS)?, DUE, blocked);
        if fired < DUE { Err(io::Error::other("the timer fired early")) } else { Ok([fired.as_secs_f64() * 1e3]) }
    })
}

/// When the blocker wakes: soon, but late enough that the workers have gone idle.
const WAKES_AFTER: Duration = Duration::from_millis(10);

/// Sets a timer of `due`, beside a task that is woken by the reactor after 10 ms and then blocks for `blocked`.
/// Returns after how long the timer fired. The executor must provide tokio's timers.
fn timer_beside_a_blocker<E: Executor>(executor: &E, due: Duration, blocked: Duration) -> Duration {
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

    #[test]
    fn never_fires_early() {
        let due = Duration::from_millis(12);
        let blocked = Duration::from_millis(4);
        assert!(timer_beside_a_blocker(&Tidemill::start(2).unwrap(), due, blocked) >= due);
        assert!(timer_beside_a_blocker(&Tokio::start(2).unwrap(), due, blocked) >= due);
    }
}
