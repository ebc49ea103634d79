//! A worker pool under more work than it can take: back-pressure, refusals, a panic, and a drain that runs out of patience.
//!
//! `cargo run -p tidemill-pools --example worker_pool`

use std::time::Duration;

use tidemill_pools::{JobError, WorkerPool};
use tokio::time::sleep;

/// What one worker does with one job. Try: more workers, a shorter queue, another panic.
async fn resize(picture: u32) -> String {
    sleep(Duration::from_millis(20)).await;
    assert_ne!(picture, 3, "picture 3 is broken");
    format!("thumbnail {picture}")
}

async fn thumbnails() -> Result<(), Box<dyn std::error::Error>> {
    let pool = WorkerPool::builder().workers(2).queue(3).build(resize)?;
    println!("on {:?}", pool.spawner());

    let mut tickets = Vec::new();
    for picture in 0..6 {
        tickets.push(pool.submit(picture).await?); // waits whenever two run and three are queued
    }
    let extra = (6..100).take_while(|picture| pool.try_execute(*picture).is_ok()).count();
    println!("{extra} more found a place, the next was given back");

    for ticket in tickets {
        match ticket.await {
            Ok(name) => println!("{name}"),
            Err(JobError::Panicked(panic)) => println!("a job panicked: {}", panic.message()),
            Err(error) => println!("{error}"),
        }
    }

    for picture in 10..15 {
        pool.execute(picture).await?;
    }
    let drained = pool.drain(Duration::from_millis(30)).await;
    println!(
        "finished {}, still running {}, never started: {:?}",
        drained.finished, drained.running, drained.unstarted
    );
    println!("{:?}", pool.stats());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidemill_scheduler::Runtime::builder().build()?.block_on(thumbnails())
}
