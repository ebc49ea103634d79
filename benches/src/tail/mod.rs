//! The latency of short tasks among rare long ones, in an open loop.
//!
//! Arrivals are planned beforehand (independent users: exponential gaps, seeded) and submitted by a thread outside of
//! the executors, whatever these do. A short task's latency runs from its *planned* arrival to its end, so a stall of
//! the executor counts for everybody who was due meanwhile, and so does the lateness of the generator itself, which
//! shares the CPUs; how late it was is printed beside it, and so is the latency from the submission on.
//!
//! The load is a share of the *capacity*: the rate at which the slowest contender completes the same mix when all of it
//! is submitted at once. Every contender gets the same arrivals.

mod open;
mod plan;
mod spin;

use std::{io, time::Duration};

pub(crate) use open::{Outcome, open_loop};
pub(crate) use plan::{Long, Mix, Plan};
pub(crate) use spin::Spin;

use crate::{
    board::{Context, Row, Run},
    compare::{Contender, Figure},
    executor::Executor,
    executors::{AsyncExecutor, Listed, Tidemill, Tokio},
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "tail",
    measures: "p50, p99, p99.9 of short tasks among 0.5 % long ones, Poisson arrivals, from the planned arrival to the end",
    leaves_out: "Go; the latency of the long tasks; it includes the generator's own lateness, printed as `late p99`",
    seconds: 17.0,
    in_quick: false,
    once: false,
    run: Run::Own(run),
};

/// `served` counts from the submission, and so leaves the generator's lateness out.
const FIGURES: [Figure; 5] = [
    Figure::less("p50 us"),
    Figure::less("p99 us"),
    Figure::less("p99.9 us"),
    Figure::less("served 99.9"),
    Figure::fact("late p99"),
];

/// Worker threads.
const PROCS: usize = 2;

const ROUNDS: usize = 3;

/// Of the capacity, in per cent.
const LOADS: [u32; 4] = [30, 50, 70, 90];

const SEED: u64 = 0x7461_696c;

const MIXES: [(&str, Mix); 3] = [
    ("4 us, 0.5 % sleep 10 ms in the kernel", Mix::new(4_000, 10_000_000, Long::Sleeps)),
    ("4 us, 0.5 % compute 10 ms", Mix::new(4_000, 10_000_000, Long::Computes)),
    ("0.5 us, 0.5 % compute 500 us", Mix::new(500, 500_000, Long::Computes)),
];

fn run(context: &Context) -> io::Result<()> {
    if context.is_late() {
        // Or else the capacities are measured for nothing.
        return Ok(());
    }
    let spin = Spin::calibrated();
    let span = Duration::from_millis(context.scale.pick(1_000, 500, 5));
    for (name, mix) in MIXES {
        let capacity = capacity(mix, spin, span / 4)?;
        context.say(&format!("{name}: capacity {capacity:.0} tasks/s, pass by pass"));
        for load in LOADS {
            let plan = Plan::poisson(capacity * f64::from(load) / 100.0, span, mix, SEED);
            let title = format!("{name}, {load} % load for {span:?}");
            context.compare(title, &FIGURES, contenders(&plan, spin).into(), ROUNDS)?;
        }
    }
    Ok(())
}

fn contenders(plan: &Plan, spin: Spin) -> [Contender<'_>; 4] {
    [
        contender::<Tidemill>(Tidemill::NAME, plan, spin),
        contender::<Tokio>(Tokio::NAME, plan, spin),
        contender::<AsyncExecutor<Listed>>(AsyncExecutor::<Listed>::NAME, plan, spin),
        contender::<Tidemill>("tidemill (A/A)", plan, spin),
    ]
}

fn contender<'a, E: Executor>(name: &'static str, plan: &'a Plan, spin: Spin) -> Contender<'a> {
    Contender::new(name, move || {
        let Outcome { short, served, late, .. } = open_loop(&E::start(PROCS)?, plan, spin)?;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| short.micros(share));
        Ok([p50, p99, p999, served.micros(0.999), late.micros(0.99)])
    })
}

/// Tasks per second of the slowest contender when about `span` of work is submitted at once.
fn capacity(mix: Mix, spin: Spin, span: Duration) -> io::Result<f64> {
    let plan = Plan::at_once(mix, span * PROCS as u32, SEED);
    let rates =
        [rate::<Tidemill>(&plan, spin)?, rate::<Tokio>(&plan, spin)?, rate::<AsyncExecutor<Listed>>(&plan, spin)?];
    Ok(rates.into_iter().fold(f64::INFINITY, f64::min))
}

fn rate<E: Executor>(plan: &Plan, spin: Spin) -> io::Result<f64> {
    Ok(plan.len() as f64 / open_loop(&E::start(PROCS)?, plan, spin)?.took.as_secs_f64())
}
