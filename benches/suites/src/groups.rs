//! Task groups: children that do nothing, started together and waited for together, each with its value.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use benches::{
    Bench, Case, Executor, Lap, Spawner, Tidemill, Tokio,
    board::{Row, Run},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tidemill::TaskGroup;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const ROW: Row = Row {
    section: 7,
    name: "groups",
    measures: "no-op children spawned by one task into a group and waited for, values collected; two threads",
    leaves_out: "children that wait, fail or are cancelled; limits; TaskTracker keeps no values, so its children count",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const PROCS: usize = 2;

fn benches() -> Vec<Bench> {
    let cases = vec![
        case::<Tidemill, _>("tidemill TaskGroup", |_, ops| task_group(ops)),
        case::<Tokio, _>("tidemill TaskGroup on tokio", |_, ops| task_group(ops)),
        case::<Tokio, _>("tokio JoinSet", |_, ops| join_set(ops)),
        case::<Tokio, _>("tokio, FuturesUnordered of spawns", unordered),
        case::<Tokio, _>("tokio-util TaskTracker, CancellationToken", |_, ops| tracker(ops)),
        case::<Tokio, _>("tokio, bare spawn and join", bare),
        case::<Tidemill, _>("floor: bare spawn and join on tidemill", bare).as_floor(),
    ];
    vec![Bench::counted("no-op children, values collected", 50_000, cases)]
}

fn case<E: Executor, F>(name: &'static str, work: fn(E::Spawner, u64) -> F) -> Case
where
    F: Future<Output = u64> + Send + 'static,
{
    Case::fallible(name, move || {
        let executor = E::start(PROCS)?;
        Ok(move |ops| Lap::of(|| executor.run(|spawner| work(spawner, ops))))
    })
}

async fn task_group(ops: u64) -> u64 {
    let group = TaskGroup::<u64, &str>::new();
    for _ in 0..ops {
        group.spawn(async { Ok(1) }).await.expect("nobody cancels");
    }
    group.wait().await.expect("no child fails").into_iter().sum()
}

async fn join_set(ops: u64) -> u64 {
    let mut set = JoinSet::new();
    for _ in 0..ops {
        set.spawn(async { 1 });
    }
    let mut sum = 0;
    while let Some(value) = set.join_next().await {
        sum += value.expect("no child panics");
    }
    sum
}

async fn unordered<S: Spawner>(spawner: S, ops: u64) -> u64 {
    let mut all: FuturesUnordered<_> = (0..ops).map(|_| Box::pin(spawner.spawn(async { 1 }))).collect();
    let mut sum = 0;
    while let Some(value) = all.next().await {
        sum += value;
    }
    sum
}

/// As they are used together: each child ends with the token.
async fn tracker(ops: u64) -> u64 {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let count = Arc::new(AtomicU64::new(0));
    for _ in 0..ops {
        let (token, count) = (token.clone(), Arc::clone(&count));
        tracker.spawn(async move {
            let counted = async { count.fetch_add(1, Ordering::Relaxed) };
            token.run_until_cancelled_owned(counted).await
        });
    }
    tracker.close();
    tracker.wait().await;
    count.load(Ordering::Relaxed)
}

async fn bare<S: Spawner>(spawner: S, ops: u64) -> u64 {
    let children: Vec<_> = (0..ops).map(|_| spawner.spawn(async { 1 })).collect();
    let mut sum = 0;
    for child in children {
        sum += child.await;
    }
    sum
}
