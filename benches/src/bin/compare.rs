//! The scoreboard: every scheduler workload on every executor, interleaved. See `benches::compare` for the method.

use std::{io, num::NonZero};

use benches::{
    AsyncExecutor, Listed, Tidemill, Tokio, Unlisted,
    compare::{Contender, means, measure, table},
    workloads::{Scale, Workload},
};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of `--quick`: twice A B B A.
const QUICK_ROUNDS: usize = 4;

/// Compares tidemill with its peers; a ratio above 1 means that tidemill is faster.
#[derive(Debug, Parser)]
struct Options {
    /// Only these workloads, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<Workload>,

    /// Only with this many worker threads [default: both 1 and 2]
    #[arg(long, value_name = "N")]
    procs: Option<NonZero<usize>>,

    /// Rounds per workload
    #[arg(long, value_name = "N", default_value = "8")]
    rounds: NonZero<usize>,

    /// A tenth of the work and 4 rounds: a look, not a result
    #[arg(long)]
    quick: bool,

    /// A thousandth of the work: proves that everything runs and adds up
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
}

impl Options {
    fn workloads(&self) -> &[Workload] {
        if self.only.is_empty() { &Workload::ALL } else { &self.only }
    }

    fn procs(&self) -> Vec<usize> {
        self.procs.map_or(vec![1, 2], |procs| vec![procs.get()])
    }

    fn scale_and_rounds(&self) -> (Scale, usize) {
        match (self.quick, self.smoke) {
            (true, _) => (Scale::Tenth, self.rounds.get().min(QUICK_ROUNDS)),
            (_, true) => (Scale::Smoke, self.rounds.get()),
            _ => (Scale::Full, self.rounds.get()),
        }
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    for procs in options.procs() {
        scoreboard(&options, procs)?;
    }
    Ok(())
}

fn scoreboard(options: &Options, procs: usize) -> io::Result<()> {
    let contenders = [
        Contender::new::<Tidemill>(),
        Contender::new::<Tokio>(),
        Contender::new::<AsyncExecutor<Listed>>(),
        Contender::new::<AsyncExecutor<Unlisted>>(),
        Contender::named::<Tidemill>("tidemill (A/A)"),
    ];
    let (scale, rounds) = options.scale_and_rounds();
    let mut scheduler_bound = Vec::new();
    for &workload in options.workloads() {
        let size = workload.size(scale);
        let series = measure(&contenders, workload, size, procs, rounds)?;
        println!("{}", table(&format!("{workload}, P = {procs}, {} x {} steps", size.lanes, size.steps), &series));
        if workload.scheduler_bound() {
            scheduler_bound.push(series);
        }
    }
    println!(
        "P = {procs}, geometric mean of {} scheduler-bound workloads\n{}",
        scheduler_bound.len(),
        means(&scheduler_bound)
    );
    Ok(())
}
