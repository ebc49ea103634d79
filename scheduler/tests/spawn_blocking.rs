//! `spawn_blocking` as those who come from tokio know it.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Barrier, mpsc};

use tidemill_scheduler::{Procs, Runtime, spawn_blocking};

fn runtime(procs: usize) -> Runtime {
    Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap()
}

#[test]
fn a_hundred_calls_block_at_the_same_time() {
    // Each waits for the last: one that had to wait for another's end would hang.
    let all_in = Arc::new(Barrier::new(100));
    let rt = runtime(2);
    let calls = rt.block_on(async {
        let calls: Vec<_> = (0..100)
            .map(|call| {
                let all_in = Arc::clone(&all_in);
                spawn_blocking(move || {
                    all_in.wait();
                    call
                })
            })
            .collect();
        let mut results = Vec::new();
        for call in calls {
            results.push(call.await.unwrap());
        }
        results
    });
    assert_eq!(calls, (0..100).collect::<Vec<_>>());
    assert!(rt.metrics().retaken_marked > 0, "they are marked: {:?}", rt.metrics());
}

#[test]
fn a_light_task_runs_beside_it() {
    let rt = runtime(1);
    let (release, released) = mpsc::channel::<()>();
    let blocked = rt.handle().spawn_blocking(move || released.recv());
    assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1);
    release.send(()).unwrap();
    assert_eq!(rt.block_on(blocked).unwrap(), Ok(()));
}

#[test]
fn a_panic_is_a_join_error() {
    let rt = runtime(1);
    let failed = rt.block_on(rt.handle().spawn_blocking(|| panic!("inside"))).unwrap_err();
    assert_eq!(failed.to_string(), "the task panicked: inside");
}

#[test]
fn an_abort_before_it_begins_counts() {
    // The only thread is the task's until its poll ends, so what it spawns is aborted before it begins.
    let rt = Runtime::builder().procs(Procs::Fixed(1)).max_threads(1).build().unwrap();
    let aborted = rt.spawn(async {
        let aborted = spawn_blocking(|| unreachable!("it was aborted before it began"));
        aborted.abort();
        aborted.await.unwrap_err().is_cancelled()
    });
    assert!(rt.block_on(aborted).unwrap());
}

#[test]
fn an_abort_after_it_began_does_not() {
    let rt = runtime(1);
    let (began, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let late = rt.handle().spawn_blocking(move || {
        began.send(()).unwrap();
        released.recv().unwrap();
        7
    });
    has_begun.recv().unwrap();
    late.abort();
    release.send(()).unwrap();
    assert_eq!(rt.block_on(late).unwrap(), 7);
}
