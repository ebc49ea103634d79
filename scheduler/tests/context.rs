//! A task runs in the context of its spawner, and in no other, whatever else its thread does.
#![allow(clippy::unwrap_used)]

use std::future::pending;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tidemill_context::{Cause, Context};
use tidemill_scheduler::testing::{Simulation, for_each_seed};
use tidemill_scheduler::{Procs, Runtime, block_on, blocking, spawn, spawn_blocking, yield_now};
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);

fn runtime(procs: usize) -> Runtime {
    Runtime::builder().procs(Procs::Fixed(procs)).build().unwrap()
}

/// The value of the ambient context.
fn number() -> Option<u32> {
    Context::with_current(|ambient| ambient.and_then(Context::value).copied())
}

fn with(number: u32) -> Context {
    Context::background().with_value(number)
}

/// Every way to start something, in a task that has a context and in one that has none.
async fn inherit(expected: Option<u32>) {
    assert_eq!(number(), expected);
    assert_eq!(spawn(async { number() }).await.unwrap(), expected);
    assert_eq!(spawn(async { spawn(async { number() }).await.unwrap() }).await.unwrap(), expected);
    assert_eq!(spawn_blocking(number).await.unwrap(), expected);
    assert_eq!(blocking(number), expected);
    assert_eq!(blocking(|| block_on(async { number() })), expected);
    assert_eq!(block_on(async { spawn(async { number() }).await.unwrap() }), expected);
    yield_now().await;
    assert_eq!(number(), expected);
}

#[test]
fn whatever_a_task_starts_runs_in_its_context() {
    for procs in [1, 2] {
        let rt = runtime(procs);
        rt.block_on(inherit(None));
        rt.block_on(with(1).scope(inherit(Some(1))));
        with(2).enter(|| {
            rt.block_on(inherit(Some(2)));
            rt.block_on(rt.spawn(inherit(Some(2)))).unwrap();
            rt.block_on(rt.handle().spawn(inherit(Some(2)))).unwrap();
        });
        rt.block_on(rt.spawn(inherit(None))).unwrap();
    }
    for_each_seed(0..20, |_| inherit(None));
    for_each_seed(0..20, |_| with(1).scope(inherit(Some(1))));
}

#[test]
fn a_foreign_thread_that_spawns_gives_its_own_context() {
    let rt = runtime(1);
    let handle = rt.handle();
    let tasks = thread::spawn(move || {
        [None, Some(3)].map(|n| match n {
            None => handle.spawn(inherit(None)),
            Some(n) => with(n).enter(|| handle.spawn(inherit(Some(n)))),
        })
    });
    for task in tasks.join().unwrap() {
        rt.block_on(task).unwrap();
    }
}

/// Tasks with and without contexts take turns on one machine; each looks at every poll.
async fn take_turns() {
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let expected = (n % 3 != 0).then_some(n);
            let look = async move {
                for _ in 0..20 {
                    assert_eq!(number(), expected);
                    yield_now().await;
                }
            };
            match expected {
                Some(n) => with(n).enter(|| spawn(look)),
                None => Context::without_current(|| spawn(look)),
            }
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn tasks_on_one_machine_do_not_see_each_others_contexts() {
    for procs in [1, 2] {
        let rt = runtime(procs);
        rt.block_on(rt.spawn(take_turns())).unwrap();
        rt.block_on(with(99).scope(take_turns()));
    }
    for_each_seed(0..20, |_| take_turns());
}

/// In the simulation the nested `block_on` polls the others on the very same stack; on a runtime another machine does.
async fn nested_block_on() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let others = Context::without_current(|| {
        spawn(async {
            take_turns().await;
            assert_eq!(number(), None);
            send.send(number()).unwrap();
        })
    });
    let within = with(5).enter(|| {
        spawn(async {
            assert_eq!(block_on(receive), Ok(None));
            assert_eq!(number(), Some(5));
            assert_eq!(with(6).enter(|| block_on(inherit(Some(6)))), ());
            number()
        })
    });
    assert_eq!(within.await.unwrap(), Some(5));
    others.await.unwrap();
}

#[test]
fn tasks_polled_inside_of_a_nested_block_on_do_not_see_its_context() {
    for procs in [1, 2] {
        let rt = runtime(procs);
        rt.block_on(rt.spawn(nested_block_on())).unwrap();
    }
    for_each_seed(0..50, |_| nested_block_on());
}

