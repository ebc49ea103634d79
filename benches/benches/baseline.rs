//! Criterion benches of the scheduler workloads at moderate sizes.
//!
//! Purpose: to see whether a change moved one executor (`--save-baseline`, `--baseline`). To compare executors with each
//! other use the bench `scheduler`, which interleaves them: criterion measures one after the other.

use benches::{AsyncExecutor, Executor, Listed, Scale, Tidemill, Tokio, Unlisted, workloads::Workload};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Worker threads of every executor: two, the smallest number that can steal.
const PROCS: usize = 2;

fn on<E: Executor>(c: &mut Criterion) {
    // Started by `cargo bench`, criterion finds `--bench` among the arguments; without it, it runs each bench once.
    let measured = std::env::args().any(|arg| arg == "--bench");
    let scale = if measured { Scale::Quick } else { Scale::Smoke };
    let executor = E::start(PROCS).expect("a machine that benches can start threads");
    for workload in Workload::ALL {
        let size = workload.size(scale);
        let mut group = c.benchmark_group(workload.name());
        group.throughput(Throughput::Elements(size.lanes * size.steps));
        group.bench_function(BenchmarkId::from_parameter(E::NAME), |b| {
            b.iter(|| workload.run(&executor, size));
        });
        group.finish();
    }
}

criterion_group! {
    name = baseline;
    config = Criterion::default().sample_size(20);
    targets = on::<Tidemill>, on::<Tokio>, on::<AsyncExecutor<Listed>>, on::<AsyncExecutor<Unlisted>>
}
criterion_main!(baseline);
