//! The end of a runtime: on whatever thread, with whatever stuck, it comes.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::{pending, poll_fn};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{Drops, OnDrop, builder, eventually, keep, runtime};
use tidemill_scheduler::{Handle, JoinHandle, Runtime, block_on, blocking, spawn, yield_now};

/// Ends `rt` and says whether that took no longer than a crowded computer needs for a time-out of 50 ms.
fn ends_soon(rt: Runtime) -> bool {
    let start = Instant::now();
    rt.shutdown_timeout(Duration::from_millis(50));
    start.elapsed() < Duration::from_secs(4)
}

#[test]
fn a_shutdown_does_not_wait_for_threads_that_are_stuck_for_good() {
    type Hold = fn(mpsc::Receiver<()>);
    let stuck: [(&str, Hold); 3] = [
        ("marked", |released| assert!(blocking(|| released.recv()).is_err())),
        ("asleep", |released| assert!(released.recv().is_err())),
        ("burning", |released| while released.try_recv() == Err(mpsc::TryRecvError::Empty) {}),
    ];
    let rt = builder(2).slice(Duration::from_millis(1)).build().unwrap();
    let drops = Drops::default();
    let sleeper = keep(&rt, drops.guard());
    let releases: Vec<_> = stuck
        .into_iter()
        .map(|(name, hold)| {
            let (inside, is_inside) = mpsc::channel();
            let (release, released) = mpsc::channel();
            let guard = drops.guard();
            let task = rt.spawn(async move {
                let _guard = guard;
                inside.send(()).unwrap();
                hold(released);
                yield_now().await;
                unreachable!("the runtime has ended");
            });
            is_inside.recv().unwrap();
            (name, release, task)
        })
        .collect();
    assert!(ends_soon(rt));
    assert!(block_on(sleeper).unwrap_err().is_cancelled());
    assert_eq!(drops.count(), 1, "those that are inside a poll are left in there");
    for (name, release, task) in releases {
        assert!(!task.is_finished(), "{name}");
        drop(release);
        assert!(block_on(task).unwrap_err().is_cancelled(), "{name}");
    }
    eventually("all were dropped when their polls returned", || drops.count() == 4);
}

#[test]
fn a_shutdown_does_not_wait_for_a_destructor_that_blocks_for_good() {
    let rt = runtime(1);
    let (release, released) = mpsc::channel::<()>();
    let (inside, is_inside) = mpsc::channel();
    let task = keep(
        &rt,
        OnDrop(move || {
            inside.send(()).unwrap();
            let _ = released.recv();
        }),
    );
    assert!(ends_soon(rt));
    is_inside.recv().unwrap();
    assert!(!task.is_finished(), "its destructor has not returned");
    drop(release);
    assert!(block_on(task).unwrap_err().is_cancelled());
}

#[test]
fn no_time_out_is_too_short_or_too_long() {
    for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(u64::MAX), Duration::MAX] {
        let rt = runtime(2);
        let drops = Drops::default();
        let task = keep(&rt, drops.guard());
        rt.shutdown_timeout(timeout);
        assert!(block_on(task).unwrap_err().is_cancelled(), "{timeout:?}");
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn a_runtime_may_end_on_every_kind_of_thread() {
    type End = fn(Runtime);
    let places: [(&str, End); 7] = [
        ("a plain thread", drop),
        ("its own task", |rt| {
            let (handle, done) = (rt.handle(), mpsc::channel());
            handle.spawn(async move {
                drop(rt);
                done.0.send(()).unwrap();
            });
            done.1.recv().unwrap();
        }),
        ("its own task, in a region", |rt| {
            let (handle, done) = (rt.handle(), mpsc::channel());
            handle.spawn(async move {
                blocking(|| drop(rt));
                done.0.send(()).unwrap();
            });
            done.1.recv().unwrap();
        }),
        ("its own block_on", |rt| rt.handle().block_on(async move { drop(rt) })),
        ("a task of another runtime", |rt| {
            let other = runtime(1);
            other.block_on(other.spawn(async move { drop(rt) })).unwrap();
        }),
        ("another runtime's block_on", |rt| runtime(1).block_on(async move { drop(rt) })),
        ("a runtime of tokio", |rt| {
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async move { drop(rt) });
        }),
    ];
    for (place, end) in places {
        let drops = Drops::default();
        let rt = runtime(1);
        let task = keep(&rt, drops.guard());
        let start = Instant::now();
        end(rt);
        assert!(start.elapsed() < Duration::from_secs(4), "{place}: it waited for itself");
        assert_eq!(drops.count(), 1, "{place}");
        assert!(block_on(task).unwrap_err().is_cancelled(), "{place}");
    }
}

