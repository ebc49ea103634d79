//! What counting costs: the same blocks from the system allocator, bare and counted, A B B A, on one and
//! on two threads. `cargo run --release -p tidemill-profiling --example counting_cost`.
#![allow(unsafe_code)] // Both allocators are called directly, so that one program can compare them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

use tidemill_profiling::CountingAlloc;

const PAIRS: u32 = 2_000_000;
const BLOCKS: usize = 21;
const SIZE: Layout = Layout::new::<[u8; 128]>();

fn main() {
    let counted = CountingAlloc::new(System);
    println!("alloc + free of {} bytes, median of {BLOCKS} runs of {PAIRS}", SIZE.size());
    for threads in [1, 2] {
        let mut nanos = [Vec::new(), Vec::new()];
        for block in 0..BLOCKS {
            let order = if block % 2 == 0 { [0, 1, 1, 0] } else { [1, 0, 0, 1] };
            for which in order {
                nanos[which].push(if which == 0 { run(&System, threads) } else { run(&counted, threads) });
            }
        }
        let [bare, counted] = nanos.map(median);
        println!(
            "{threads} thread(s): bare {bare:.2} ns, counted {counted:.2} ns, so {:.2} ns per operation",
            (counted - bare) / 2.0
        );
    }
}

/// Nanoseconds per pair on each of `threads` threads.
fn run<A: GlobalAlloc + Sync>(allocator: &A, threads: u32) -> f64 {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..PAIRS).for_each(|_| pair(allocator)));
        }
    });
    started.elapsed().as_secs_f64() * 1e9 / f64::from(PAIRS)
}

fn pair(allocator: &impl GlobalAlloc) {
    // SAFETY: the layout is not empty.
    let block = black_box(unsafe { allocator.alloc(SIZE) });
    // SAFETY: the block was just allocated here with this layout, or is null, which `free` accepts.
    unsafe { allocator.dealloc(block, SIZE) };
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
