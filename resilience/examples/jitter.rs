//! Which jitter? Clients that contend for one record, by Amazon's model: `cargo run --release --example jitter`.
//!
//! Prints calls and time per strategy. With a directory as argument it also draws both against the number of clients
//! (`resilience/docs/jitter-calls.svg` and `jitter-time.svg` were made so).

#[path = "jitter/model.rs"]
mod model;
#[path = "plot/mod.rs"]
mod plot;

use std::{error::Error, path::Path};

use model::{Cost, STRATEGIES, mean};
use plot::Chart;

const RUNS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:>8} {}", "clients", STRATEGIES.map(|(name, _)| format!("{name:>16}")).concat());
    let clients: Vec<u32> = [1, 5].into_iter().chain((10..=100).step_by(10)).collect();
    let mut costs: Vec<[Cost; STRATEGIES.len()]> = Vec::new();
    for &clients in &clients {
        let row = STRATEGIES.map(|(_, jitter)| mean(clients, jitter, RUNS));
        println!("{clients:>8} {}", row.map(|cost| format!("{:>8.0} / {:>5.0}", cost.calls, cost.millis)).concat());
        costs.push(row);
    }
    println!("calls / milliseconds until every client has written, means of {RUNS} runs");
    if let Some(directory) = std::env::args().nth(1) {
        draw(Path::new(&directory), &clients, &costs)?;
    }
    Ok(())
}

fn draw(directory: &Path, clients: &[u32], costs: &[[Cost; STRATEGIES.len()]]) -> Result<(), Box<dyn Error>> {
    let chart = |title, y, of: fn(&Cost) -> f64| {
        let points = |at: usize| clients.iter().zip(costs).map(|(&n, row)| (f64::from(n), of(&row[at]))).collect();
        let series = STRATEGIES.iter().enumerate().map(|(at, (name, _))| (*name, points(at)));
        Chart { title, x: "clients", y, log: y == "ms", series: series.collect() }
    };
    let calls = chart("Calls until every client has written", "calls", |cost| cost.calls);
    let time = chart("Time until every client has written", "ms", |cost| cost.millis);
    calls.write(&directory.join("jitter-calls.svg"))?;
    time.write(&directory.join("jitter-time.svg"))
}
