//! Hand-off: what a stuck poll loses, when, and how it is counted; how many threads that takes, and how they go again.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use common::{builder, eventually, runtime};
use tidemill_scheduler::{Builder, JoinHandle, Metrics, Runtime, block_on, blocking, spawn};

/// The ways of a poll to get stuck until it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hog {
    Marked,
    Asleep,
    Burning,
}

impl Hog {
    const ALL: [Self; 3] = [Self::Marked, Self::Asleep, Self::Burning];

    fn hold(self, inside: &mpsc::Sender<()>, released: &mpsc::Receiver<()>) {
        let enter = || inside.send(()).unwrap();
        match self {
            Self::Marked => blocking(|| {
                enter();
                let _ = released.recv();
            }),
            Self::Asleep => {
                enter();
                let _ = released.recv();
            }
            Self::Burning => {
                enter();
                while let Err(mpsc::TryRecvError::Empty) = released.try_recv() {}
            }
        }
    }

    /// A task that is stuck when this returns, and until the sender is dropped.
    fn start(self, rt: &Runtime) -> (mpsc::Sender<()>, JoinHandle<()>) {
        let (inside, is_inside) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let task = rt.spawn(async move { self.hold(&inside, &released) });
        is_inside.recv().unwrap();
        (release, task)
    }

    fn end(rt: &Runtime, (release, task): (mpsc::Sender<()>, JoinHandle<()>)) {
        drop(release);
        rt.block_on(task).unwrap();
    }
}

/// Marked, blocked, burning.
fn retakes(metrics: &Metrics) -> [u64; 3] {
    [metrics.retaken_marked, metrics.retaken_blocked, metrics.retaken_burning]
}

#[test]
fn each_kind_of_stuck_poll_is_told_from_the_others_and_counted() {
    let short: fn(Builder) -> Builder = |b| b.slice(Duration::from_millis(1));
    let quick: fn(Builder) -> Builder = |b| b.blocked_after(Duration::from_micros(20));
    let cases = [(Hog::Marked, short, [1, 0, 0]), (Hog::Asleep, quick, [0, 1, 0]), (Hog::Burning, short, [0, 0, 1])];
    for (hog, options, expected) in cases {
        let rt = options(builder(1)).build().unwrap();
        let stuck = hog.start(&rt);
        assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1, "{hog:?} keeps the only permit");
        assert_eq!(retakes(&rt.metrics()), expected, "{hog:?}");
        Hog::end(&rt, stuck);
    }
}

#[test]
fn all_kinds_at_once_leave_the_runtime_usable() {
    let rt = builder(2).slice(Duration::from_millis(1)).build().unwrap();
    let stuck: Vec<_> = Hog::ALL.into_iter().chain(Hog::ALL).map(|hog| hog.start(&rt)).collect();
    assert_eq!(rt.block_on(rt.spawn(async { spawn(async { 1 }).await.unwrap() })).unwrap(), 1);
    for hog in stuck {
        Hog::end(&rt, hog);
    }
    eventually("both permits idle", || rt.metrics().idle_procs == 2);
}

#[test]
fn nothing_is_taken_from_a_stuck_poll_while_no_work_waits() {
    for hog in Hog::ALL {
        let rt = builder(1).slice(Duration::from_millis(1)).build().unwrap();
        let stuck = hog.start(&rt);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(10) {
            assert_eq!(retakes(&rt.metrics()), [0; 3], "{hog:?}");
        }
        Hog::end(&rt, stuck);
    }
}

#[test]
fn a_sleep_shorter_than_blocked_after_keeps_its_permit() {
    let rt = builder(2).blocked_after(Duration::MAX).build().unwrap();
    let asleep = Hog::Asleep.start(&rt);
    // The monitor is at work, for it takes the other permit again and again; the sleeper's is let alone.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(30) {
        let marked = Hog::Marked.start(&rt);
        rt.block_on(rt.spawn(async {})).unwrap();
        Hog::end(&rt, marked);
    }
    let [marked, blocked, _] = retakes(&rt.metrics());
    assert!(marked > 0 && blocked == 0, "{:?}", rt.metrics());
    Hog::end(&rt, asleep);
}

