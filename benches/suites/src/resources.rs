//! Resource pools, as for connections: an idle one taken and given back.

use std::{convert::Infallible, future::Future, io, time::Duration};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use deadpool::managed::{self, Metrics, RecycleResult};
use tidemill::pools::{self, ResourceBuilder, ResourcePool};
use tokio::runtime::{Builder, Handle};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "resources",
    measures: "taking an idle resource from a pool and giving it back, by one task, and by two on two threads. Ours is shown \
               with its defaults (life, idle time, proof after idling, deadline, holders) and with a bound on waiters and a \
               leak report on top",
    leaves_out: "making and checking resources, waiting for one, deadlines that pass",
    seconds: 8.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const KEPT: u32 = 16;

/// What the workload needs from a pool.
trait Pool: Send + Sync + Sized + 'static {
    fn new(on: &Handle) -> io::Result<Self>;
    fn round(&self) -> impl Future<Output = u64> + Send;
}

fn benches() -> Vec<Bench> {
    [1, 2].map(bench).into()
}

fn bench(threads: u64) -> Bench {
    let cases = vec![
        case::<Reporting>("tidemill, leak report", threads),
        case::<ResourcePool<Maker>>("tidemill", threads),
        case::<managed::Pool<Maker>>("deadpool", threads),
        case::<bb8::Pool<Maker>>("bb8", threads),
    ];
    Bench::counted(format!("get + return, idle, {threads} thread(s)"), 100_000, cases)
}

fn case<P: Pool>(name: &'static str, threads: u64) -> Case {
    Case::fallible(name, move || {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let pool = P::new(runtime.handle())?;
        Ok(move |ops| Lap::on_threads(threads, ops, |part| runtime.block_on(rounds(&pool, part))))
    })
}

async fn rounds(pool: &impl Pool, count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        sum += pool.round().await;
    }
    sum
}

/// A connection would be here.
struct Resource(u64);

struct Maker;

fn ours(on: &Handle) -> ResourceBuilder<Maker> {
    ResourcePool::builder(Maker).max(KEPT as usize).on(on.clone())
}

impl Pool for ResourcePool<Maker> {
    fn new(on: &Handle) -> io::Result<Self> {
        ours(on).build().map_err(io::Error::other)
    }

    async fn round(&self) -> u64 {
        self.get().await.map_or(0, |resource| resource.0)
    }
}

/// With everything on.
struct Reporting(ResourcePool<Maker>);

impl Pool for Reporting {
    fn new(on: &Handle) -> io::Result<Self> {
        let pool =
            ours(on).max_waiting(100).leak_after(Duration::from_secs(60)).on_leak(|holder| eprintln!("{holder}"));
        pool.build().map(Self).map_err(io::Error::other)
    }

    async fn round(&self) -> u64 {
        self.0.get().await.map_or(0, |resource| resource.0)
    }
}

impl pools::Manager for Maker {
    type Resource = Resource;
    type Error = Infallible;

    async fn create(&self) -> Result<Resource, Infallible> {
        Ok(Resource(1))
    }
}

impl Pool for managed::Pool<Maker> {
    fn new(_: &Handle) -> io::Result<Self> {
        Self::builder(Maker).max_size(KEPT as usize).build().map_err(io::Error::other)
    }

    async fn round(&self) -> u64 {
        self.get().await.map_or(0, |resource: managed::Object<Maker>| resource.0)
    }
}

impl managed::Manager for Maker {
    type Type = Resource;
    type Error = Infallible;

    async fn create(&self) -> Result<Resource, Infallible> {
        Ok(Resource(1))
    }

    async fn recycle(&self, _: &mut Resource, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

impl Pool for bb8::Pool<Maker> {
    fn new(on: &Handle) -> io::Result<Self> {
        let Ok(pool) = on.block_on(Self::builder().max_size(KEPT).test_on_check_out(false).build(Maker));
        Ok(pool)
    }

    async fn round(&self) -> u64 {
        self.get().await.map_or(0, |resource| resource.0)
    }
}

impl bb8::ManageConnection for Maker {
    type Connection = Resource;
    type Error = Infallible;

    async fn connect(&self) -> Result<Resource, Infallible> {
        Ok(Resource(1))
    }

    async fn is_valid(&self, _: &mut Resource) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut Resource) -> bool {
        false
    }
}
