//! Fork and join: the sum of an array by halves, with futures and with rayon, which is made for it.

use std::{io, ops::Range, pin::Pin, sync::Arc};

use benches::{
    AsyncExecutor, Bench, Case, Executor, Lap, Listed, Spawner, Tidemill, Tokio,
    board::{Row, Run},
};

pub(crate) const ROW: Row = Row {
    section: 7,
    name: "fork-join",
    measures: "summing numbers by halving the array down to 512, each left half a task; ns per number; two threads",
    leaves_out: "work of uneven size; async executors box each step of the recursion, rayon does not have to",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

/// Halves of this size are summed where they are.
const LEAF: u64 = 512;

const PROCS: usize = 2;

fn benches() -> Vec<Bench> {
    vec![Bench {
        title: "sum by halves, P = 2".into(),
        ops: 1_000_000,
        grain: 1,
        sum: Box::new(|ops| ops * ops.saturating_sub(1) / 2),
        cases: vec![
            case::<Tidemill>(),
            Case::fallible("rayon", || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(PROCS).build().map_err(io::Error::other)?;
                Ok(move |ops| {
                    let numbers = numbers(ops);
                    Lap::of(|| pool.install(|| halves(&numbers)))
                })
            }),
            case::<Tokio>(),
            case::<AsyncExecutor<Listed>>(),
            Case::floor("floor: a loop", || {
                |ops| {
                    let numbers = numbers(ops);
                    Lap::of(|| std::hint::black_box(&numbers).iter().sum())
                }
            }),
        ],
    }]
}

fn numbers(ops: u64) -> Arc<[u64]> {
    (0..ops).collect()
}

fn case<E: Executor>() -> Case {
    Case::fallible(E::NAME, || {
        let executor = E::start(PROCS)?;
        Ok(move |ops| {
            let numbers = numbers(ops);
            Lap::of(|| executor.run(|spawner| node(spawner, numbers, 0..ops)))
        })
    })
}

/// Boxed because a future cannot contain its own type.
fn node<S: Spawner>(spawner: S, numbers: Arc<[u64]>, range: Range<u64>) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if range.end - range.start <= LEAF {
            return numbers[range.start as usize..range.end as usize].iter().sum();
        }
        let middle = range.start.midpoint(range.end);
        let left = spawner.spawn(node(spawner, Arc::clone(&numbers), range.start..middle));
        let right = node(spawner, numbers, middle..range.end).await;
        left.await + right
    })
}

fn halves(numbers: &[u64]) -> u64 {
    if numbers.len() as u64 <= LEAF {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = rayon::join(|| halves(left), || halves(right));
    left + right
}
