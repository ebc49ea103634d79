//! Queue time-out and run time-out: what starts too late is never started, what runs too long is dropped.
//!
//! `cargo run -p tidemill-pools --example deadlines`. Try: more workers, longer times.

use std::time::Duration;

use tidemill_pools::WorkerPool;

const TICK: Duration = Duration::from_millis(10);

/// A page that takes so many ticks to render.
async fn render(ticks: u32) -> String {
    tokio::time::sleep(TICK * ticks).await;
    format!("a page of {ticks} ticks")
}

async fn pages() -> Result<(), Box<dyn std::error::Error>> {
    let pool = WorkerPool::builder().workers(1).start_within(TICK * 5).run_within(TICK * 3).build(render)?;
    let mut tickets = Vec::new();
    for ticks in [2, 10, 1, 1] {
        tickets.push((ticks, pool.submit(ticks).await?));
    }
    tickets.push((4, pool.job(4).start_within(TICK * 50).run_within(TICK * 6).submit().await?)); // its own times
    for (ticks, ticket) in tickets {
        match ticket.await {
            Ok(page) => println!("{page}"),
            Err(error) => println!("{ticks} ticks: {error}"),
        }
    }
    println!("{:?}", pool.stats());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidemill_scheduler::Runtime::builder().build()?.block_on(pages())
}
