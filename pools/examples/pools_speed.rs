//! What the pools cost, in ns per operation, beside what they replace.
//!
//! `cargo run --release -p tidemill-pools --example pools_speed [rounds [part of a table's title]]`
//!
//! The contenders of a table take turns in short slices, forwards and then backwards, so that a slow moment of the
//! machine hits all of them; the median and the best slice are printed, and the median as a multiple of the table's first row.

use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use tidemill_pools::{BufferPool, Manager, ObjectPool, ResourcePool, Spawner, WorkerPool};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Operations of one slice: about half a millisecond, well above the clock's grain and below a scheduler tick.
const OBJECT_OPS: u32 = 100_000;
const RESOURCE_OPS: u32 = 5_000;
const JOBS: u64 = 10_000;

/// Runs one slice and says how long it took.
type Slice = Box<dyn Fn() -> Duration>;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    for threads in [1, 2] {
        table(&format!("objects of 1 KiB, get + return, {threads} thread(s)"), rounds, OBJECT_OPS, &objects(threads));
    }
    table("one idle resource, get + return, one thread", rounds, RESOURCE_OPS, &resources());
    for threads in [1, 2] {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().expect("a runtime");
        let on = tokio.handle().clone();
        let run = move |job| drop(on.block_on(on.spawn(job)));
        table(&format!("no-op jobs on tokio, {threads} thread(s)"), rounds, JOBS as u32, &jobs(tokio.handle(), run));
    }
    for procs in [1, 2] {
        let tidemill = tidemill_scheduler::Runtime::builder()
            .procs(tidemill_scheduler::Procs::Fixed(procs))
            .build()
            .expect("a runtime");
        let on = tidemill.handle();
        let tidemill = Arc::new(tidemill);
        let run = move |job| drop(tidemill.block_on(tidemill.spawn(job)));
        table(&format!("no-op jobs on tidemill, {procs} P(s)"), rounds, JOBS as u32, &jobs(&on, run));
    }
}

/// Takes turns and prints, unless other tables were asked for.
fn table(title: &str, rounds: usize, operations: u32, contenders: &[(&str, Slice)]) {
    if std::env::args().nth(2).is_some_and(|part| !title.contains(&part)) {
        return;
    }
    let mut samples = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for index in (0..contenders.len()).chain((0..contenders.len()).rev()) {
            samples[index].push(contenders[index].1().as_nanos() as f64 / f64::from(operations));
        }
    }
    samples.iter_mut().for_each(|slices| slices.sort_by(f64::total_cmp));
    let median = |index: usize| samples[index][rounds];
    println!("\n{title}\n{:44}{:>9}{:>9}{:>8}", "", "median", "best", "x first");
    for (index, (name, _)) in contenders.iter().enumerate() {
        println!("{name:44}{:9.1}{:9.1}{:8.2}", median(index), samples[index][0], median(index) / median(0));
    }
}

fn objects(threads: usize) -> Vec<(&'static str, Slice)> {
    let builder = || ObjectPool::builder(|| Vec::<u8>::with_capacity(1024));
    let pool = Arc::new(builder().build().expect("valid options"));
    let reset = Arc::new(builder().reset(Vec::clear).build().expect("valid options"));
    let depot = builder().magazine(0).build().expect("valid options");
    let nested = Arc::clone(&pool);
    let buffers = BufferPool::builder().build().expect("valid options");
    vec![
        ("malloc + free", slice(threads, OBJECT_OPS, || touch(&mut Vec::with_capacity(1024)))),
        ("ObjectPool", slice(threads, OBJECT_OPS, move || touch(&mut pool.get()))),
        (
            "ObjectPool, two at a time (per pair)",
            slice(threads, OBJECT_OPS, move || two(&mut nested.get(), &mut nested.get())),
        ),
        ("ObjectPool with reset", slice(threads, OBJECT_OPS, move || touch(&mut reset.get()))),
        ("BufferPool", slice(threads, OBJECT_OPS, move || touch(&mut buffers.get(1024)))),
        ("ObjectPool, depot only", slice(threads, OBJECT_OPS, move || touch(&mut depot.get()))),
    ]
}

/// What a resource pool takes the place of: a semaphore for the places, and a locked stack for the idle ones.
fn resources() -> Vec<(&'static str, Slice)> {
    let runtime = Arc::new(tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));
    let pool = {
        let _inside = runtime.enter();
        ResourcePool::builder(Words).build().expect("valid options")
    };
    drop(runtime.block_on(pool.get()).expect("made at once"));
    let (places, stack) = (tokio::sync::Semaphore::new(10), std::sync::Mutex::new(vec![7_u64]));
    let through_both = move || {
        let _place = black_box(places.try_acquire()).expect("it is free");
        let resource = stack.lock().expect("nothing panics").pop().expect("it is idle");
        stack.lock().expect("nothing panics").push(black_box(resource));
    };
    let lap = move |awaited: bool| {
        let begin = Instant::now();
        runtime.block_on(async {
            for _ in 0..RESOURCE_OPS {
                let lease = if awaited { pool.get().await.ok() } else { pool.try_get() };
                black_box(&*lease.expect("it is idle"));
            }
        });
        begin.elapsed()
    };
    let lap = Arc::new(lap);
    let awaited = Arc::clone(&lap);
    vec![
        ("semaphore, and a locked stack", slice(1, RESOURCE_OPS, through_both)),
        ("ResourcePool, try_get", Box::new(move || lap(false))),
        ("ResourcePool, get", Box::new(move || awaited(true))),
    ]
}

