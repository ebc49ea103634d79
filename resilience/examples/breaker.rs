//! A breaker through an outage: `cargo run -p tidemill-resilience --example breaker`.
//!
//! The server is down from the second to the fifth second; each call says what became of it, each transition why it happened.
//! Time is virtual.

use std::{error::Error, time::Duration};

use tidemill_resilience::{CallError, CircuitBreaker, Clock, ManualClock};

const STEP: Duration = Duration::from_millis(250);

fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder()
        .failure_rate(50)
        .last_time(Duration::from_secs(2))
        .min_calls(4)
        .open_for(Duration::from_secs(1))
        .probes(2)
        .on_transition(|to| {
            println!("        {:?} -> {:?}: {:?}, open for {:?}", to.from, to.to, to.reason, to.open_for);
        })
        .clock(clock.clone())
        .build()?;
    while clock.now() < Duration::from_secs(8) {
        let is_down = (2..5).contains(&clock.now().as_secs());
        let answer = breaker.call_blocking(|| if is_down { Err("down") } else { Ok("fine") });
        let said = match answer {
            Ok(answer) => answer.to_owned(),
            Err(CallError::Failed(error)) => error.to_owned(),
            Err(CallError::Open(open)) => format!("not tried: {open}"),
        };
        println!("{:>4} ms {said}", clock.now().as_millis());
        clock.advance(STEP);
    }
    println!("{:?}", breaker.snapshot());
    Ok(())
}