#[test]
fn the_end_of_a_runtime_inside_a_task_lets_the_other_tasks_go_on() {
    let (ends, other) = (runtime(1), runtime(1));
    // The runtime that ends waits for its only thread, which waits for a task of the runtime in which that happens.
    let (release, released) = mpsc::channel();
    let (inside, is_inside) = mpsc::channel();
    ends.spawn(async move {
        inside.send(()).unwrap();
        released.recv().unwrap();
    });
    is_inside.recv().unwrap();
    let start = Instant::now();
    other
        .block_on(other.spawn(async move {
            spawn(async move { release.send(()).unwrap() });
            drop(ends);
        }))
        .unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

/// What destructors do at the end of their runtime: each must neither hang it nor be heard of by others.
#[test]
fn destructors_may_do_anything_at_the_end() {
    type Deed = fn();
    let deeds: [(&str, Deed); 9] = [
        ("look at the metrics", || assert_eq!(Handle::current().metrics().procs, 1)),
        ("spawn", || assert!(block_on(spawn(async {})).unwrap_err().is_cancelled())),
        ("spawn and forget", || drop(spawn(pending::<()>()))),
        ("spawn one that spawns at its end", || {
            let again = OnDrop(|| drop(spawn(async {})));
            drop(spawn(async move { drop(again) }));
        }),
        ("block", || blocking(thread::yield_now)),
        ("block_on", || assert_eq!(block_on(async { 1 }), 1)),
        ("block_on of an own runtime", || assert_eq!(runtime(1).block_on(async { 1 }), 1)),
        ("wake itself and others", || WAKERS.lock().unwrap().drain(..).for_each(Waker::wake)),
        ("unwind", || std::panic::resume_unwind(Box::new("planned"))),
    ];
    static WAKERS: std::sync::Mutex<Vec<Waker>> = std::sync::Mutex::new(Vec::new());
    for (name, deed) in deeds {
        for inside in [false, true] {
            let rt = runtime(1);
            let wakes = rt.spawn(poll_fn(|context| {
                WAKERS.lock().unwrap().push(context.waker().clone());
                Poll::<()>::Pending
            }));
            let (done, outcome) = mpsc::channel();
            let task = keep(
                &rt,
                OnDrop(move || {
                    let result = std::panic::catch_unwind(deed);
                    done.send(result.is_ok()).unwrap();
                    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                }),
            );
            let start = Instant::now();
            if inside {
                rt.handle().spawn(async move { drop(rt) });
            } else {
                drop(rt);
            }
            assert_eq!(outcome.recv_timeout(Duration::from_secs(10)), Ok(name != "unwind"), "{name}");
            assert_eq!(block_on(task).unwrap_err().is_panic(), name == "unwind", "{name}");
            assert!(block_on(wakes).unwrap_err().is_cancelled(), "{name}");
            assert!(start.elapsed() < Duration::from_secs(4), "{name}: {:?}", start.elapsed());
        }
    }
}

#[test]
fn a_long_chain_of_tasks_that_wait_for_each_other_ends_without_a_deep_stack() {
    // Each task owns the handle of the next; the last one sleeps.
    fn link(left: u32, ready: mpsc::Sender<()>) -> JoinHandle<()> {
        spawn(async move {
            if left == 0 {
                ready.send(()).unwrap();
                return pending().await;
            }
            link(left - 1, ready).await.unwrap();
        })
    }
    let rt = runtime(1);
    let (ready, is_ready) = mpsc::channel();
    let (first,) = rt.block_on(async { (link(20_000, ready),) });
    is_ready.recv().unwrap();
    drop(rt);
    assert!(block_on(first).unwrap_err().is_cancelled());
}