/// Resources that cost nothing, so that the pool is what is measured.
struct Words;

impl Manager for Words {
    type Resource = u64;
    type Error = std::convert::Infallible;

    async fn create(&self) -> Result<u64, Self::Error> {
        Ok(7)
    }
}

/// The compiler has to believe that the object is used.
fn touch(object: &mut Vec<u8>) {
    black_box(object);
}

fn two(first: &mut Vec<u8>, second: &mut Vec<u8>) {
    black_box((first, second));
}

/// A slice in which each thread runs `operation` over and over; the slowest thread counts.
fn slice(threads: usize, operations: u32, operation: impl Fn() + Sync + 'static) -> Slice {
    let lap = move |start: &Barrier| {
        operation();
        start.wait();
        let begin = Instant::now();
        (0..operations).for_each(|_| operation());
        begin.elapsed()
    };
    Box::new(move || {
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            let laps: Vec<_> = (0..threads).map(|_| scope.spawn(|| lap(&start))).collect();
            laps.into_iter().map(|lap| lap.join().expect("no lap panics")).max().expect("at least one thread")
        })
    })
}

type BoxedTask = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn jobs(on: &(impl Into<Spawner> + Clone), run: impl Fn(BoxedTask) + Clone + 'static) -> Vec<(&'static str, Slice)> {
    let spawner: Spawner = on.clone().into();
    let pool =
        || Arc::new(WorkerPool::builder().on(spawner.clone()).build_sync(|number: u64| number).expect("valid options"));
    let (execute, submit, batch) = (pool(), pool(), pool());
    let (spawn, channel, shared) = (spawner.clone(), spawner.clone(), spawner.clone());
    vec![
        ("a spawn per job, results awaited", timed(&run, move || Box::pin(spawn_per_job(spawn.clone())))),
        ("submit, results awaited", timed(&run, move || Box::pin(submit_each(Arc::clone(&submit))))),
        ("submit_batch, results awaited", timed(&run, move || Box::pin(submit_batch(Arc::clone(&batch))))),
        ("execute, no results", timed(&run, move || Box::pin(execute_each(Arc::clone(&execute))))),
        ("tokio mpsc, one worker, no results", timed(&run, move || Box::pin(tokio_channel(channel.clone())))),
        ("flume, two workers, no results", timed(&run, move || Box::pin(flume_channel(shared.clone())))),
    ]
}

/// A slice that runs one task to its end.
fn timed(run: &(impl Fn(BoxedTask) + Clone + 'static), task: impl Fn() -> BoxedTask + 'static) -> Slice {
    let run = run.clone();
    Box::new(move || {
        let task = task();
        let begin = Instant::now();
        run(task);
        begin.elapsed()
    })
}

async fn submit_each(pool: Arc<WorkerPool<u64, u64>>) {
    let mut tickets = Vec::with_capacity(JOBS as usize);
    for number in 0..JOBS {
        tickets.push(pool.submit(number).await.expect("open"));
    }
    for ticket in tickets {
        black_box(ticket.await.expect("no job panics"));
    }
}

async fn submit_batch(pool: Arc<WorkerPool<u64, u64>>) {
    black_box(pool.submit_batch(0..JOBS).await.expect("open").await);
}

/// One queue with one order: when the last job has a result, all have run or are running.
async fn execute_each(pool: Arc<WorkerPool<u64, u64>>) {
    for number in 1..JOBS {
        pool.execute(number).await.expect("open");
    }
    pool.submit(0).await.expect("open").await.expect("no job panics");
}

async fn spawn_per_job(spawner: Spawner) {
    match spawner {
        Spawner::Tidemill(on) => {
            let tasks: Vec<_> = (0..JOBS).map(|number| on.spawn(async move { number })).collect();
            for task in tasks {
                black_box(task.await.expect("no job panics"));
            }
        }
        Spawner::Tokio(on) => {
            let tasks: Vec<_> = (0..JOBS).map(|number| on.spawn(async move { number })).collect();
            for task in tasks {
                black_box(task.await.expect("no job panics"));
            }
        }
        _ => unreachable!("there are two runtimes"),
    }
}

async fn tokio_channel(spawner: Spawner) {
    let (sender, mut receiver) = mpsc::channel(1024);
    let worker = spawn_on(&spawner, async move { while receiver.recv().await.is_some() {} });
    for number in 0..JOBS {
        sender.send(number).await.expect("the worker listens");
    }
    drop(sender);
    worker.await;
}

async fn flume_channel(spawner: Spawner) {
    let (sender, receiver) = flume::bounded(1024);
    let listen = |receiver: flume::Receiver<u64>| async move { while receiver.recv_async().await.is_ok() {} };
    let workers = [spawn_on(&spawner, listen(receiver.clone())), spawn_on(&spawner, listen(receiver))];
    for number in 0..JOBS {
        sender.send_async(number).await.expect("the workers listen");
    }
    drop(sender);
    for worker in workers {
        worker.await;
    }
}

fn spawn_on(spawner: &Spawner, task: impl Future<Output = ()> + Send + 'static) -> BoxedTask {
    match spawner {
        Spawner::Tidemill(on) => {
            let task = on.spawn(task);
            Box::pin(async move { task.await.expect("no worker panics") })
        }
        Spawner::Tokio(on) => {
            let task = on.spawn(task);
            Box::pin(async move { task.await.expect("no worker panics") })
        }
        _ => unreachable!("there are two runtimes"),
    }
}
