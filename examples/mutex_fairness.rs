//! Who gets a contended mutex, how often, and how long the unluckiest waits: std, parking_lot, tokio, async-lock.
//!
//! `cargo run --release --example mutex_fairness [milliseconds]`
//!
//! What the columns mean, and how Go's mutex does it, is in `benches/MUTEX.md`. Blocking locks are taken by threads,
//! async ones by tasks of tidemill. Every contender notes how often it had the lock and its longest wait.

use std::{
    fmt,
    future::Future,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tidemill::{Procs, Runtime};

/// Who contends, and how.
struct Scene {
    name: &'static str,
    /// For each contender: how long it holds the lock, and how long it stays away from it.
    contenders: &'static [(Duration, Duration)],
}

const SCENES: &[Scene] = &[
    Scene {
        name: "four that hold it for 5 us and come back at once",
        contenders: &[(Duration::from_micros(5), Duration::ZERO); 4],
    },
    Scene {
        name: "a holder of 100 us that comes back at once, against one that asks every 100 us (golang/go#13086)",
        contenders: &[
            (Duration::from_micros(100), Duration::ZERO),
            (Duration::from_micros(1), Duration::from_micros(100)),
        ],
    },
];

fn main() -> std::io::Result<()> {
    let millis = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(500);
    let time = Duration::from_millis(millis);
    let runtime = Runtime::builder().procs(Procs::Fixed(2)).build()?;
    for scene in SCENES {
        println!("\n{}\n{:14}{:>9}  {:32}{:>16}", scene.name, "", "in all", "each", "longest wait");
        let lock = std::sync::Mutex::new(());
        row("std", &threads(scene, time, |f| with_held(lock.lock(), f)));
        let lock = parking_lot::Mutex::new(());
        row("parking_lot", &threads(scene, time, |f| with_held(lock.lock(), f)));
        row("tokio", &tasks(&runtime, scene, time, tokio::sync::Mutex::new(())));
        row("async-lock", &tasks(&runtime, scene, time, async_lock::Mutex::new(())));
    }
    Ok(())
}

/// What one contender notes.
#[derive(Clone, Copy, Default)]
struct Tally {
    acquired: u64,
    longest: Duration,
}

impl Tally {
    fn note(&mut self, wait: Duration) {
        self.acquired += 1;
        self.longest = self.longest.max(wait);
    }
}

fn row(name: &str, tallies: &[Tally]) {
    let total: u64 = tallies.iter().map(|tally| tally.acquired).sum();
    let each = tallies.iter().map(|tally| tally.acquired.to_string()).collect::<Vec<_>>().join(" ");
    let longest = tallies.iter().map(|tally| tally.longest).max().unwrap_or_default();
    println!("{name:14}{total:9}  {each:32}{:>16}", Micros(longest).to_string());
}

struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} us", self.0.as_secs_f64() * 1e6)
    }
}

/// Threads that contend for a lock; `with` runs what it is given while it holds it.
fn threads(scene: &Scene, time: Duration, with: impl Fn(&mut dyn FnMut()) + Sync) -> Vec<Tally> {
    let end = Instant::now() + time;
    let contend = |(hold, away): (Duration, Duration)| {
        let mut tally = Tally::default();
        while Instant::now() < end {
            let asked = Instant::now();
            with(&mut || {
                tally.note(asked.elapsed());
                spin(hold);
            });
            spin(away);
        }
        tally
    };
    thread::scope(|scope| {
        let threads: Vec<_> = scene.contenders.iter().map(|&times| scope.spawn(move || contend(times))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no contender panics")).collect()
    })
}

/// Runs `f`, and gives the lock back after it.
fn with_held<G>(held: G, f: &mut dyn FnMut()) {
    f();
    drop(held);
}

/// An async lock.
trait Lock: Send + Sync + 'static {
    fn with(&self, f: impl FnMut() + Send) -> impl Future<Output = ()> + Send;
}

impl Lock for tokio::sync::Mutex<()> {
    async fn with(&self, mut f: impl FnMut() + Send) {
        let _held = self.lock().await;
        f();
    }
}

impl Lock for async_lock::Mutex<()> {
    async fn with(&self, mut f: impl FnMut() + Send) {
        let _held = self.lock().await;
        f();
    }
}

/// As `threads`, with tasks.
fn tasks(runtime: &Runtime, scene: &Scene, time: Duration, lock: impl Lock) -> Vec<Tally> {
    let (lock, end) = (Arc::new(lock), Instant::now() + time);
    let contend = |(hold, away): (Duration, Duration)| {
        let lock = Arc::clone(&lock);
        async move {
            let mut tally = Tally::default();
            while Instant::now() < end {
                let asked = Instant::now();
                lock.with(|| {
                    tally.note(asked.elapsed());
                    spin(hold);
                })
                .await;
                spin(away);
            }
            tally
        }
    };
    let tasks: Vec<_> = scene.contenders.iter().map(|&times| runtime.spawn(contend(times))).collect();
    tasks.into_iter().map(|task| runtime.block_on(task).expect("no contender panics")).collect()
}

/// Uses the CPU for that long: what holds a lock works.
fn spin(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}
