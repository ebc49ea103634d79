#![doc = include_str!("../README.md")]

mod counting;
mod paths;

use std::{env, hint::black_box, process::ExitCode};

use paths::{PATHS, Path};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Operations of a lap: so many that what is done once per lap does not show.
const OPS: u64 = 20_000;

/// Not measured: lazy statics, pools and queues fill up.
const WARM_UP: u64 = 2_000;

/// Prints the number of operations of a lap, then each path's name and its allocations in that many operations. A lap is a
/// call of [`gate_lap`], which callgrind is told to look for.
fn main() -> ExitCode {
    let only = env::args().nth(1);
    println!("{OPS}");
    for Path { name, start } in PATHS.iter().filter(|path| only.as_ref().is_none_or(|only| only == path.name)) {
        let mut path = start();
        path(WARM_UP);
        let before = counting::allocations();
        gate_lap(&mut *path, OPS);
        println!("{name} {}", counting::allocations() - before);
    }
    ExitCode::SUCCESS
}

/// callgrind writes its counters down and begins at zero whenever this function is entered, and [`gate_end`]: the names are in
/// `xtask/src/gate/count.rs` too.
#[inline(never)]
fn gate_lap(path: &mut dyn FnMut(u64), ops: u64) {
    path(black_box(ops));
    gate_end(ops);
}

#[inline(never)]
fn gate_end(ops: u64) {
    black_box(ops);
}
