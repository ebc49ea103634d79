//! A task group: the first error cancels the rest, and is what comes out.
//!
//! `cargo run --release --example task_group`

use std::time::Duration;

use tidemill::TaskGroup;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let group = TaskGroup::new();
    for shelf in 1..=5 {
        group.spawn(count(shelf)).await?;
    }
    let error = group.wait().await.expect_err("shelf 3 is empty");
    println!("{error}"); // child 2: shelf 3 is empty (and 4 cancelled)

    // Supervised children leave each other alone, and every outcome is kept.
    let group = TaskGroup::builder().supervise().timeout(Duration::from_secs(5)).build()?;
    for shelf in 1..=5 {
        group.spawn(count(shelf)).await?;
    }
    for (shelf, outcome) in (1..).zip(group.outcomes().await) {
        match outcome {
            Ok(books) => println!("shelf {shelf}: {books} books"),
            Err(failure) => println!("shelf {shelf}: {failure}"),
        }
    }
    Ok(())
}

async fn count(shelf: u64) -> Result<u64, String> {
    tokio::time::sleep(Duration::from_millis(10 * shelf.abs_diff(3))).await;
    if shelf == 3 { Err(format!("shelf {shelf} is empty")) } else { Ok(shelf * 40) }
}
