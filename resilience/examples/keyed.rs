//! A limit per customer, two plans, and a flood of made-up customers that costs nothing. Run with `cargo run --example keyed`.

use tidemill_resilience::{InvalidLimiter, KeyedRateLimiter, Rate};

fn main() -> Result<(), InvalidLimiter> {
    let limiter = KeyedRateLimiter::<str>::builder()
        .rate(Rate::per_minute(60))
        .burst(5)
        .plan(Rate::per_minute(6_000), 100)
        .plan_of(|customer| usize::from(customer.ends_with("@premium")))
        .max_keys(1_000)
        .build()?;

    for customer in ["ann", "bob@premium"] {
        let passed = (0..200).filter(|_| limiter.try_acquire(customer, 1).is_ok()).count();
        println!("{customer}: {passed} of 200 requests pass at once");
    }

    let before = limiter.table_bytes();
    for number in 0..100_000 {
        let _ = limiter.try_acquire(&format!("made-up customer {number}"), 1);
    }
    println!("after 100,000 made-up customers: {} keys, {} KiB, as before: {}", limiter.keys(), before / 1024, {
        limiter.table_bytes() == before
    });
    match limiter.try_acquire("ann", 5) {
        Err(refused) => println!("and ann is still told: {refused}"),
        Ok(()) => println!("and ann was let off"),
    }
    Ok(())
}
