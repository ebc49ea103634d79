//! Timers: ten thousand of them set and given up, and ten thousand that fire.
//!
//! tidemill has tokio's timers, so beside tokio the executor is compared; smol has async-io's, an ordered map behind a lock.
//! Here smol is async-executor on threads that take turns in async-io's reactor, as its own global executor does.

use std::{future::poll_fn, hint::black_box, io, task::Poll, time::Duration};

use benches::{
    AsyncExecutor, Bench, Case, Executor, Form, Lap, Listed, Spawner, Tidemill, Tokio,
    board::{Row, Run},
};

pub(crate) const ROW: Row = Row {
    section: 2,
    name: "timers",
    measures: "timers of 10 s set, asked once and dropped, 10,000 at a time; tasks that each wait for a timer of 1 ms; P = 2",
    leaves_out: "how exact they are (tokio's fire at whole milliseconds, hence up to one later); long-lived timers that fire",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

/// Timers that are set at the same time.
const PENDING: u64 = 10_000;

const NEVER: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(1);

const PROCS: usize = 2;

/// Words of a boxed timer.
const TIMER: usize = 16;

/// What the workload needs from a library of timers.
trait Timers: 'static {
    /// Ends after `span`, going by the first time that it is polled or by now.
    fn after(span: Duration) -> impl Future<Output = ()> + Send + 'static;
}

struct OfTokio;

impl Timers for OfTokio {
    fn after(span: Duration) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep(span)
    }
}

struct OfAsyncIo;

impl Timers for OfAsyncIo {
    async fn after(span: Duration) {
        async_io::Timer::after(span).await;
    }
}

fn benches() -> Vec<Bench> {
    let fired =
        vec![fired::<Tidemill, OfTokio>(), fired::<Tokio, OfTokio>(), fired::<AsyncExecutor<Smol>, OfAsyncIo>()];
    vec![dropped(PENDING), Bench::counted("fired after 1 ms", PENDING, fired)]
}

/// So many at a time.
pub(crate) fn dropped(pending: u64) -> Bench {
    let cases = vec![
        set_and_drop::<Tidemill, OfTokio>(pending),
        set_and_drop::<Tokio, OfTokio>(pending),
        set_and_drop::<AsyncExecutor<Smol>, OfAsyncIo>(pending),
        Case::floor("floor: malloc + free", move || {
            let boxes = move |_| (0..pending).map(|i| black_box(Box::new([i; TIMER]))).collect::<Vec<_>>().len() as u64;
            move |ops| Lap::of(|| (0..ops.div_ceil(pending)).map(boxes).sum())
        }),
    ];
    Bench { grain: pending, ..Bench::counted(format!("set + dropped, {pending} at a time"), 10 * pending, cases) }
}

fn set_and_drop<E: Executor, T: Timers>(pending: u64) -> Case {
    Case::fallible(E::NAME, move || -> io::Result<_> {
        let executor = E::start(PROCS)?;
        Ok(move |ops: u64| {
            Lap::of(|| {
                executor.run(move |_| async move {
                    let mut given_up = 0;
                    for _ in 0..ops.div_ceil(pending) {
                        given_up += given_up_at_once::<T>(pending).await;
                    }
                    given_up
                })
            })
        })
    })
}

/// Sets timers, asks each once, and drops all; how many had not fired.
async fn given_up_at_once<T: Timers>(timers: u64) -> u64 {
    let mut set: Vec<_> = (0..timers).map(|_| Box::pin(T::after(NEVER))).collect();
    poll_fn(|cx| Poll::Ready(set.iter_mut().map(|timer| u64::from(timer.as_mut().poll(cx).is_pending())).sum())).await
}

fn fired<E: Executor, T: Timers>() -> Case {
    Case::fallible(E::NAME, || -> io::Result<_> {
        let executor = E::start(PROCS)?;
        Ok(move |ops| {
            Lap::of(|| {
                executor.run(move |spawner| async move {
                    let wait = |_| {
                        spawner.spawn(async {
                            T::after(SOON).await;
                            1
                        })
                    };
                    let waiting: Vec<_> = (0..ops).map(wait).collect();
                    let mut fired = 0;
                    for one in waiting {
                        fired += one.await;
                    }
                    fired
                })
            })
        })
    })
}

/// async-executor on threads that also turn async-io's reactor.
#[derive(Clone, Copy)]
struct Smol(Listed);

impl Form for Smol {
    const NAME: &'static str = "smol";

    fn leaked() -> Self {
        Self(Listed::leaked())
    }

    fn start<T: Send + 'static>(self, task: impl Future<Output = T> + Send + 'static) -> async_executor::Task<T> {
        self.0.start(task)
    }

    fn drive(self, until: impl Future<Output = ()>) {
        async_io::block_on(self.0.run(until));
    }
}
