//! A concurrent map: four at a time, results in order, and the others go on while the consumer is busy.
//!
//! `cargo run --release --example concurrent_map`

use std::{
    thread,
    time::{Duration, Instant},
};

use tidemill::groups::map_concurrent;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut pages = map_concurrent(1..=12, 4, fetch)?;
    while let Some(page) = pages.next().await {
        println!("{:4} ms: {}", start.elapsed().as_millis(), page?);
        thread::sleep(Duration::from_millis(10)); // a busy consumer: what is fetched meanwhile is not held up
    }
    Ok(())
}

async fn fetch(page: u64) -> Result<String, std::io::Error> {
    tokio::time::sleep(Duration::from_millis(60 - 5 * page)).await;
    Ok(format!("page {page}"))
}
