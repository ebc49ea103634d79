//! One limit for all processes that share a Redis. Start it twice, with a Redis at hand:
//! `cargo run -p tidemill-resilience --features redis --example limiter_redis -- redis+unix:///path/to/redis.sock`.

use std::{env, error::Error, time::Duration};

use redis::Client;
use tidemill_resilience::{OnFailure, Rate, RedisRateLimiter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("the address of a Redis is missing")?;
    let connection = Client::open(address)?.get_multiplexed_async_connection().await?;
    let limiter = RedisRateLimiter::builder(connection)
        .rate(Rate::per_second(5))
        .burst(10)
        .on_failure(OnFailure::Local { rate: Rate::per_second(1), burst: 1 })
        .build()?;

    for call in 1..=20 {
        let decision = limiter.acquire_within("example", 1, Duration::from_secs(10)).await?;
        println!("call {call} passes by {:?}, {} are left", decision.source, decision.remaining);
    }
    Ok(())
}
