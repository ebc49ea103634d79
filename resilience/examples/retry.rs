//! A call to a server that fails for a while: classify, honour Retry-After, one deadline, one budget. Run with
//! `cargo run --example retry`.

use std::{cell::Cell, error::Error, fmt, time::Duration};

use tidemill_resilience::{Decision, Retry, RetryBudget};
use tokio::time::sleep;

const POLICY: Retry = match Retry::exponential(Duration::from_millis(20))
    .max_delay(Duration::from_millis(200))
    .attempt_timeout(Duration::from_millis(100))
    .within(Duration::from_secs(1))
    .build()
{
    Ok(policy) => policy,
    Err(_) => panic!("the policy is sound"),
};

#[derive(Debug)]
enum Failure {
    Unavailable,
    TooManyRequests { retry_after: Duration },
    Forbidden,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Error for Failure {}

fn decide(failure: &Failure) -> Decision {
    match *failure {
        Failure::Unavailable => Decision::Retry,
        Failure::TooManyRequests { retry_after } => Decision::RetryAfter(retry_after),
        Failure::Forbidden => Decision::Stop,
    }
}

/// Fails in a different way each time, then answers, then forbids.
struct Server {
    calls: Cell<u32>,
}

impl Server {
    async fn call(&self) -> Result<&'static str, Failure> {
        self.calls.set(self.calls.get() + 1);
        match self.calls.get() {
            1 => return Err(Failure::Unavailable),
            2 => sleep(Duration::from_secs(10)).await,
            3 => return Err(Failure::TooManyRequests { retry_after: Duration::from_millis(150) }),
            4 => return Ok("hello"),
            _ => return Err(Failure::Forbidden),
        }
        Err(Failure::Unavailable)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server { calls: Cell::new(0) };
    let budget = RetryBudget::new(10, 10)?;
    let retrying = POLICY.classify(decide).budget(&budget).on_retry(|attempt| match attempt.error {
        Some(error) => println!("attempt {}: {error}; again in {:?}", attempt.number, attempt.delay),
        None => println!("attempt {}: cut off; again in {:?}", attempt.number, attempt.delay),
    });
    for _ in 0..2 {
        match retrying.run(|_| server.call()).await {
            Ok(answer) => println!("answer: {answer}"),
            Err(failed) => println!("{failed}"),
        }
    }
    println!("retries left in the budget: {}", budget.left());
    Ok(())
}
