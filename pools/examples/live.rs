//! A pool that is looked at and changed while it runs: grown, paused, a job cancelled, its times read.
//!
//! `cargo run -p tidemill-pools --example live`. Try: `workers(1..=4)` in the place of `resize`.

use std::time::Duration;

use tidemill_pools::{Cancelled, WorkerPool};
use tokio::time::sleep;

async fn work(job: u32) -> u32 {
    sleep(Duration::from_millis(5)).await;
    job
}

async fn change() -> Result<(), Box<dyn std::error::Error>> {
    let pool = WorkerPool::builder().workers(1).build(work)?;
    for job in 0..400 {
        pool.execute(job).await?;
    }
    sleep(Duration::from_millis(50)).await;
    println!("one worker:    {:?}", pool.stats());
    pool.resize(16)?;
    sleep(Duration::from_millis(50)).await;
    println!("sixteen:       {:?}", pool.stats());
    pool.pause();
    sleep(Duration::from_millis(20)).await;
    println!("paused:        {:?}", pool.stats());

    let ticket = pool.submit(1_000).await?;
    match pool.cancel(&ticket) {
        Cancelled::Unstarted(job) => println!("job {job} is back, it never started"),
        other => println!("too late: {other:?}"),
    }
    let drained = pool.drain(Duration::from_secs(1)).await; // lifts the pause
    println!("drained:       {} finished, {} unstarted", drained.finished, drained.unstarted.len());
    println!("in the queue:  {:?}\nat work:       {:?}", pool.waits(), pool.runs());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidemill_scheduler::Runtime::builder().build()?.block_on(change())
}
