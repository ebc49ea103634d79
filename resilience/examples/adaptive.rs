//! How an adaptive limit follows a server, drawn: `cargo run -p tidemill-resilience --example adaptive`.
//!
//! The server is a model with 40 workers of 10 ms each; after a minute it loses 30 of them, and after another gets them back.
//! More calls are wanted than fit, always. Time is virtual, so the three minutes pass in a moment.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    time::Duration,
};

use tidemill_resilience::{AdaptiveLimit, AdaptivePermit, Clock, Gradient2, LimitAlgorithm, ManualClock, Vegas};

const MS: Duration = Duration::from_millis(1);
const SERVICE: Duration = Duration::from_millis(10);
const ROW: Duration = Duration::from_secs(5);

/// Workers at that time.
fn workers(now: Duration) -> usize {
    if (60..120).contains(&now.as_secs()) { 10 } else { 40 }
}

fn simulate(name: &str, algorithm: impl LimitAlgorithm + 'static) -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new();
    let builder = AdaptiveLimit::builder(algorithm).initial(20).range(2, 200).window(10, 100 * MS).seed(1);
    let limit = builder.clock(clock.clone()).build()?;
    let mut queue: VecDeque<AdaptivePermit<'_, ManualClock>> = VecDeque::new();
    let mut busy: BTreeMap<(Duration, u64), AdaptivePermit<'_, ManualClock>> = BTreeMap::new();
    let (mut number, mut next_row) = (0, Duration::ZERO);
    println!("{name}: limit (*) and workers (|)");
    while clock.now() < 3 * 60 * Duration::from_secs(1) {
        while let Ok(permit) = limit.try_acquire() {
            queue.push_back(permit);
        }
        while busy.len() < workers(clock.now())
            && let Some(permit) = queue.pop_front()
        {
            busy.insert((clock.now() + SERVICE, number), permit);
            number += 1;
        }
        let Some(((ends, _), permit)) = busy.pop_first() else { break };
        clock.set(ends);
        permit.success();
        if clock.now() >= next_row {
            next_row += ROW;
            draw(clock.now(), limit.limit(), workers(clock.now()));
        }
    }
    Ok(())
}

fn draw(now: Duration, limit: u32, workers: usize) {
    let (star, bar) = (limit as usize, workers);
    let line: String = (0..=star.max(bar))
        .map(|at| {
            if at == star {
                '*'
            } else if at == bar {
                '|'
            } else {
                ' '
            }
        })
        .collect();
    println!("{:>4} s {limit:>4} {line}", now.as_secs());
}

fn main() -> Result<(), Box<dyn Error>> {
    simulate("Gradient2", Gradient2::default())?;
    simulate("Vegas", Vegas::default())
}
