//! Profiles two busy threads and writes `flamegraph.svg`:
//! `cargo run --release -p tidemill-profiling --example flamegraph -- flamegraph.svg`.

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tidemill_profiling::CpuProfiler;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "flamegraph.svg".to_owned());
    let profiler = CpuProfiler::start(250)?;
    std::thread::scope(|scope| {
        scope.spawn(|| for_a_while(count_words));
        scope.spawn(|| for_a_while(sort_numbers));
    });
    let profile = profiler.stop()?;

    let stacks = profile.stacks();
    println!("{} samples in {:.1?}; most time in:", stacks.samples(), profile.duration());
    for (function, samples) in stacks.top_self(8) {
        println!("{samples:>6}  {function}");
    }
    profile.write_svg("two busy threads", File::create(&path)?)?;
    println!("wrote {path}");
    Ok(())
}

fn for_a_while(work: fn()) {
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        work();
    }
}

#[inline(never)]
fn count_words() {
    let mut counts = HashMap::<String, u32>::new();
    for word in include_str!("flamegraph.rs").split_whitespace() {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    black_box(counts);
}

#[inline(never)]
fn sort_numbers() {
    let mut random = 1_u64;
    let mut numbers: Vec<u64> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random
    })
    .take(10_000)
    .collect();
    numbers.sort_unstable();
    black_box(numbers);
}
