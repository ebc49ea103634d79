//! The same benches under criterion: did a change move one of them? (`--save-baseline`, `--baseline`)
//!
//! criterion measures one after the other, so it does not say who is faster; the scoreboard does.

use std::time::Duration;

use benches::{
    Bench,
    board::{Row, Run},
    checked, scheduling,
    workloads::Workload,
};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Worker threads of the executors: two, the smallest number that can steal.
const PROCS: usize = 2;

/// Runs what the command line asks for.
pub(crate) fn run(rows: &[Row]) {
    let short = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200));
    let mut criterion = short.measurement_time(Duration::from_millis(800)).configure_from_args();
    for workload in Workload::ALL {
        group(&mut criterion, "scheduling", &scheduling::bench(workload, PROCS));
    }
    for row in rows {
        if let Run::Benches(benches) = row.run {
            benches().iter().for_each(|bench| group(&mut criterion, row.name, bench));
        }
    }
    criterion.final_summary();
}

fn group(criterion: &mut Criterion, row: &str, bench: &Bench) {
    let mut group = criterion.benchmark_group(format!("{row}/{}", bench.title));
    group.throughput(Throughput::Elements(bench.grain));
    for case in &bench.cases {
        group.bench_function(BenchmarkId::from_parameter(case.name), |b| {
            let mut work = case.start().expect("a machine that benches has threads and files");
            b.iter_custom(|iterations| {
                let (mut left, mut took) = (iterations * bench.grain, Duration::ZERO);
                // In parts: some work keeps something for each operation until its end.
                while left > 0 {
                    let ops = left.min(bench.rounded(bench.ops));
                    took += checked(case, &mut work, ops, &bench.sum).expect("no work is lost").took;
                    left -= ops;
                }
                took
            });
        });
    }
    group.finish();
}
