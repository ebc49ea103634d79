//! A limiter in a service: refuse, wait in order, or give up before waiting. Run with `cargo run --example limiter`.

use std::{error::Error, sync::Arc, time::Duration};

use tidemill_resilience::{Rate, RateLimiter, Refused};
use tokio::{task::JoinSet, time::Instant};

/// Ten tokens at once, then one every 10 ms.
fn limiter() -> Result<RateLimiter, Box<dyn Error>> {
    Ok(RateLimiter::builder().rate(Rate::per_second(100)).burst(10).max_waiters(100).build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let limiter = Arc::new(limiter()?);

    let let_through = (0..15).filter(|_| limiter.try_acquire(1).is_ok()).count();
    println!("15 requests at once: {let_through} pass");
    if let Err(refused @ Refused::Later { retry_after }) = limiter.try_acquire(1) {
        println!("the next is told: {refused} (as a header: Retry-After: {})", retry_after.as_secs() + 1);
    }

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (name, tokens) in [("report", 8), ("click", 1), ("click", 1)] {
        let limiter = limiter.clone();
        tasks.spawn(async move {
            let result = limiter.acquire(tokens).await;
            (name, tokens, result)
        });
    }
    while let Some(task) = tasks.join_next().await {
        let (name, tokens, result) = task?;
        result?;
        println!("{name} ({tokens} tokens) passes after {:?}, in the order of arrival", start.elapsed());
    }

    let start = Instant::now();
    match limiter.acquire_within(10, Duration::from_millis(20)).await {
        Err(refused) => println!("20 ms do not suffice for 10 tokens, said after {:?}: {refused}", start.elapsed()),
        Ok(()) => println!("10 tokens were there"),
    }
    Ok(())
}
