//! A task may block. Two tasks sleep in the kernel on a runtime of two, and a light task goes round beside them.
//!
//! `cargo run --release --example blocking`

use std::thread;
use std::time::{Duration, Instant};

use tidemill::{Procs, Runtime, spawn, yield_now};

fn main() -> std::io::Result<()> {
    let rt = Runtime::builder().procs(Procs::Fixed(2)).build()?;
    for _ in 0..2 {
        rt.spawn(async {
            loop {
                thread::sleep(Duration::from_millis(50)); // not marked, not awaited: the thread is gone for 50 ms
                yield_now().await;
            }
        });
    }
    let (rounds, worst) = rt.block_on(rt.spawn(light(Duration::from_secs(2)))).expect("the light task does not panic");
    println!("{rounds} light tasks in 2 s, the slowest took {worst:?}");
    println!("{:#?}", rt.metrics());
    Ok(())
}

/// Spawns and joins one small task after the other.
async fn light(time: Duration) -> (u64, Duration) {
    let (start, mut rounds, mut worst) = (Instant::now(), 0, Duration::ZERO);
    while start.elapsed() < time {
        let asked = Instant::now();
        spawn(async {}).await.expect("an empty task does not panic");
        worst = worst.max(asked.elapsed());
        rounds += 1;
    }
    (rounds, worst)
}
