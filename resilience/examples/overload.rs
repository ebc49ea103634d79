//! A retry storm that outlives its cause, and what a budget does about it: `cargo run --release --example overload`.
//!
//! Prints good answers and requests per second. With a directory as argument it also draws the good answers over time
//! (`resilience/docs/overload.svg` was made so). The same seed gives the same figures.

#[path = "overload/model.rs"]
mod model;
#[path = "plot/mod.rs"]
mod plot;

use std::{error::Error, path::Path};

use model::{CLIENTS, run};
use plot::Chart;

const SECONDS: u64 = 40;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let records = CLIENTS.map(|(name, clients)| (name, run(clients, SECONDS, SEED)));
    println!("{:>6} {}", "second", CLIENTS.map(|(name, _)| format!("{name:>20}")).concat());
    for second in 0..SECONDS as usize {
        let row =
            records.each_ref().map(|(_, record)| format!("{:>12} / {:>5}", record.good[second], record.sent[second]));
        println!("{second:>6} {}", row.concat());
    }
    println!("good answers / requests, in each second; the server is slow from second 10 to 15");
    if let Some(directory) = std::env::args().nth(1) {
        let points =
            |good: &[u32]| good.iter().zip(0u32..).map(|(&good, at)| (f64::from(at), f64::from(good))).collect();
        let series = records.iter().map(|(name, record)| (*name, points(&record.good))).collect();
        let title = "Good answers per second; the server is slow from 10 s to 15 s";
        let chart = Chart { title, x: "seconds", y: "good answers per second", log: false, series };
        chart.write(&Path::new(&directory).join("overload.svg"))?;
    }
    Ok(())
}
