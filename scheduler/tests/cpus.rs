//! The CPUs that a runtime uses are those of the thread that built it.
#![allow(clippy::unwrap_used)]

use std::sync::mpsc;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tidemill_scheduler::{Procs, Runtime, blocking};

fn only(cpu: usize) -> CpuSet {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    cpus
}

/// A CPU of this process.
fn some_cpu() -> usize {
    let cpus = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).find(|cpu| cpus.is_set(*cpu)).unwrap()
}

/// Runs `f` on a thread that is pinned to `cpu`.
fn pinned<T: Send>(cpu: usize, f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let pinned = scope.spawn(|| {
            sched_setaffinity(None, &only(cpu)).unwrap();
            f()
        });
        pinned.join().unwrap()
    })
}

/// What the threads see that block at the same time, `count` of them.
fn seen(rt: &Runtime, count: usize) -> Vec<CpuSet> {
    let (inside, is_inside) = mpsc::channel();
    let start = |inside: mpsc::Sender<_>| {
        let (release, released) = mpsc::channel::<()>();
        drop(rt.spawn(async move {
            inside.send(sched_getaffinity(None).unwrap()).unwrap();
            let _ = blocking(|| released.recv());
        }));
        (release, is_inside.recv().unwrap())
    };
    let (_releases, seen): (Vec<_>, _) = (0..count).map(|_| start(inside.clone())).unzip();
    seen
}

#[test]
fn a_runtime_that_a_pinned_thread_builds_stays_on_its_cpu_and_is_sized_to_it() {
    let cpu = some_cpu();
    let rt = pinned(cpu, || Runtime::builder().procs(Procs::Auto).build().unwrap());
    assert_eq!(rt.metrics().procs, 1);
    assert_eq!(seen(&rt, 4), vec![only(cpu); 4]);
}
