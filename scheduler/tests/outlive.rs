//! What outlives a runtime stays safe: wakers, join handles, handles, threads that end, what waits for its reactor.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{Drops, OnDrop, builder, eventually, runtime};
use tidemill_scheduler::{Handle, JoinHandle, block_on, blocking, spawn};

/// A waker of a task of a runtime that has ended, and the task.
fn orphan() -> (Waker, JoinHandle<()>) {
    let rt = runtime(1);
    let (to_test, waker) = mpsc::channel();
    let task = rt.spawn(poll_fn(move |context| {
        to_test.send(context.waker().clone()).unwrap();
        Poll::Pending
    }));
    (waker.recv().unwrap(), task)
}

#[test]
fn a_waker_that_outlives_its_runtime_is_cloned_woken_and_dropped_on_any_thread() {
    let uses: [fn(Waker); 5] = [
        drop,
        Waker::wake,
        |waker| waker.wake_by_ref(),
        |waker| {
            let clone = waker.clone();
            waker.wake();
            clone.wake();
        },
        |waker| drop((waker.clone(), waker)),
    ];
    let other = runtime(1);
    for using in uses {
        for handle_first in [true, false] {
            let (waker, task) = orphan();
            let kept = (!handle_first).then_some(task);
            thread::spawn({
                let waker = waker.clone();
                move || using(waker)
            })
            .join()
            .unwrap();
            other.block_on(other.spawn(async move { using(waker) })).unwrap();
            if let Some(task) = kept {
                assert!(block_on(task).unwrap_err().is_cancelled());
            }
        }
    }
}

#[test]
fn a_join_handle_outlives_its_runtime() {
    let (_, task) = orphan();
    assert!(task.is_finished());
    task.abort();
    let mut task = task;
    let ready = pin!(&mut task).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Err(error)) if error.is_cancelled()));
    drop(task);
    let (_, unpolled) = orphan();
    drop(unpolled);
}

#[test]
fn a_task_that_waits_for_a_task_of_an_ended_runtime_is_told() {
    let (ends, stays) = (runtime(1), runtime(1));
    let (asleep, is_asleep) = mpsc::channel();
    let waited = ends.spawn(async move {
        asleep.send(()).unwrap();
        pending::<()>().await;
    });
    is_asleep.recv().unwrap();
    let waits = stays.spawn(async move { waited.await.unwrap_err().is_cancelled() });
    drop(ends);
    assert!(stays.block_on(waits).unwrap());
}

#[test]
fn whoever_spawns_after_the_end_is_told_by_the_handle() {
    let rt = runtime(1);
    let handle = rt.handle();
    drop(rt);
    let drops = Drops::default();
    for _ in 0..3 {
        let guard = drops.guard();
        assert!(block_on(handle.spawn(async move { drop(guard) })).unwrap_err().is_cancelled());
    }
    // Also where the ended runtime is the one of the thread.
    let guard = drops.guard();
    assert!(handle.block_on(async { spawn(async move { drop(guard) }).await }).unwrap_err().is_cancelled());
    assert_eq!(drops.count(), 4);
    assert_eq!((handle.metrics().live_tasks, handle.metrics().threads), (0, 0));
}

type AtExit = Box<dyn FnMut()>;

thread_local! {
    static AT_EXIT: RefCell<Vec<OnDrop<AtExit>>> = const { RefCell::new(Vec::new()) };
}

fn at_exit(f: impl FnMut() + 'static) {
    AT_EXIT.with_borrow_mut(|exit| exit.push(OnDrop(Box::new(f))));
}

#[test]
fn the_end_of_a_thread_may_wake_and_spawn() {
    let rt = runtime(1);
    let (waits, woken) = tokio::sync::oneshot::channel();
    let task = rt.spawn(woken);
    let (handle, mut waits) = (rt.handle(), Some(waits));
    let (to_test, spawned) = mpsc::channel();
    thread::spawn(move || {
        at_exit(move || {
            waits.take().unwrap().send(7).unwrap();
            to_test.send(handle.spawn(async { 8 })).unwrap();
        });
    })
    .join()
    .unwrap();
    assert_eq!(rt.block_on(task).unwrap(), Ok(7));
    assert_eq!(rt.block_on(spawned.recv().unwrap()).unwrap(), 8);
}

