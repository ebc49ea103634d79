//! Section 1: every scheduler workload on every executor, with one worker thread and with two.

use std::{hint::black_box, io, time::Instant};

use crate::{
    board::{Context, Row},
    compare::{Contender, Figure, means, measure, median, table},
    executor::Executor,
    executors::{AsyncExecutor, Listed, Tidemill, Tokio, Unlisted},
    process::cpu_time,
    workloads::{Size, Workload},
};

pub(crate) const ROW: Row = Row {
    section: 1,
    name: "scheduling",
    measures: "how long executors take for work that is nothing but spawning, waking and switching",
    leaves_out: "what tasks do in a service; more than two threads",
    run,
};

/// Wall time is what users see; the shortest run is steady beside noisy neighbours; CPU time counts work and spinning.
const FIGURES: [Figure; 3] = [Figure::less("ms"), Figure::least("best ms"), Figure::less("CPU ms")];

/// Timed runs of one turn: three, so that its median drops one disturbed run.
const RUNS_PER_TURN: usize = 3;

const ROUNDS: usize = 8;

fn run(context: &Context) -> io::Result<()> {
    for &procs in &context.procs {
        let mut scheduler_bound = Vec::new();
        for &workload in &context.workloads {
            let size = workload.size(context.scale);
            let series = measure(&FIGURES, &contenders(workload, size, procs), context.rounds(ROUNDS))?;
            let title = format!("{workload}, P = {procs}, {} x {} steps", size.lanes, size.steps);
            println!("{}", table(&title, &FIGURES, &series));
            if workload.scheduler_bound() {
                scheduler_bound.push(series);
            }
        }
        println!("P = {procs}, geometric mean of {} scheduler-bound workloads", scheduler_bound.len());
        println!("{}", means(&FIGURES, &scheduler_bound));
    }
    Ok(())
}

fn contenders(workload: Workload, size: Size, procs: usize) -> [Contender<'static>; 5] {
    let turn = (workload, size, procs);
    [
        contender::<Tidemill>(Tidemill::NAME, turn),
        contender::<Tokio>(Tokio::NAME, turn),
        contender::<AsyncExecutor<Listed>>(AsyncExecutor::<Listed>::NAME, turn),
        contender::<AsyncExecutor<Unlisted>>(AsyncExecutor::<Unlisted>::NAME, turn),
        contender::<Tidemill>("tidemill (A/A)", turn),
    ]
}

fn contender<E: Executor>(name: &'static str, turn: (Workload, Size, usize)) -> Contender<'static> {
    let (workload, size, procs) = turn;
    Contender::new(name, move || self::turn(&E::start(procs)?, workload, size))
}

/// Warms the fresh executor up and times it.
fn turn<E: Executor>(executor: &E, workload: Workload, size: Size) -> io::Result<[f64; 3]> {
    timed_run(executor, workload, size);
    let runs: [_; RUNS_PER_TURN] = std::array::from_fn(|_| timed_run(executor, workload, size));
    let (wall, cpu) = (runs.map(|(wall, _)| wall), runs.map(|(_, cpu)| cpu));
    Ok([median(&wall), wall.into_iter().fold(f64::INFINITY, f64::min), median(&cpu)])
}

/// Milliseconds by the clock and of all CPUs.
fn timed_run<E: Executor>(executor: &E, workload: Workload, size: Size) -> (f64, f64) {
    let cpu = cpu_time();
    let start = Instant::now();
    let sum = workload.run(executor, black_box(size));
    let (wall, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    assert_eq!(sum, workload.checksum(size), "{workload} on {} lost or repeated work", E::NAME);
    (wall.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::scale::Scale;

    #[test]
    fn a_turn_reports_times_of_which_the_shortest_is_not_above_the_median() {
        let size = Workload::Yield.size(Scale::Smoke);
        let [wall, best, cpu] = turn(&Tokio::start(1).unwrap(), Workload::Yield, size).unwrap();
        assert!(0.0 < best && best <= wall && cpu > 0.0, "{wall} {best} {cpu}");
    }
}
