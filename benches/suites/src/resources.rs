//! Resource pools, as for connections: an idle one taken and given back.

use std::{convert::Infallible, io};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use deadpool::managed::{self, Metrics, RecycleResult};
use tidemill::pools::{self, ResourcePool};
use tokio::runtime::{Builder, Runtime};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "resources",
    measures: "taking an idle resource from a pool and giving it back, by one task on tokio's current_thread runtime",
    leaves_out: "making and checking resources, waiting for one, deadlines",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const KEPT: u32 = 16;

fn benches() -> Vec<Bench> {
    vec![Bench::counted("get + return, idle", 100_000, vec![ours(), deadpool(), bb8()])]
}

/// A connection would be here.
struct Resource(u64);

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn ours() -> Case {
    Case::fallible("tidemill", || {
        let runtime = runtime()?;
        let pool = ResourcePool::builder(Maker).max(KEPT as usize).on(runtime.handle().clone()).build();
        let pool = pool.map_err(io::Error::other)?;
        Ok(move |ops| {
            Lap::of(|| {
                runtime.block_on(async {
                    let mut sum = 0;
                    for _ in 0..ops {
                        sum += pool.get().await.map_or(0, |resource| resource.0);
                    }
                    sum
                })
            })
        })
    })
}

impl pools::Manager for Maker {
    type Resource = Resource;
    type Error = Infallible;

    async fn create(&self) -> Result<Resource, Infallible> {
        Ok(Resource(1))
    }
}

fn deadpool() -> Case {
    Case::fallible("deadpool", || {
        let runtime = runtime()?;
        let pool = managed::Pool::builder(Maker).max_size(KEPT as usize).build().map_err(io::Error::other)?;
        Ok(move |ops| {
            Lap::of(|| {
                runtime.block_on(async {
                    let mut sum = 0;
                    for _ in 0..ops {
                        sum += pool.get().await.map_or(0, |resource: managed::Object<Maker>| resource.0);
                    }
                    sum
                })
            })
        })
    })
}

struct Maker;

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

fn bb8() -> Case {
    Case::fallible("bb8", || {
        let runtime = runtime()?;
        let build = bb8::Pool::builder().max_size(KEPT).test_on_check_out(false).build(Maker);
        let Ok(pool) = runtime.block_on(build);
        Ok(move |ops| {
            Lap::of(|| {
                runtime.block_on(async {
                    let mut sum = 0;
                    for _ in 0..ops {
                        sum += pool.get().await.map_or(0, |resource| resource.0);
                    }
                    sum
                })
            })
        })
    })
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
