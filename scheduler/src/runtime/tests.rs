//! What needs the inside of a runtime: changing its size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::{JoinHandle, Procs, Runtime, yield_now};

/// Tasks that note how many of them are in a poll at the same time.
struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
    end: AtomicBool,
}

impl Crowd {
    async fn member(self: Arc<Self>) {
        while !self.end.load(Ordering::Relaxed) {
            let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(inside, Ordering::SeqCst);
            std::thread::yield_now();
            self.inside.fetch_sub(1, Ordering::SeqCst);
            yield_now().await;
        }
    }

    /// The most seen in a while: until the runtime has made that many polls.
    fn most_during(&self, rt: &Runtime, polls: u64) -> usize {
        self.most.store(0, Ordering::SeqCst);
        let until = rt.metrics().polls + polls;
        while rt.metrics().polls < until {
            std::thread::yield_now();
        }
        self.most.load(Ordering::SeqCst)
    }
}

#[test]
fn a_runtime_shrinks_and_grows_while_it_runs() {
    let rt = Runtime::builder().procs(Procs::Fixed(4)).build().expect("the options are valid");
    let shared = rt.handle.shared();
    let crowd = Arc::new(Crowd { inside: AtomicUsize::new(0), most: AtomicUsize::new(0), end: AtomicBool::new(false) });
    let members: Vec<JoinHandle<()>> = (0..16).map(|_| rt.spawn(Arc::clone(&crowd).member())).collect();

    for (procs, least) in [(1, 1), (4, 2), (2, 2), (1, 1)] {
        shared.resize(procs);
        assert_eq!(rt.metrics().procs, procs);
        // Permits in use come back within 61 polls of each machine.
        while shared.roster.is_oversized() {
            std::thread::yield_now();
        }
        let most = (0..100).map(|_| crowd.most_during(&rt, 500)).find(|&most| most >= least);
        let most = most.expect("the permits are used");
        assert!(most <= procs.max(least), "{most} tasks ran at a time with {procs} permits");
    }
    assert_eq!(rt.metrics().resizes, 4, "{:?}", rt.metrics());

    crowd.end.store(true, Ordering::Relaxed);
    for member in members {
        rt.block_on(member).expect("no task panics");
    }
}

#[test]
fn an_ended_runtime_is_freed_although_tasks_were_queued() {
    let rt = Runtime::builder().procs(Procs::Fixed(1)).build().expect("the options are valid");
    let shared = Arc::downgrade(rt.handle.shared());
    // The only permit spins until the end has begun, so the tasks behind it stay queued; each of them keeps the runtime.
    let spinner = Arc::downgrade(rt.handle.shared());
    drop(rt.spawn(async move {
        while spinner.upgrade().is_some_and(|shared| !shared.is_stopping()) {
            std::thread::yield_now();
        }
    }));
    for _ in 0..100 {
        drop(rt.spawn(std::future::pending::<()>()));
    }
    drop(rt);
    let deadline = Instant::now() + Duration::from_secs(10);
    while shared.strong_count() != 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(shared.strong_count(), 0, "the queued tasks keep the runtime, and the runtime the tasks");
}
