//! The board: tidemill beside its peers, row by row, interleaved, as ratios. See the crate's README.
//!
//! Started by `cargo bench` it measures; started by `cargo test` it runs everything at its smallest size.

use std::io;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> io::Result<()> {
    benches::board::main()
}
