//! Go's scheduler beside ours: the same workloads as goroutines, in a process of its own.
//!
//! `benches/go/` is one program of ours, built by `cargo xtask scoreboard --with-go`. It runs a workload whenever it is told
//! to and answers with the checksum and the nanoseconds that it took, measured on its side, so that neither the pipe nor the
//! start of the process counts. Its GOMAXPROCS is our number of permits.

use std::{io, path::Path, process::Command};

use crate::{
    bench::Case,
    board::{Context, Row, Run},
    child::{Child, word},
    compare::{AGAIN, Contender, Figure, median},
    executor::Executor,
    executors::Tidemill,
    scheduling,
    workloads::Workload,
};

pub(crate) const ROW: Row = Row {
    section: 1,
    name: "go",
    measures: "the workloads of `scheduling` as goroutines, channels and mutexes of Go, GOMAXPROCS = P",
    leaves_out: "CPU time, which is another process's; goroutines have stacks and can block anywhere, futures cannot",
    seconds: 3.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 2] = [Figure::less("ns/op"), Figure::least("best ns")];

/// As in `scheduling`.
const RUNS_PER_TURN: usize = 3;

const ROUNDS: usize = 6;

fn run(context: &Context) -> io::Result<()> {
    let Some(go) = &context.go else {
        context.say("left out: `cargo xtask scoreboard --with-go` sets Go up and includes it");
        return Ok(());
    };
    for &procs in &context.procs {
        for &workload in &context.workloads {
            compare(context, go, workload, procs)?;
        }
    }
    Ok(())
}

fn compare(context: &Context, go: &Path, workload: Workload, procs: usize) -> io::Result<()> {
    let bench = scheduling::bench(workload, procs);
    let ops = bench.ops(context.scale);
    let ours = |name: &str| Contender::new(name, || turn_of_case(&bench.cases[0], ops));
    let size = scheduling::sized(bench.grain, ops);
    let theirs = Contender::new("Go", || {
        let words = [workload.name().to_owned(), procs.to_string(), size.lanes.to_string(), size.steps.to_string()];
        let mut child = Child::of(Command::new(go).args(words))?;
        turn(ops, || {
            let answer = child.ask("run")?;
            let words: Vec<_> = answer.split(' ').collect();
            let (sum, nanos): (u64, f64) = (word(&words, 0)?, word(&words, 1)?);
            let expected = workload.checksum(size);
            let wrong = || io::Error::other(format!("{workload} comes to {sum}, not {expected}"));
            if sum == expected { Ok(nanos) } else { Err(wrong()) }
        })
    });
    let contenders = vec![ours(Tidemill::NAME), theirs, ours(&format!("{} {AGAIN}", Tidemill::NAME))];
    context.compare(&bench.title, &FIGURES, contenders, ROUNDS)?;
    Ok(())
}

fn turn_of_case(case: &Case, ops: u64) -> io::Result<[f64; 2]> {
    let mut work = case.start()?;
    turn(ops, || Ok(work(ops).took.as_nanos() as f64))
}

/// One run to warm up, then the median and the least of some: nanoseconds per operation.
fn turn(ops: u64, mut run: impl FnMut() -> io::Result<f64>) -> io::Result<[f64; 2]> {
    run()?;
    let mut nanos = [0.0; RUNS_PER_TURN];
    for value in &mut nanos {
        *value = run()? / ops as f64;
    }
    Ok([median(&nanos), nanos.into_iter().fold(f64::INFINITY, f64::min)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_warm_up_does_not_count() {
        let mut runs = [900.0, 30.0, 10.0, 20.0].into_iter();
        assert_eq!(turn(10, || Ok(runs.next().unwrap())).unwrap(), [2.0, 1.0]);
    }
}
