//! Ten thousand tasks that each make a blocking call of 100 ms, under a bound on threads.
//!
//! The bound decides how long it takes: calls / threads x 100 ms. The question is whether the bound holds, and what a
//! light task waits meanwhile: on tidemill the bound covers every thread, so that with all of them blocked a light task
//! waits for the first to return; on tokio it covers the threads of `spawn_blocking`, and the workers are beside it.
#![expect(clippy::disallowed_methods, reason = "tokio's call is what tidemill's is compared with")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    PROCS, ROUNDS,
    light::{Light, light_tasks},
};
use crate::{
    board::{Context, Row, Run},
    compare::{Contender, Figure},
    executor::{Executor, Spawner},
    executors::{Tidemill, Tokio},
    process::threads,
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "flood",
    measures: "10,000 calls that block 100 ms each, under a bound on threads, and light tasks beside them (1 per ms)",
    leaves_out: "async-executor, which has no blocking calls of its own; blocking on a disk or a socket",
    seconds: 12.0,
    in_quick: false,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 5] = [
    Figure::less("all ms"),
    Figure::less("worst ms"),
    Figure::fact("light"),
    Figure::fact("threads"),
    Figure::fact("bound"),
];

/// The bounds on threads.
const BOUNDS: [usize; 2] = [64, 2_000];

/// With so many threads, or fewer, in the first pass only.
const SLOW: usize = 64;

/// Between two light tasks.
const PAUSE: Duration = Duration::from_millis(1);

fn run(context: &Context) -> io::Result<()> {
    let (calls, nap) = context.scale.pick((10_000, 100), (2_000, 100), (200, 2));
    let nap = Duration::from_millis(nap);
    // With 64 threads a turn takes a quarter of a minute.
    for bound in BOUNDS.into_iter().filter(|bound| *bound > SLOW || context.is_first()) {
        let contenders = [
            contender::<Tidemill>(Tidemill::NAME, bound, calls, nap),
            contender::<Tokio>("tokio spawn_blocking", bound, calls, nap),
            contender::<Tidemill>("tidemill (A/A)", bound, calls, nap),
        ];
        let title = format!("{calls} calls of {nap:?}, at most {bound} threads; worst: a light task's longest wait");
        context.compare(title, &FIGURES, contenders.into(), ROUNDS / 2)?;
    }
    Ok(())
}

/// An executor with a bound on its threads, and with its own way to make a blocking call.
trait Bounded: Executor {
    /// Threads that are not under the bound.
    const BESIDE: usize;

    fn bounded(threads: usize) -> io::Result<Self>;

    fn nap(time: Duration) -> impl Future<Output = ()> + Send + 'static;
}

impl Bounded for Tidemill {
    /// The monitor.
    const BESIDE: usize = 1;

    fn bounded(threads: usize) -> io::Result<Self> {
        Self::with_threads(PROCS, threads)
    }

    async fn nap(time: Duration) {
        tidemill::blocking(|| thread::sleep(time));
    }
}

impl Bounded for Tokio {
    /// The workers.
    const BESIDE: usize = PROCS;

    fn bounded(threads: usize) -> io::Result<Self> {
        Self::with_threads(PROCS, threads)
    }

    async fn nap(time: Duration) {
        tokio::task::spawn_blocking(move || thread::sleep(time)).await.expect("a nap does not panic");
    }
}

fn contender<E: Bounded>(name: &'static str, bound: usize, calls: u64, nap: Duration) -> Contender<'static> {
    Contender::new(name, move || {
        let before = threads()?;
        let seen = flood(&E::bounded(bound)?, calls, nap)?;
        let (most, bound) = (seen.threads.saturating_sub(before), (bound + E::BESIDE) as u64);
        if most > bound {
            return Err(io::Error::other(format!("{most} threads, more than {bound}")));
        }
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        Ok([ms(seen.all), ms(seen.light.worst), seen.light.completed as f64, most as f64, bound as f64])
    })
}

struct Flood {
    /// Until the last call had returned.
    all: Duration,
    light: Light,
    /// The most threads of the process at any light task.
    threads: u64,
}

fn flood<E: Bounded>(executor: &E, calls: u64, nap: Duration) -> io::Result<Flood> {
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let count = Arc::clone(&done);
    executor.run(move |spawner| async move {
        for _ in 0..calls {
            let count = Arc::clone(&count);
            spawner.detach(async move {
                E::nap(nap).await;
                // Relaxed: see the load.
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    let mut most = 0;
    let light = light_tasks(executor, || {
        thread::sleep(PAUSE);
        most = most.max(threads()?);
        // Relaxed: the count itself is all that is read.
        Ok::<_, io::Error>(done.load(Ordering::Relaxed) < calls)
    })?;
    Ok(Flood { all: start.elapsed(), light, threads: most })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn every_call_returns<E: Bounded>() {
        let seen = flood(&E::bounded(4).unwrap(), 9, Duration::from_millis(1)).unwrap();
        // Nine calls, at most four at a time: three millisecond after millisecond.
        assert!(seen.all >= Duration::from_millis(3) && seen.threads > 0, "{}: {:?}", E::NAME, seen.all);
    }

    #[test]
    fn on_both_executors() {
        every_call_returns::<Tidemill>();
        every_call_returns::<Tokio>();
    }
}
