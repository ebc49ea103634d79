//! Section 1: every scheduler workload on every executor, with one worker thread and with two.

mod floor;

use std::{hint::black_box, io};

pub(crate) use floor::Floor;

use crate::{
    bench::{Bench, Case, FIGURES, Lap},
    board::{Context, Row, Run},
    compare::means,
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
        for &workload in &context.workloads {
            bench(workload, procs).compare_in(context)?;
        }
    }
    Ok(())
}

/// The headline, once all rounds are there.
pub(crate) fn say_means(context: &Context) {
    for &procs in &context.procs {
        let bound = context.workloads.iter().filter(|workload| workload.scheduler_bound());
        let series_of = |workload: &Workload| context.series_of(ROW.name, &bench(*workload, procs).title);
        let series: Vec<_> = bound.filter_map(series_of).collect();
        if !series.is_empty() {
            let (count, means) = (series.len(), means(&FIGURES, &series));
            let text = format!("P = {procs}, geometric mean of {count} scheduler-bound workloads\n{means}");
            context.keep_note((ROW.name, text));
        }
    }
}

/// A workload of the usual size with `procs` worker threads.
#[must_use]
pub fn bench(workload: Workload, procs: usize) -> Bench {
    sized_bench(workload, procs, workload.size(crate::Scale::Full))
}

/// A workload of any size.
#[must_use]
pub fn sized_bench(workload: Workload, procs: usize, size: Size) -> Bench {
    let lanes = size.lanes;
    Bench {
        title: format!("{workload}, P = {procs}, {} x {} steps", size.lanes, size.steps),
        ops: size.lanes * size.steps,
        grain: lanes,
        sum: Box::new(move |ops| workload.checksum(sized(lanes, ops))),
        cases: vec![
            case::<Tidemill>(workload, procs, lanes),
            case::<Tokio>(workload, procs, lanes),
            case::<AsyncExecutor<Listed>>(workload, procs, lanes),
            case::<AsyncExecutor<Unlisted>>(workload, procs, lanes),
            floor(workload, lanes),
        ],
    }
}

fn case<E: Executor>(workload: Workload, procs: usize, lanes: u64) -> Case {
    Case::fallible(E::NAME, move || {
        let executor = E::start(procs)?;
        Ok(move |ops| Lap::of(|| workload.run(&executor, black_box(sized(lanes, ops)))))
    })
}

fn floor(workload: Workload, lanes: u64) -> Case {
    let floor = Floor::of(workload);
    Case::floor(floor.name(), move || {
        move |ops| {
            Lap::of(|| {
                floor.run(ops);
                workload.checksum(sized(lanes, ops))
            })
        }
    })
}

/// The size that makes `ops` operations, which is a multiple of the lanes.
pub(crate) fn sized(lanes: u64, ops: u64) -> Size {
    Size { lanes, steps: ops / lanes }
}
