#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod breaker;
mod cache;
mod channels;
mod context;
mod criterion_suites;
mod decode;
mod fork_join;
mod groups;
mod hedge;
mod keyed;
mod limiter;
mod objects;
mod pipeline;
mod resources;
mod retry;
mod semaphore;
mod sizes;
mod stackful;
mod store;
mod timers;
mod workers;

use std::{env, io};

use benches::board::{self, Row};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The suites, in the order of the board. A new one is a file of its own and a line here.
const ROWS: &[Row] = &[
    stackful::ROW,
    timers::ROW,
    objects::ROW,
    resources::ROW,
    workers::ROW,
    limiter::ROW,
    keyed::ROW,
    cache::ROW,
    retry::ROW,
    hedge::ROW,
    breaker::ROW,
    semaphore::ROW,
    context::ROW,
    decode::ROW,
    store::ROW,
    pipeline::ROW,
    channels::ROW,
    fork_join::ROW,
    groups::ROW,
];

/// What makes this program the scoreboard instead of criterion's suites.
const BOARD: &str = "--board";

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    // A child of the board plays a role.
    if has(BOARD) || has("--role") {
        return board::main(args.into_iter().filter(|arg| arg != BOARD), ROWS, sizes::GROWTHS);
    }
    // Started by `cargo test`, criterion runs each bench once, and the board everything at its smallest size.
    if !has("--bench") {
        board::main(args.into_iter().take(1), ROWS, sizes::GROWTHS)?;
    }
    criterion_suites::run(ROWS);
    Ok(())
}
