//! Buffers in size classes: a body of any size finds a buffer that was used before, and what is idle is given back.
//!
//! `cargo run -p tidemill-pools --example buffers`

use tidemill_pools::{BufferBuildError, BufferPool};

fn main() -> Result<(), BufferBuildError> {
    let buffers = BufferPool::builder().smallest(1 << 10).largest(1 << 20).bytes_per_class(4 << 20).build()?;

    for round in 1..=3 {
        for size in [300, 5_000, 70_000] {
            let mut body = buffers.get(size);
            body.resize(size, b'x'); // it stays within its class
        }
        println!("round {round}: {} buffers were made so far", made(&buffers));
    }

    let mut body = buffers.get(1_000);
    body.resize(30_000, b'x'); // it grows, and goes back to a larger class
    drop(body);
    drop(buffers.get(5 << 20)); // try: a larger largest class, and the giant is kept
    let stats = buffers.stats();
    println!("{} went back to another class, {} were made in all", stats.moved, made(&buffers));
    Ok(())
}

fn made(buffers: &BufferPool) -> u64 {
    buffers.stats().classes.iter().map(|(_, stats)| stats.made).sum()
}
