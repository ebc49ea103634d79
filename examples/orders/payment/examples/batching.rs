//! What a batch is worth: charges per second one by one and 64 to a request, with client and provider
//! in this process.
//!
//! ```text
//! cargo run --release -p orders-payment --example batching
//! ```

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use orders_payment::{Charge, Gateway, limits, simulator::Simulator};

const SINGLE: u64 = 20_000;
const BATCHED: u64 = 200_000;
const CALLERS: u64 = 8;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    tidemill::Runtime::new()?.block_on(async {
        for _ in 0..3 {
            let provider = Simulator::builder().bind("127.0.0.1:0".parse()?).await?;
            let gateway = Gateway::builder(provider.url()).limit(10_000_000, 100_000).build()?;
            let single = timed(&gateway, SINGLE, 1).await?;
            let batched = timed(&gateway, BATCHED, limits::BATCH).await?;
            println!("one by one {single:.0} charges/s, batched {batched:.0} charges/s");
            assert_eq!(provider.ledger().charges().len() as u64, SINGLE + BATCHED);
        }
        Ok(())
    })
}

/// Charges per second when `CALLERS` tasks share `orders`, `batch` to a call.
async fn timed(gateway: &Gateway, orders: u64, batch: usize) -> Result<f64, Failure> {
    let start = Instant::now();
    let all: Arc<[Charge]> = (0..orders).map(|n| Charge::for_order(n + batch as u64 * BATCHED, 100)).collect();
    let share = (orders / CALLERS) as usize;
    let caller = |n: usize| tidemill::spawn(call(gateway.clone(), Arc::clone(&all), n * share, share, batch));
    let callers: Vec<_> = (0..CALLERS as usize).map(caller).collect();
    for caller in callers {
        caller.await??;
    }
    Ok(orders as f64 / start.elapsed().max(Duration::from_nanos(1)).as_secs_f64())
}

async fn call(gateway: Gateway, all: Arc<[Charge]>, start: usize, len: usize, batch: usize) -> Result<(), Failure> {
    for charges in all[start..start + len].chunks(batch) {
        match charges {
            [charge] => drop(gateway.charge(charge.clone()).await?),
            charges => {
                for answer in gateway.charge_batch(charges).await? {
                    answer?;
                }
            }
        }
    }
    Ok(())
}
