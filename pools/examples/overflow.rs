//! A sensor that reads faster than the pool can store: only the latest values count, so old ones give way.
//!
//! `cargo run -p tidemill-pools --example overflow`. Try: the other policies.

use std::time::Duration;

use tidemill_pools::{JobError, Overflow, WorkerPool};

async fn store(reading: u32) -> u32 {
    tokio::time::sleep(Duration::from_millis(20)).await;
    reading
}

async fn sensor() -> Result<(), Box<dyn std::error::Error>> {
    let pool = WorkerPool::builder()
        .workers(1)
        .queue(3)
        .overflow(Overflow::DropOldest)
        .on_shed(|reading, why| println!("reading {reading} is not stored: {why:?}"))
        .build(store)?;
    let mut tickets = Vec::new();
    for reading in 0..10 {
        tickets.push(pool.submit(reading).await?); // never waits under this policy
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for ticket in tickets {
        match ticket.await {
            Ok(reading) => println!("reading {reading} stored"),
            Err(JobError::Displaced) => {}
            Err(error) => println!("{error}"),
        }
    }
    println!("{:?}", pool.stats());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidemill_scheduler::Runtime::builder().build()?.block_on(sensor())
}
