//! Priorities, and tenants who take turns: one tenant's flood does not hold up another's few jobs.
//!
//! `cargo run -p tidemill-pools --example tenants`. Try: a weight for "small", all jobs of one priority.

use std::{
    future::pending,
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use tidemill_pools::{Priority, WorkerPool};

async fn mail() -> Result<(), Box<dyn std::error::Error>> {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&sent);
    let pool = WorkerPool::builder().workers(1).build_sync(move |letter: String| {
        sink.lock().expect("no job panics").push(letter);
    })?;
    pool.pause(); // so that all have queued before the first starts
    for number in 0..8 {
        pool.job(format!("flood {number}")).tenant("flood").execute().await?;
    }
    for number in 0..3 {
        pool.job(format!("small {number}")).tenant("small").execute().await?;
        pool.job(format!("paying {number}"))
            .weighted_tenant("paying", NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN))
            .execute()
            .await?;
    }
    pool.job("password reset".to_owned()).priority(Priority::Urgent).execute().await?;
    pool.job("newsletter".to_owned()).priority(Priority::Low).execute().await?;
    pool.drain_until(pending()).await; // lifts the pause
    println!("{}", sent.lock().expect("no job panics").join("\n"));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidemill_scheduler::Runtime::builder().build()?.block_on(mail())
}
