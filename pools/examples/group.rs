//! Parts of one download: all or nothing, so the first part that fails cancels the others.
//!
//! `cargo run -p tidemill-pools --example group`. Try: let no part fail.

use std::time::Duration;

use tidemill_pools::WorkerPool;

async fn part(number: u64) -> Result<String, String> {
    tokio::time::sleep(Duration::from_millis(10 * number)).await;
    if number == 3 { Err("part 3: checksum".to_owned()) } else { Ok(format!("part {number}")) }
}

async fn download() -> Result<(), Box<dyn std::error::Error>> {
    let pool = WorkerPool::builder().workers(4).failed_when(Result::is_err).build(part)?;
    for parts in [0..3, 0..9] {
        let mut group = pool.group();
        for number in parts {
            group.submit(number).await?;
        }
        match group.join().await {
            Ok(parts) => println!("all there, in order: {parts:?}"),
            Err(failure) => {
                println!("{failure}");
                failure.results.iter().for_each(|result| println!("  {result:?}"));
            }
        }
    }
    println!("{:?}", pool.stats());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tidemill_scheduler::Runtime::builder().build()?.block_on(download())
}
