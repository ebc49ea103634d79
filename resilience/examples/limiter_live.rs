//! A limit that a server changes while callers wait: a new rate, a pause, tokens held and given back. Run with
//! `cargo run -p tidemill-resilience --example limiter_live`.

use std::{error::Error, time::Duration};

use tidemill_resilience::{Rate, RateLimiter};
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let limiter = RateLimiter::builder().rate(Rate::per_minute(1)).burst(10).build()?;

    let held = limiter.try_reserve(8)?;
    println!("8 of 10 tokens held: {} are left", limiter.available());
    held.commit_part(5);
    println!("5 of them spent, the rest given back: {} are left", limiter.available());

    limiter.drain_to(0);
    let start = Instant::now();
    let change = async {
        tokio::task::yield_now().await;
        limiter.change(Rate::per_second(100), 10)
    };
    let (waited, changed) = tokio::join!(limiter.acquire(1), change);
    waited?;
    changed?;
    println!("who waited for a minute was let through after {:?}, at the new rate", start.elapsed());

    limiter.pause(Duration::from_millis(30));
    let start = Instant::now();
    limiter.acquire(1).await?;
    println!("and after a pause of 30 ms: {:?}", start.elapsed());
    Ok(())
}
