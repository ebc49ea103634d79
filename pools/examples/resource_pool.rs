//! A burst of callers on a pool of slow connections: who waits, what is made, and who is told of a leak.
//!
//! `cargo run -p tidemill-pools --example resource_pool`

use std::{convert::Infallible, sync::Arc, time::Duration};

use tidemill_pools::{GetError, Manager, ResourcePool};
use tokio::{task::JoinSet, time::sleep};

/// Connecting takes 150 ms.
struct Slow;

struct Connection;

impl Connection {
    async fn query(&mut self) {
        sleep(Duration::from_millis(2)).await;
    }
}

impl Manager for Slow {
    type Resource = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        sleep(Duration::from_millis(150)).await;
        Ok(Connection)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = ResourcePool::builder(Slow)
        .max(50)
        .min_idle(5) // try: 0, and the burst waits for the first connections
        .acquire_timeout(Duration::from_secs(1))
        .leak_after(Duration::from_millis(200))
        .on_leak(|holder| println!("suspect: {holder}"))
        .build()?;
    let pool = Arc::new(pool);
    sleep(Duration::from_millis(500)).await;
    println!("at the start: {} idle", pool.stats().idle);

    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            let mut connection = pool.get().await?;
            connection.query().await;
            Ok::<(), GetError<Infallible>>(())
        });
    }
    let failed = callers.join_all().await.into_iter().filter(Result::is_err).count();
    let stats = pool.stats();
    println!("50 callers: {failed} failed, {} connections made, waits {:?}", stats.created, stats.waits);

    let forgotten = pool.get().await?;
    sleep(Duration::from_millis(400)).await;
    pool.set_min_idle(0)?;
    pool.set_max(1)?; // all of it is the one that was forgotten
    if let Err(GetError::Timeout { waited, .. }) = pool.get().await {
        println!("nothing within {waited:?}; {}", pool.holders()[0]);
    }
    drop(forgotten);
    println!("left after the drain: {:?}", pool.drain(Duration::from_secs(1)).await);
    Ok(())
}
