//! What it costs to announce a blocking call that returns at once.
#![expect(clippy::disallowed_methods, reason = "tokio's calls are what tidemill's is compared with")]

use std::{
    hint::black_box,
    io,
    time::{Duration, Instant},
};

use super::{PROCS, ROUNDS};
use crate::{
    board::{Context, Row, Run},
    compare::{Contender, Figure},
    executor::Executor,
    executors::{Tidemill, Tokio},
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "overhead",
    measures: "a blocking call that returns at once: what it costs to say that it may block",
    leaves_out: "what it costs if it does block (see `flood`)",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 1] = [Figure::less("ns")];

fn run(context: &Context) -> io::Result<()> {
    // What runs in place takes nanoseconds, what goes to another thread microseconds.
    let (marks, hops) = context.scale.pick((1_000_000, 20_000), (100_000, 2_000), (1_000, 10));
    let contenders = [
        contender("tidemill::blocking", per_call_tidemill, marks),
        contender("tokio block_in_place", per_call_block_in_place, hops),
        contender("tokio spawn_blocking", per_call_spawn_blocking, hops),
        contender("tidemill::blocking (A/A)", per_call_tidemill, marks),
    ];
    context.compare("per call, one after the other from one task", &FIGURES, contenders.into(), ROUNDS)?;
    Ok(())
}

fn contender<E: Executor>(name: &'static str, call: fn(&E, u32) -> Overhead, calls: u32) -> Contender<'static> {
    Contender::new(name, move || Ok([call(&E::start(PROCS)?, calls).nanos_per_call()]))
}

/// The time of a number of calls made one after the other from one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Overhead {
    calls: u32,
    total: Duration,
}

impl Overhead {
    /// Nanoseconds per call.
    fn nanos_per_call(self) -> f64 {
        self.total.as_secs_f64() * 1e9 / f64::from(self.calls)
    }
}

/// `tidemill::blocking(|| ..)`, which runs in place.
fn per_call_tidemill(executor: &Tidemill, calls: u32) -> Overhead {
    executor.run(move |_| async move { time(calls, |i| tidemill::blocking(|| black_box(i))) })
}

/// `tokio::task::block_in_place`, which hands its worker's core to another thread each time.
fn per_call_block_in_place(executor: &Tokio, calls: u32) -> Overhead {
    executor.run(move |_| async move { time(calls, |i| tokio::task::block_in_place(|| black_box(i))) })
}

/// `tokio::task::spawn_blocking`, awaited: the call that tokio recommends.
fn per_call_spawn_blocking(executor: &Tokio, calls: u32) -> Overhead {
    executor.run(move |_| async move {
        let start = Instant::now();
        for i in 0..calls {
            let same = tokio::task::spawn_blocking(move || black_box(i)).await;
            assert_eq!(same.expect("the call does not panic"), i);
        }
        Overhead { calls, total: start.elapsed() }
    })
}

fn time(calls: u32, mut call: impl FnMut(u32) -> u32) -> Overhead {
    let start = Instant::now();
    for i in 0..calls {
        assert_eq!(call(i), i);
    }
    Overhead { calls, total: start.elapsed() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nanos_are_per_call() {
        let overhead = Overhead { calls: 1_000, total: Duration::from_millis(2) };
        assert!((overhead.nanos_per_call() - 2_000.0).abs() < 1e-6);
    }

    #[test]
    fn each_kind_of_call_comes_back() {
        let (ours, theirs) = (Tidemill::start(1).unwrap(), Tokio::start(1).unwrap());
        let all =
            [per_call_tidemill(&ours, 3), per_call_block_in_place(&theirs, 3), per_call_spawn_blocking(&theirs, 3)];
        assert!(all.iter().all(|overhead| overhead.nanos_per_call() > 0.0), "{all:?}");
    }
}
