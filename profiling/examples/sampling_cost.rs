//! What one sample costs the thread it hits, by the depth of its stack:
//! `cargo run --release -p tidemill-profiling --example sampling_cost`.
#![allow(unsafe_code)] // Signals are raised by hand, so that their number and the stack are known.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tidemill_profiling::CpuProfiler;

const SAMPLES: u32 = 2000;
/// Too slow to fire by itself while this runs.
const HZ: u32 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for depth in [1, 20, 40] {
        let before = Instant::now();
        let profiler = CpuProfiler::start(HZ)?;
        let start = before.elapsed();
        let per_sample = at_depth(depth);
        let before = Instant::now();
        let profile = profiler.stop()?;
        let stop = before.elapsed();
        let stacks = profile.stacks().iter().map(|(stack, _)| stack.split(';').count());
        let frames = stacks.max().unwrap_or_default();
        println!("{frames} functions deep: {per_sample:.1?} per sample, start {start:.1?}, stop {stop:.1?}");
    }
    Ok(())
}

#[inline(never)]
fn at_depth(depth: u32) -> Duration {
    if depth == 0 {
        return sample_here();
    }
    black_box(at_depth(black_box(depth) - 1))
}

#[inline(never)]
fn sample_here() -> Duration {
    let before = Instant::now();
    for _ in 0..SAMPLES {
        // SAFETY: raising a signal has no precondition; the running profiler has a handler for it.
        unsafe { libc::raise(libc::SIGPROF) };
    }
    before.elapsed() / SAMPLES
}
