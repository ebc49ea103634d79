//! Select over channels, a timeout and a cancel: what in Go is
//!
//! ```go
//! select {
//! case job := <-jobs:       ..
//! case results <- result:   ..
//! case <-time.After(50 * time.Millisecond):  ..
//! case <-ctx.Done():        ..
//! }
//! ```
//!
//! `cargo run --release --example channel_select`

use std::time::Duration;

use tidemill::{Context, channel};
use tokio::time::sleep;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::background().with_timeout(Duration::from_millis(200));
    let (job, jobs) = channel::unbounded::<u32>();
    let (alarm, alarms) = channel::bounded::<&str>(0);
    tidemill::spawn(async move {
        for number in 0..3 {
            sleep(Duration::from_millis(20)).await;
            let _ = job.send(number); // fails if nobody listens any more
        }
        sleep(Duration::from_millis(70)).await;
        let _ = alarm.send_async("a door is open").await;
        std::future::pending::<()>().await; // keeps both channels open
        drop((job, alarm));
    });

    let (result, results) = channel::bounded::<u32>(0);
    let collector = tidemill::spawn(async move {
        while let Ok(square) = results.recv_async().await {
            println!("  squared: {square}");
        }
    });

    // What is to be sent; while there is something, no further job is taken.
    let mut square = None;
    loop {
        // Receiving is cancel safe: what the other branches leave in a channel stays there. So is sending a value that can be made
        // again: a send that another branch overtakes has sent nothing. `biased;` as a first line asks in the order of the
        // branches; else they are asked in a random order, as in Go.
        tokio::select! {
            job = jobs.recv_async(), if square.is_none() => {
                let job = job?;
                println!("job {job}");
                square = Some(job * job);
            }
            sent = result.send_async(square.unwrap_or_default()), if square.is_some() => {
                sent?;
                square = None;
            }
            alarm = alarms.recv_async() => println!("alarm: {}", alarm?),
            () = sleep(Duration::from_millis(50)) => println!("nothing for 50 ms"),
            cause = context.cancelled() => {
                println!("{cause}");
                break;
            }
        }
    }
    drop(result);
    collector.await?;
    Ok(())
}