#[test]
fn the_end_of_a_machines_own_thread_may_wake_and_spawn() {
    // Once while the runtime goes on (the thread was idle for long), and once because it ends.
    for end in [false, true] {
        let rt = builder(1).thread_keep_alive(if end { Duration::MAX } else { Duration::ZERO }).build().unwrap();
        let (waits, woken) = tokio::sync::oneshot::channel();
        let task = rt.spawn(woken);
        let (to_test, spawned) = mpsc::channel();
        let handle = rt.handle();
        let mut waits = Some(waits);
        rt.block_on(rt.spawn(async move {
            at_exit(move || {
                let _ = waits.take().unwrap().send(7);
                to_test.send(handle.spawn(async { 8 })).unwrap();
            });
        }))
        .unwrap();
        if end {
            drop(rt);
            assert!(block_on(task).unwrap_err().is_cancelled());
            assert!(block_on(spawned.recv().unwrap()).unwrap_err().is_cancelled());
        } else {
            // That thread may be the one that stays, as the driver; then bring others into being until it is not.
            eventually("its end", || {
                rt.block_on(rt.spawn(async { blocking(|| rt_noop(&Handle::current())) })).unwrap();
                task.is_finished()
            });
            assert_eq!(rt.block_on(spawned.recv().unwrap()).unwrap(), 8);
        }
    }
}

/// Holds a thread until another one has run a task.
fn rt_noop(handle: &Handle) {
    handle.block_on(async { spawn(async {}).await.unwrap() });
}

#[test]
fn waiting_for_the_reactor_of_an_ended_runtime_fails_and_does_not_hang() {
    // In block_on when the runtime ends, and after it has ended.
    for before in [true, false] {
        let rt = runtime(1);
        let handle = rt.handle();
        let (inside, is_inside) = mpsc::channel();
        let wait = move || {
            handle.block_on(async {
                let mut sleep = pin!(async { tokio::time::sleep(Duration::from_secs(3600)).await });
                poll_fn(|context| {
                    let polled = sleep.as_mut().poll(context);
                    let _ = inside.send(());
                    polled
                })
                .await;
            });
        };
        let waits = if before {
            let waits = thread::spawn(wait);
            is_inside.recv().unwrap();
            drop(rt);
            waits
        } else {
            drop(rt);
            thread::spawn(wait)
        };
        eventually("the wait fails", || waits.is_finished());
        assert!(waits.join().is_err(), "tokio panics: its context is being shut down");
    }
}

#[test]
fn what_libraries_gave_to_tokio_is_dropped_as_well() {
    let rt = runtime(1);
    let handle = rt.handle();
    let drops = Drops::default();
    let guard = drops.guard();
    #[expect(clippy::disallowed_methods, reason = "a library's use of tokio::spawn is what is tested")]
    rt.block_on(async move {
        tokio::spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
    });
    drop(rt);
    eventually("dropped although a handle is left", || drops.count() == 1);
    drop(handle);
}

#[test]
fn wakes_and_aborts_from_elsewhere_may_race_with_the_end() {
    const TASKS: usize = 4;
    for round in 0..40 {
        let rt = runtime(1 + round % 2);
        let drops = Drops::default();
        let (to_test, wakers) = mpsc::channel();
        let start = Arc::new(Barrier::new(TASKS + 1));
        let mut racers = Vec::new();
        for i in 0..TASKS {
            let (to_test, guard) = (to_test.clone(), drops.guard());
            let task = rt.spawn(poll_fn(move |context| {
                let _guard = &guard;
                // Only the first is waited for; the rest go with the receiver.
                let _ = to_test.send(context.waker().clone());
                Poll::<()>::Pending
            }));
            let (waker, start) = (wakers.recv().unwrap(), Arc::clone(&start));
            racers.push(thread::spawn(move || {
                start.wait();
                // Until the end, and a little beyond.
                let mut beyond = 0;
                while beyond < 20 {
                    waker.wake_by_ref();
                    let clone = waker.clone();
                    if i == 0 {
                        task.abort();
                    }
                    clone.wake();
                    beyond += u32::from(task.is_finished());
                }
                drop(waker);
                let joined = pin!(task).poll(&mut Context::from_waker(Waker::noop()));
                matches!(joined, Poll::Ready(Err(error)) if error.is_cancelled())
            }));
        }
        start.wait();
        drop(rt);
        assert!(racers.into_iter().all(|racer| racer.join().unwrap()));
        eventually("every future is dropped", || drops.count() == TASKS);
    }
}
