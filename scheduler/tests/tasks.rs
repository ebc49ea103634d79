//! Spawn, join, abort, panic: what a task and its handle promise.
#![allow(clippy::unwrap_used)]

use std::future::{pending, ready};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidemill_scheduler::{Handle, Procs, Runtime, block_on, spawn, yield_now};

fn runtime(procs: usize) -> Runtime {
    Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap()
}

/// Counts its own end.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_gives_its_output() {
    for procs in [1, 2, 4] {
        let rt = runtime(procs);
        assert_eq!(rt.block_on(rt.spawn(async { spawn(ready(20)).await.unwrap() + 1 })).unwrap(), 21);
    }
}

#[test]
fn a_panic_is_an_error_of_its_task_alone() {
    let rt = runtime(2);
    rt.block_on(async {
        let bad = spawn(async { panic!("lost order {}", std::process::id()) });
        let good = spawn(ready(1));
        let error = bad.await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.to_string(), format!("the task panicked: lost order {}", std::process::id()));
        assert!(error.into_panic().downcast::<String>().unwrap().starts_with("lost order"));
        assert_eq!(good.await.unwrap(), 1);
    });
}

#[test]
fn a_panic_in_a_destructor_becomes_the_output() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("while dropping");
        }
    }
    let rt = runtime(1);
    let bomb = Bomb;
    let error = rt.block_on(
        rt.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        })
        .also(tidemill_scheduler::JoinHandle::abort),
    );
    assert_eq!(error.unwrap_err().to_string(), "the task panicked: while dropping");
}

#[test]
fn an_abort_drops_the_future_wherever_the_task_is() {
    let rt = runtime(2);
    let dropped = Arc::new(AtomicUsize::new(0));
    rt.block_on(async {
        let guard = || Guard(Arc::clone(&dropped));
        let (asleep, busy, queued) = (guard(), guard(), guard());
        let sleeper = spawn(async move {
            pending::<()>().await;
            drop(asleep);
        });
        let spinner = spawn(async move {
            loop {
                yield_now().await;
                let _held = &busy;
            }
        });
        yield_now().await;
        sleeper.abort();
        spinner.abort();
        let late = spawn(async move {
            pending::<()>().await;
            drop(queued);
        });
        late.abort();
        assert!(sleeper.await.unwrap_err().is_cancelled());
        assert!(late.await.unwrap_err().is_cancelled());
        let spinner: Result<(), _> = spinner.await;
        assert!(spinner.unwrap_err().is_cancelled());
    });
    assert_eq!(dropped.load(Ordering::SeqCst), 3);
}

#[test]
fn an_abort_after_the_end_changes_nothing() {
    let rt = runtime(1);
    let task = rt.spawn(ready(5));
    while !task.is_finished() {
        std::thread::yield_now();
    }
    task.abort();
    assert_eq!(rt.block_on(task).unwrap(), 5);
}

#[test]
fn a_dropped_handle_detaches_and_the_output_is_dropped() {
    let rt = runtime(2);
    let dropped = Arc::new(AtomicUsize::new(0));
    for finish_first in [false, true] {
        let guard = Guard(Arc::clone(&dropped));
        let handle = rt.spawn(async move { guard });
        while finish_first && !handle.is_finished() {
            std::thread::yield_now();
        }
        drop(handle);
    }
    while dropped.load(Ordering::SeqCst) != 2 {
        std::thread::yield_now();
    }
}

#[test]
fn dropping_the_runtime_drops_every_task() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let rt = runtime(2);
    for _ in 0..100 {
        let guard = Guard(Arc::clone(&dropped));
        rt.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
    }
    let waiting = rt.spawn(pending::<()>());
    drop(rt);
    assert_eq!(dropped.load(Ordering::SeqCst), 100);
    assert!(block_on(waiting).unwrap_err().is_cancelled());
}

#[test]
fn a_task_spawned_after_the_end_is_cancelled() {
    let rt = runtime(1);
    let handle: Handle = rt.handle();
    drop(rt);
    let dropped = Arc::new(AtomicUsize::new(0));
    let guard = Guard(Arc::clone(&dropped));
    let task = handle.spawn(async move { drop(guard) });
    assert!(block_on(task).unwrap_err().is_cancelled());
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_runtime_may_be_dropped_on_its_own_thread() {
    let rt = runtime(2);
    let outer = runtime(1);
    let inner = rt.handle();
    let done = outer.spawn(async move { inner.spawn(async move { drop(rt) }).await });
    // The task that drops its own runtime is running, so its poll goes on to its end.
    let _ = outer.block_on(done).unwrap();
}

#[test]
fn a_waker_may_outlive_the_runtime() {
    use std::task::{Poll, Waker};
    let rt = runtime(1);
    let (to_test, waker) = std::sync::mpsc::channel::<Waker>();
    let task = rt.spawn(std::future::poll_fn(move |context| {
        to_test.send(context.waker().clone()).unwrap();
        Poll::<()>::Pending
    }));
    let waker = waker.recv().unwrap();
    drop(rt);
    waker.wake_by_ref();
    waker.wake();
    assert!(task.is_finished());
}

#[test]
fn spawning_without_a_runtime_says_so() {
    let panic = panic::catch_unwind(|| spawn(ready(()))).unwrap_err();
    let text =
        panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
    assert!(text.unwrap().contains("no tidemill runtime here"));
}

#[test]
fn a_handle_polled_twice_panics_and_a_finished_one_does_not_block() {
    let rt = runtime(1);
    let mut task = rt.spawn(ready(3));
    assert_eq!(rt.block_on(&mut task).unwrap(), 3);
    let again = panic::catch_unwind(panic::AssertUnwindSafe(|| rt.block_on(&mut task)));
    assert!(again.is_err());
}

#[test]
fn block_on_nests() {
    let rt = runtime(1);
    let depth = 20;
    fn dive(left: u32) -> u32 {
        if left == 0 { 0 } else { block_on(spawn(async move { dive(left - 1) })).unwrap() + 1 }
    }
    assert_eq!(rt.block_on(async move { dive(depth) }), depth);
}

#[test]
fn several_runtimes_live_side_by_side_and_wake_each_other() {
    let (a, b) = (runtime(1), runtime(1));
    let on_b = b.spawn(ready(1));
    let on_a = a.spawn(async move { on_b.await.unwrap() + 1 });
    assert_eq!(b.block_on(on_a).unwrap(), 2);
}

#[test]
fn a_yielded_task_runs_behind_the_others() {
    let rt = runtime(1);
    let order = rt.block_on(rt.spawn(async {
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        spawn(async move { set.store(true, Ordering::SeqCst) });
        yield_now().await;
        flag.load(Ordering::SeqCst)
    }));
    assert!(order.unwrap(), "the spawned task ran before the yielding one came back");
}

/// `handle.also(|h| ..)`: does something with a value on its way.
trait Also: Sized {
    fn also(self, f: impl FnOnce(&Self)) -> Self {
        f(&self);
        self
    }
}

impl<T> Also for T {}
