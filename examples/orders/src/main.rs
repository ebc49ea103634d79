//! The `orders` command: see `orders --help` and the README.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mimalloc::MiMalloc;
use tidemill::profiling::CountingAlloc;

/// Counting costs a few nanoseconds per allocation and lets `/debug/vars` tell what an order costs.
#[global_allocator]
static ALLOCATOR: CountingAlloc<MiMalloc> = CountingAlloc::new(MiMalloc);

fn main() -> ExitCode {
    orders::cli::main()
}
