//! Calls and bytes, per second and per day: a call passes all its limits or is charged to none. Run with
//! `cargo run -p tidemill-resilience --example all_of`.

use std::{error::Error, sync::Arc};

use tidemill_resilience::{AllOf, Rate, RateLimiter};

fn main() -> Result<(), Box<dyn Error>> {
    let calls = Arc::new(RateLimiter::builder().rate(Rate::per_second(10)).burst(10).build()?);
    let bytes = Arc::new(RateLimiter::builder().rate(Rate::per_day(1_000_000)).burst(5_000).build()?);
    let limits = AllOf::builder()
        .limit("calls per second", Arc::clone(&calls))
        .limit("bytes per day", Arc::clone(&bytes))
        .build();

    for size in [3_000, 1_500, 1_000, 400] {
        match limits.try_acquire_each(&[1, size]) {
            Ok(()) => println!("{size} bytes pass"),
            Err(refused) => println!("{size} bytes do not: {refused}"),
        }
    }
    println!("three calls were charged, and what they sent: {} and {} left", calls.available(), bytes.available());
    Ok(())
}
