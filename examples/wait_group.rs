//! A wait group: counts what is under way, and waits until nothing is; from tasks and from threads.
//!
//! `cargo run --release --example wait_group`

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tidemill::WaitGroup;

#[tidemill::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (group, sum) = (WaitGroup::new(), Arc::new(AtomicU64::new(0)));
    for number in 1..=1_000 {
        let sum = Arc::clone(&sum);
        group.spawn(async move {
            sum.fetch_add(number, Ordering::Relaxed);
        })?;
    }
    let guard = group.guard(); // counts until it is dropped, wherever that is
    let thread = thread::spawn(move || {
        let _guard = guard;
        thread::current().id()
    });
    group.wait().await?;
    println!("{} by 1,000 tasks and a thread", sum.load(Ordering::Relaxed));
    println!("it was {:?}", thread.join().map_err(|_| "the thread panicked")?);
    Ok(())
}
