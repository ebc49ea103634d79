//! A child that is ended alone, and a part of one that nobody may cut.
//!
//! `cargo run --release --example abort_child`

use std::time::Duration;

use tidemill::{
    TaskGroup,
    groups::{Failure, shield},
};
use tokio::time::sleep;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let group = TaskGroup::<&str, std::io::Error>::new();
    group.spawn(async { Ok("the report") }).await?;
    let search = group.spawn_abortable(std::future::pending()).await?;
    group
        .spawn(async {
            shield(async {
                sleep(Duration::from_millis(50)).await; // try: without the shield
                println!("the file is written to its end");
            })
            .await;
            std::future::pending().await // here it is dropped
        })
        .await?;

    sleep(Duration::from_millis(10)).await;
    search.abort(); // the others go on: somebody wanted it so, which is no failure
    group.cancel("the user has closed the window");
    for (child, outcome) in group.outcomes().await.into_iter().enumerate() {
        match outcome {
            Ok(value) => println!("child {child}: {value}"),
            Err(Failure::Aborted) => println!("child {child}: aborted"),
            Err(failure) => println!("child {child}: {failure}"),
        }
    }
    Ok(())
}