/// Such a task runs inside whichever thread drives the reactor, so it must find nothing there.
async fn foreign() {
    #[expect(clippy::disallowed_methods, reason = "tokio's own tasks are under test")]
    let (bare, scoped) = (tokio::spawn(async { number() }), tokio::spawn(with(2).scope(async { number() })));
    assert_eq!(block_on(async { bare.await.unwrap() }), None);
    assert_eq!(scoped.await.unwrap(), Some(2));
}

#[test]
fn a_task_of_tokios_sees_no_context_but_one_that_it_takes_along() {
    let rt = runtime(1);
    rt.block_on(with(1).scope(foreign()));
    rt.block_on(with(1).enter(|| rt.spawn(foreign()))).unwrap();
    for_each_seed(0..50, |_| with(1).scope(foreign()));
}

#[test]
fn the_end_of_a_runtime_within_a_task_drops_its_tasks_in_their_own_contexts() {
    struct Look(mpsc::Sender<Option<u32>>);
    impl Drop for Look {
        fn drop(&mut self) {
            let _ = self.0.send(number());
        }
    }
    let (sender, seen) = mpsc::channel();
    let outer = runtime(1);
    outer
        .block_on(with(1).enter(|| {
            outer.spawn(async move {
                let inner = runtime(1);
                let looks = [Look(sender.clone()), Look(sender)];
                for (n, look) in (2..).zip(looks) {
                    with(n).enter(|| {
                        inner.spawn(async move {
                            let _look = look;
                            pending::<()>().await;
                        })
                    });
                }
                drop(inner);
            })
        }))
        .unwrap();
    let mut seen: Vec<_> = seen.iter().collect();
    seen.sort();
    assert_eq!(seen, [Some(2), Some(3)]);
}

#[test]
fn a_deadline_ends_what_a_task_waits_for() {
    let rt = runtime(1);
    let ctx = Context::background().with_timeout(Duration::from_millis(10));
    let cut =
        rt.block_on(ctx.run(async { spawn(async { Context::current().run(pending::<()>()).await }).await.unwrap() }));
    assert!(matches!(cut, Ok(Err(Cause::DeadlineExceeded)) | Err(Cause::DeadlineExceeded)), "{cut:?}");
}

#[test]
fn in_a_simulation_deadlines_come_in_virtual_time() {
    let began = Instant::now();
    for_each_seed(0..20, |_| async {
        let ctx = Context::background().with_timeout(HOUR);
        let inner = ctx.child();
        let waiting = spawn(async move { inner.cancelled().await });
        sleep(HOUR / 4).await;
        assert_eq!(ctx.remaining(), Some(HOUR * 3 / 4));
        let shorter = ctx.with_timeout(HOUR / 4);
        assert_eq!(shorter.run(sleep(HOUR)).await, Err(Cause::DeadlineExceeded));
        assert_eq!(ctx.remaining(), Some(HOUR / 2));
        assert_eq!(shorter.run(sleep(HOUR)).await, Err(Cause::DeadlineExceeded));
        assert_eq!(ctx.remaining(), Some(HOUR / 2));
        assert_eq!(waiting.await.unwrap(), Cause::DeadlineExceeded);
        assert_eq!(ctx.remaining(), Some(Duration::ZERO));
    });
    assert!(began.elapsed() < HOUR);
}

/// A task of tokio's makes the deadline while the simulation already waits for a later timer.
#[test]
fn in_a_simulation_a_deadline_may_be_made_while_the_clock_is_about_to_jump() {
    let outcome = Simulation::new(3).try_run(async {
        let root = Context::current();
        #[expect(clippy::disallowed_methods, reason = "tokio's own tasks are under test")]
        let task = tokio::spawn(async move {
            sleep(HOUR).await;
            root.with_timeout(HOUR).run(sleep(10 * HOUR)).await
        });
        task.await.unwrap()
    });
    let outcome = outcome.unwrap();
    assert_eq!((outcome.output, outcome.elapsed), (Err(Cause::DeadlineExceeded), 2 * HOUR));
}

#[test]
fn a_simulation_is_not_touched_by_the_context_around_it() {
    let outer = with(1).with_timeout(HOUR);
    let seen = outer.enter(|| Simulation::new(1).run(async { (number(), Context::current().deadline()) }));
    assert_eq!(seen, (None, None));
}
