//! A concurrent map over a stream: orders come when they come, three are worked on at a time, and answers keep their order.
//!
//! `cargo run --release --example concurrent_stream`

use std::{
    future::ready,
    time::{Duration, Instant},
};

use tidemill::{channel, groups::map_concurrent_stream};

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let (sender, orders) = channel::bounded(2);
    tidemill::spawn(async move {
        for order in 1..=9 {
            if sender.send_async(order).await.is_err() {
                break; // nobody wants orders any more
            }
        }
    });

    // No more than three are pulled ahead of the consumer, so that the sender is held up rather than the memory filled.
    let mut answers = map_concurrent_stream(orders.into_stream(), 3, work)?; // try: 1, or 9
    while let Some(answer) = answers.next().await {
        println!("{:4} ms: {}", start.elapsed().as_millis(), answer?);
        ready(()).await; // a busy consumer holds up nobody
    }
    Ok(())
}

async fn work(order: u64) -> Result<String, std::io::Error> {
    tokio::time::sleep(Duration::from_millis(10 * (10 - order))).await; // the first take longest
    Ok(format!("order {order} is done"))
}
