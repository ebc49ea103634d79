//! What a child costs, in ns, beside what it replaces.
//!
//! `cargo run --release -p tidemill-groups --example groups_speed [rounds]`
//!
//! The contenders of a table take turns in short slices, forwards and then backwards, so that a slow moment of the
//! machine hits all of them; the median and the best slice are printed, and the median as a multiple of the table's first row.

use std::{
    future::Future,
    hint::black_box,
    pin::Pin,
    time::{Duration, Instant},
};

use tidemill_groups::{TaskGroup, WaitGroup, map_concurrent};
use tidemill_spawner::Spawner;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Children of one slice.
const CHILDREN: usize = 5_000;

/// Slots of the rows with a limit.
const LIMIT: usize = 64;

type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes the work of one slice.
type Work = fn(Spawner, usize) -> BoxedTask;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(40);
    for (what, yields) in [("ready at once", 0), ("with one yield", 1)] {
        for threads in [1, 2] {
            let tidemill = tidemill_scheduler::Runtime::builder()
                .procs(tidemill_scheduler::Procs::Fixed(threads))
                .build()
                .expect("a runtime");
            let run = |work: BoxedTask| tidemill.block_on(tidemill.spawn(work)).expect("no slice panics");
            table(
                &format!("children {what}, on tidemill, {threads} P(s)"),
                rounds,
                yields,
                &tidemill.handle().into(),
                &run,
                OURS,
            );
        }
        for threads in [1, 2] {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().expect("a runtime");
            let run = |work: BoxedTask| tokio.block_on(tokio.spawn(work)).expect("no slice panics");
            let rows: Vec<_> = OURS.iter().chain(THEIRS).copied().collect();
            table(
                &format!("children {what}, on tokio, {threads} thread(s)"),
                rounds,
                yields,
                &tokio.handle().clone().into(),
                &run,
                &rows,
            );
        }
    }
}

/// What runs on both runtimes.
const OURS: &[(&str, Work)] = &[
    ("bare spawn, handles awaited", bare),
    ("TaskGroup, wait", group),
    ("TaskGroup, next", next),
    ("TaskGroup, limit 64", limited),
    ("map_concurrent, limit 64, in order", ordered),
    ("WaitGroup, spawn", wait_group),
];

/// What needs tokio.
const THEIRS: &[(&str, Work)] = &[
    ("JoinSet, join_next", join_set),
    ("JoinSet and a semaphore of 64", join_set_limited),
    ("TaskTracker", task_tracker),
];

/// Takes turns and prints.
fn table(title: &str, rounds: usize, yields: usize, on: &Spawner, run: &dyn Fn(BoxedTask), rows: &[(&str, Work)]) {
    let mut samples = vec![Vec::new(); rows.len()];
    for _ in 0..rounds {
        for index in (0..rows.len()).chain((0..rows.len()).rev()) {
            let work = rows[index].1(on.clone(), yields);
            let (sender, receiver) = std::sync::mpsc::channel();
            run(Box::pin(async move {
                let begin = Instant::now();
                work.await;
                sender.send(begin.elapsed()).expect("it is waited for");
            }));
            let time: Duration = receiver.recv().expect("it was sent");
            samples[index].push(time.as_nanos() as f64 / CHILDREN as f64);
        }
    }
    samples.iter_mut().for_each(|slices| slices.sort_by(f64::total_cmp));
    let median = |index: usize| samples[index][rounds];
    println!("\n{title}\n{:44}{:>9}{:>9}{:>8}", "", "median", "best", "x first");
    for (index, (name, _)) in rows.iter().enumerate() {
        println!("{name:44}{:9.1}{:9.1}{:8.2}", median(index), samples[index][0], median(index) / median(0));
    }
}

/// The child.
async fn child(number: usize, yields: usize) -> Result<usize, String> {
    for _ in 0..yields {
        let mut again = true;
        std::future::poll_fn(|cx| {
            if !std::mem::take(&mut again) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
    Ok(black_box(number))
}

fn bare(on: Spawner, yields: usize) -> BoxedTask {
    Box::pin(async move {
        let tasks: Vec<_> = (0..CHILDREN).map(|number| on.spawn_task(child(number, yields))).collect();
        for task in tasks {
            black_box(task.await.expect("no child panics").expect("no child fails"));
        }
    })
}

fn group(_: Spawner, yields: usize) -> BoxedTask {
    Box::pin(async move {
        let group = TaskGroup::new();
        for number in 0..CHILDREN {
            group.spawn(child(number, yields)).await.expect("nobody cancels");
        }
        assert_eq!(group.wait().await.expect("no child fails").len(), CHILDREN);
    })
}

fn next(_: Spawner, yields: usize) -> BoxedTask {
    Box::pin(async move {
        let mut group = TaskGroup::new();
        for number in 0..CHILDREN {
            group.spawn(child(number, yields)).await.expect("nobody cancels");
        }
        while let Some(value) = group.next().await {
            black_box(value.expect("no child fails"));
        }
    })
}

fn limited(_: Spawner, yields: usize) -> BoxedTask {
    Box::pin(async move {
        let group = TaskGroup::builder().limit(LIMIT).build().expect("a valid limit");
        for number in 0..CHILDREN {
            group.spawn(child(number, yields)).await.expect("nobody cancels");
        }
        assert_eq!(group.wait().await.expect("no child fails").len(), CHILDREN);
    })
}

fn ordered(_: Spawner, yields: usize) -> BoxedTask {
    Box::pin(async move {
        let all = map_concurrent(0..CHILDREN, LIMIT, move |number| child(number, yields)).expect("a valid limit");
        assert_eq!(all.collect().await.expect("no child fails").len(), CHILDREN);
    })
}

fn wait_group(_: Spawner, yields: usize) -> BoxedTask {
    Box::pin(async move {
        let group = WaitGroup::new();
        for number in 0..CHILDREN {
            group.spawn(async move { drop(black_box(child(number, yields).await)) }).expect("inside of a runtime");
        }
        group.wait().await.expect("nobody cancels");
    })
}

fn join_set(on: Spawner, yields: usize) -> BoxedTask {
    let Spawner::Tokio(on) = on else { unreachable!("a row of tokio's") };
    Box::pin(async move {
        let mut set = JoinSet::new();
        for number in 0..CHILDREN {
            set.spawn_on(child(number, yields), &on);
        }
        while let Some(value) = set.join_next().await {
            black_box(value.expect("no child panics").expect("no child fails"));
        }
    })
}

fn join_set_limited(on: Spawner, yields: usize) -> BoxedTask {
    let Spawner::Tokio(on) = on else { unreachable!("a row of tokio's") };
    Box::pin(async move {
        let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(LIMIT));
        let mut set = JoinSet::new();
        for number in 0..CHILDREN {
            let slot = std::sync::Arc::clone(&slots).acquire_owned().await.expect("it stays open");
            let task = async move {
                let value = child(number, yields).await;
                drop(slot);
                value
            };
            set.spawn_on(task, &on);
        }
        while let Some(value) = set.join_next().await {
            black_box(value.expect("no child panics").expect("no child fails"));
        }
    })
}

fn task_tracker(on: Spawner, yields: usize) -> BoxedTask {
    let Spawner::Tokio(on) = on else { unreachable!("a row of tokio's") };
    Box::pin(async move {
        let tracker = TaskTracker::new();
        for number in 0..CHILDREN {
            drop(tracker.spawn_on(async move { black_box(child(number, yields).await) }, &on));
        }
        tracker.close();
        tracker.wait().await;
    })
}
