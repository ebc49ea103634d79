//! A task may block: marked, unmarked, or on the CPU; the others go on.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use tidemill_scheduler::{Procs, Runtime, block_on, blocking, spawn, yield_now};

fn runtime(procs: usize) -> Runtime {
    Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap()
}

/// Fills all permits with `hog`s that end only after a light task has run: without hand-off this would hang.
fn light_task_runs_beside(procs: usize, hog: impl Fn(&mpsc::Receiver<()>) + Clone + Send + Sync + 'static) -> Runtime {
    let rt = runtime(procs);
    let all_in = Arc::new(Barrier::new(procs + 1));
    let (releases, hogs): (Vec<_>, Vec<_>) = (0..procs)
        .map(|_| {
            let (release, released) = mpsc::channel();
            let (all_in, hog) = (Arc::clone(&all_in), hog.clone());
            let task = rt.spawn(async move {
                all_in.wait();
                hog(&released);
            });
            (release, task)
        })
        .unzip();
    all_in.wait();
    let light = rt.spawn(async { spawn(async { 1 }).await.unwrap() });
    assert_eq!(rt.block_on(light).unwrap(), 1);
    for release in releases {
        release.send(()).unwrap();
    }
    for hog in hogs {
        rt.block_on(hog).unwrap();
    }
    rt
}

#[test]
fn a_marked_region_does_not_stop_the_others() {
    for procs in [1, 2] {
        let rt = light_task_runs_beside(procs, |released| blocking(|| released.recv().unwrap()));
        assert!(rt.metrics().retaken_marked + rt.metrics().retaken_blocked > 0);
    }
}

#[test]
fn an_unmarked_sleep_does_not_stop_the_others() {
    for procs in [1, 2] {
        let rt = light_task_runs_beside(procs, |released| released.recv().unwrap());
        assert!(rt.metrics().retaken_blocked > 0, "{:?}", rt.metrics());
    }
}

#[test]
fn a_burning_poll_does_not_stop_the_others() {
    light_task_runs_beside(1, |released| while released.try_recv().is_err() {});
}

#[test]
fn what_a_stuck_poll_makes_ready_still_runs() {
    // The hog fills its own slot and queue, then blocks until those very tasks have run.
    let rt = runtime(1);
    let done = rt.spawn(async {
        let tasks: Vec<_> = (0..10).map(|i| spawn(async move { i })).collect();
        block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        })
    });
    assert_eq!(rt.block_on(done).unwrap(), 45);
}

#[test]
fn a_timer_fires_beside_a_task_that_the_driver_woke_and_that_blocks() {
    let rt = runtime(2);
    let late = rt.block_on(async {
        let start = Instant::now();
        let hog = spawn(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            thread::sleep(Duration::from_millis(300)); // tidy-allow(sleep-in-test): the subject is a task that sleeps
        });
        let timer = spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            start.elapsed()
        });
        let fired = timer.await.unwrap();
        hog.await.unwrap();
        fired
    });
    assert!(late < Duration::from_millis(200), "a 30 ms timer fired after {late:?}");
}

#[test]
fn a_blocking_region_returns_what_the_closure_does_and_may_borrow() {
    let mut text = String::from("outside ");
    blocking(|| text.push_str("works"));
    let rt = runtime(1);
    let inside = rt.block_on(rt.spawn(async {
        let local = [1, 2, 3];
        blocking(|| blocking(|| local.iter().sum::<i32>()))
    }));
    assert_eq!((text.as_str(), inside.unwrap()), ("outside works", 6));
}

#[test]
fn a_panic_inside_a_region_is_the_tasks() {
    let rt = runtime(1);
    let error = rt.block_on(rt.spawn(async { blocking(|| panic!("inside")) })).unwrap_err();
    assert_eq!(error.to_string(), "the task panicked: inside");
    assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1, "the machine goes on");
}

fn nap() {
    thread::sleep(Duration::from_millis(1)); // tidy-allow(sleep-in-test): the subject is a task that sleeps
}

#[test]
fn past_the_cap_blocking_tasks_wait_and_all_finish() {
    let rt = Runtime::builder().procs(Procs::Fixed(2)).max_threads(4).build().unwrap();
    let tasks: Vec<_> = (0..64).map(|_| rt.spawn(async { blocking(nap) })).collect();
    for task in tasks {
        rt.block_on(task).unwrap();
    }
    assert!(rt.metrics().threads <= 4, "{:?}", rt.metrics());
}

#[test]
fn machines_that_wait_for_a_permit_leave_no_search_behind() {
    // A search that is never ended keeps every machine asleep when work comes from outside. This is the soak; the one
    // interleaving that was wrong once is stepped through in `machine/tests.rs`.
    let rt = runtime(2);
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            rt.spawn(async {
                for _ in 0..40 {
                    blocking(nap);
                    for _ in 0..50 {
                        spawn(yield_now()).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        rt.block_on(task).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while rt.metrics().idle_procs != 2 && Instant::now() < deadline {
        thread::yield_now();
    }
    let metrics = rt.metrics();
    assert_eq!((metrics.idle_procs, metrics.searching_threads, metrics.waiting_threads), (2, 0, 0), "{metrics:?}");
}

#[test]
fn a_shutdown_leaves_stuck_threads_behind() {
    let rt = runtime(1);
    let (release, released) = mpsc::channel::<()>();
    let (inside, is_inside) = mpsc::channel();
    rt.spawn(async move {
        inside.send(()).unwrap();
        let _ = released.recv();
    });
    is_inside.recv().unwrap();
    let start = Instant::now();
    rt.shutdown_timeout(Duration::from_millis(50));
    assert!(start.elapsed() < Duration::from_secs(2));
    drop(release);
}
