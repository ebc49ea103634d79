//! Worker pools: jobs that do nothing, submitted from one place, each with its result.

use std::{io, sync::Arc, sync::mpsc};

use benches::{
    Bench, Case, Executor, Lap, Spawner, Tidemill, Tokio,
    board::{Row, Run},
};
use tidemill::pools::WorkerPool;

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "workers",
    measures: "no-op jobs given to two workers from one task or thread, every result collected",
    leaves_out: "jobs that do something, bounds that are reached, jobs that panic",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const WORKERS: usize = 2;

fn benches() -> Vec<Bench> {
    let cases = vec![
        pool_on::<Tidemill>("tidemill WorkerPool"),
        pool_on::<Tokio>("tidemill WorkerPool on tokio"),
        spawns::<Tidemill>("tidemill, a spawn per job"),
        spawns::<Tokio>("tokio, a spawn per job"),
        Case::fallible("rayon, a spawn per job", || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().map_err(io::Error::other)?;
            Ok(move |ops| Lap::of(|| collected(ops, |answer| pool.spawn(move || tell(&answer)))))
        }),
        Case::new("threadpool", || {
            let pool = threadpool::ThreadPool::new(WORKERS);
            move |ops| Lap::of(|| collected(ops, |answer| pool.execute(move || tell(&answer))))
        }),
        Case::floor("floor: a queue of one thread", || {
            let mut queue = std::collections::VecDeque::with_capacity(64);
            move |ops| {
                Lap::of(|| {
                    let pass = |_| {
                        queue.push_back(std::hint::black_box(1));
                        std::hint::black_box(queue.pop_front()).unwrap_or(0)
                    };
                    (0..ops).map(pass).sum()
                })
            }
        }),
    ];
    vec![Bench::counted("no-op jobs, results collected", 50_000, cases)]
}

fn pool_on<E: Executor>(name: &'static str) -> Case {
    Case::fallible(name, || {
        let executor = E::start(WORKERS)?;
        // Built by a task, so that the pool finds its runtime.
        let build = || WorkerPool::builder().workers(WORKERS).build_sync(|one: u64| one);
        let pool = Arc::new(executor.run(move |_| async move { build() }).map_err(io::Error::other)?);
        Ok(move |ops| {
            let pool = Arc::clone(&pool);
            Lap::of(|| executor.run(|_| submit_all(pool, ops)))
        })
    })
}

async fn submit_all(pool: Arc<WorkerPool<u64, u64>>, ops: u64) -> u64 {
    let mut tickets = Vec::with_capacity(ops as usize);
    for _ in 0..ops {
        tickets.push(pool.submit(1).await.expect("it is open"));
    }
    let mut sum = 0;
    for ticket in tickets {
        sum += ticket.await.expect("no job panics");
    }
    sum
}

fn spawns<E: Executor>(name: &'static str) -> Case {
    Case::fallible(name, || {
        let executor = E::start(WORKERS)?;
        Ok(move |ops| Lap::of(|| executor.run(|spawner| spawn_all(spawner, ops))))
    })
}

async fn spawn_all<S: Spawner>(spawner: S, ops: u64) -> u64 {
    let jobs: Vec<_> = (0..ops).map(|_| spawner.spawn(async { 1 })).collect();
    let mut sum = 0;
    for job in jobs {
        sum += job.await;
    }
    sum
}

/// Pools of threads know no results: a channel brings them back.
fn collected(ops: u64, start: impl Fn(mpsc::Sender<u64>)) -> u64 {
    let (sender, receiver) = mpsc::channel();
    for _ in 0..ops {
        start(sender.clone());
    }
    drop(sender);
    receiver.iter().sum()
}

fn tell(answer: &mpsc::Sender<u64>) {
    answer.send(1).expect("it is collected until all jobs have ended");
}
