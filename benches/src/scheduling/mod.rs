//! Section 1: every scheduler workload on every executor, with one worker thread and with two.

mod floor;

use std::{hint::black_box, io};

pub(crate) use floor::Floor;

use crate::{
    bench::{Bench, Case, FIGURES, Lap},
    board::{Context, Row, Run},
    compare::{Series, means},
    executor::Executor,
    executors::{AsyncExecutor, Listed, Tidemill, Tokio, Unlisted},
    workloads::{Size, Workload},
};

pub(crate) const ROW: Row = Row {
    section: 1,
    name: "scheduling",
    measures: "how long executors take for work that is nothing but spawning, waking and switching; ns per step",
    leaves_out: "what tasks do in a service; more than two threads (see --scale)",
    seconds: 10.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

fn run(context: &Context) -> io::Result<()> {
    for &procs in &context.procs {
        let mut scheduler_bound: Vec<Vec<Series>> = Vec::new();
        for &workload in &context.workloads {
            let series = bench(workload, procs, 1).compare_in(context)?;
            if workload.scheduler_bound() && !series.is_empty() {
                scheduler_bound.push(series);
            }
        }
        if context.is_last() && !scheduler_bound.is_empty() {
            let count = scheduler_bound.len();
            let means = means(&FIGURES, &scheduler_bound);
            context.say(&format!("P = {procs}, geometric mean of {count} scheduler-bound workloads\n{means}"));
        }
    }
    Ok(())
}

/// A workload with `procs` worker threads and `times` its usual size.
pub fn bench(workload: Workload, procs: usize, times: u64) -> Bench {
    let full = workload.size(crate::Scale::Full);
    let size = Size { steps: full.steps * times, ..full };
    Bench {
        title: format!("{workload}, P = {procs}, {} x {} steps", size.lanes, size.steps),
        ops: size.lanes * size.steps,
        grain: size.lanes,
        sum: Box::new(move |ops| workload.checksum(sized(workload, ops))),
        cases: vec![
            case::<Tidemill>(workload, procs),
            case::<Tokio>(workload, procs),
            case::<AsyncExecutor<Listed>>(workload, procs),
            case::<AsyncExecutor<Unlisted>>(workload, procs),
            floor(workload),
        ],
    }
}

fn case<E: Executor>(workload: Workload, procs: usize) -> Case {
    Case::fallible(E::NAME, move || {
        let executor = E::start(procs)?;
        Ok(move |ops| Lap::of(|| workload.run(&executor, black_box(sized(workload, ops)))))
    })
}

fn floor(workload: Workload) -> Case {
    let floor = Floor::of(workload);
    Case::floor(floor.name(), move || {
        move |ops| {
            Lap::of(|| {
                floor.run(ops);
                workload.checksum(sized(workload, ops))
            })
        }
    })
}

/// The size that makes `ops` operations, which is a multiple of the lanes.
pub(crate) fn sized(workload: Workload, ops: u64) -> Size {
    let Size { lanes, .. } = workload.size(crate::Scale::Full);
    Size { lanes, steps: ops / lanes }
}
