//! An object pool of buffers shared by two threads: what is made, what is used again, what is not kept.
//!
//! `cargo run -p tidemill-pools --example object_pool`

use std::thread;

use tidemill_pools::{ObjectBuildError, ObjectPool};

fn main() -> Result<(), ObjectBuildError> {
    let buffers = ObjectPool::builder(|| Vec::<u8>::with_capacity(1024))
        .capacity(16)
        .reset(Vec::clear)
        .keep_if(|buffer| buffer.capacity() <= 4096) // try: let giants stay
        .build()?;

    thread::scope(|scope| {
        for number in 0..2 {
            let buffers = &buffers;
            scope.spawn(move || {
                for _ in 0..10_000 {
                    let mut buffer = buffers.get();
                    buffer.extend_from_slice(b"a message");
                }
                println!("thread {number}: {:?}", buffers.stats());
            });
        }
    });

    buffers.get().extend_from_slice(&[0; 5000]);
    println!("after a giant:  {:?}", buffers.stats());

    let kept = buffers.get().detach();
    println!("after a detach: {:?}, {} bytes are ours now", buffers.stats(), kept.capacity());
    Ok(())
}
