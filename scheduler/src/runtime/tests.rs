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
    // The only permit is in a poll from before the tasks are queued until after the end, so nobody takes them out of the
    // injector; and each of them keeps the runtime.
    let (inside, release) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_inside, released) = (Arc::clone(&inside), Arc::clone(&release));
    drop(rt.spawn(async move {
        is_inside.store(true, Ordering::SeqCst);
        spin_until(|| released.load(Ordering::SeqCst));
    }));
    spin_until(|| inside.load(Ordering::SeqCst));
    for _ in 0..100 {
        drop(rt.spawn(std::future::pending::<()>()));
    }
    rt.shutdown_timeout(Duration::ZERO);
    release.store(true, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(10);
    spin_until(|| shared.strong_count() == 0 || Instant::now() > deadline);
    assert_eq!(shared.strong_count(), 0, "the queued tasks keep the runtime, and the runtime the tasks");
}

fn spin_until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

#[test]
fn tasks_that_wait_in_a_ring_are_freed_with_their_runtime() {
    for length in [1, 2, 5] {
        let rt = Runtime::builder().procs(Procs::Fixed(1)).build().expect("the options are valid");
        let shared = Arc::downgrade(rt.handle.shared());
        let asleep = Arc::new(AtomicUsize::new(0));
        let (to_task, mut handles): (Vec<_>, Vec<_>) = (0..length)
            .map(|_| {
                let (to_task, other) = tokio::sync::oneshot::channel::<JoinHandle<()>>();
                let asleep = Arc::clone(&asleep);
                let waits = rt.spawn(async move {
                    let other = other.await.expect("each gets one");
                    asleep.fetch_add(1, Ordering::SeqCst);
                    let _ = other.await;
                });
                (to_task, waits)
            })
            .unzip();
        handles.rotate_left(1);
        for (to_task, next) in to_task.into_iter().zip(handles) {
            assert!(to_task.send(next).is_ok(), "the task waits for it");
        }
        spin_until(|| asleep.load(Ordering::SeqCst) == length && rt.metrics().idle_procs == 1);
        drop(rt);
        let deadline = Instant::now() + Duration::from_secs(10);
        spin_until(|| shared.strong_count() == 0 || Instant::now() > deadline);
        assert_eq!(shared.strong_count(), 0, "a ring of {length} keeps itself");
    }
}