#[test]
fn nested_block_on_goes_deep_and_every_level_answers() {
    fn dive(left: u32) -> u32 {
        if left == 0 { 0 } else { block_on(spawn(async move { dive(left - 1) })).unwrap() + 1 }
    }
    for procs in [1, 2] {
        let rt = builder(procs).max_threads(80).build().unwrap();
        assert_eq!(rt.block_on(rt.spawn(async { dive(64) })).unwrap(), 64);
    }
}

#[test]
fn past_the_cap_nested_block_on_is_stuck_visibly_and_the_end_of_the_runtime_frees_it() {
    fn dive(left: u32) -> Result<u32, ()> {
        if left == 0 { Ok(0) } else { block_on(spawn(async move { dive(left - 1) })).map_err(drop)?.map(|n| n + 1) }
    }
    let rt = builder(1).max_threads(4).build().unwrap();
    let task = rt.spawn(async { dive(10) });
    eventually("the cap is hit", || rt.metrics().thread_cap_hits > 0);
    assert_eq!(rt.metrics().threads, 4);
    assert!(!task.is_finished());
    rt.shutdown_timeout(Duration::from_secs(10));
    // The deepest task was still queued, and is cancelled; each level above gets that for an answer.
    assert_eq!(block_on(task).unwrap(), Err(()));
}

#[test]
fn past_the_cap_work_waits_and_a_metric_shows_it() {
    let rt = builder(1).max_threads(3).build().unwrap();
    let stuck: Vec<_> = (0..3).map(|_| Hog::Asleep.start(&rt)).collect();
    let ran = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&ran);
    let waits = rt.spawn(async move { runs.store(true, Ordering::SeqCst) });
    eventually("the cap is hit", || rt.metrics().thread_cap_hits > 0);
    let metrics = rt.metrics();
    assert_eq!((metrics.threads, metrics.injector_depth), (3, 1), "{metrics:?}");
    assert!(!ran.load(Ordering::SeqCst), "there is no thread that could have run it");
    for hog in stuck {
        Hog::end(&rt, hog);
    }
    rt.block_on(waits).unwrap();
    assert!(ran.load(Ordering::SeqCst));
}

/// `count` tasks that block at the same time; the threads they were on.
fn crowd(rt: &Runtime, count: usize) -> HashSet<ThreadId> {
    let all_in = Arc::new(Barrier::new(count));
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (all_in, threads) = (Arc::clone(&all_in), Arc::clone(&threads));
            rt.spawn(async move {
                threads.lock().unwrap().insert(thread::current().id());
                blocking(|| all_in.wait());
            })
        })
        .collect();
    for task in tasks {
        rt.block_on(task).unwrap();
    }
    let threads = threads.lock().unwrap();
    threads.clone()
}

#[test]
fn threads_are_kept_for_the_next_burst() {
    let rt = runtime(1);
    let mut all = HashSet::new();
    for _ in 0..8 {
        all.extend(crowd(&rt, 8));
        eventually("all at rest", || rt.metrics().parked_threads + 1 == rt.metrics().threads);
    }
    assert!((8..=12).contains(&all.len()), "{} threads for eight bursts of eight", all.len());
}

#[test]
fn threads_without_work_end_after_the_keep_alive_but_for_the_driver() {
    for keep_alive in [Duration::ZERO, Duration::from_millis(1)] {
        let rt = builder(2).thread_keep_alive(keep_alive).build().unwrap();
        for _ in 0..3 {
            assert_eq!(crowd(&rt, 8).len(), 8);
            eventually("one thread is left", || rt.metrics().threads == 1);
        }
        // Whoever is left serves the next task, also a timer.
        rt.block_on(rt.spawn(async { tokio::time::sleep(Duration::from_millis(1)).await })).unwrap();
    }
}
