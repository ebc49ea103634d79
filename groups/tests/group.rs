//! What a group gives back: values, errors, panics, in which order, and when. Each body runs on tidemill and on plain tokio.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use common::{Alive, Inside, a_while, on_both, poll_once, until};
use tidemill_groups::{Failure, Scope, SpawnError, TaskGroup};
use tokio::sync::Barrier;

on_both_runtimes! {
    async fn values_come_in_order_of_spawning() {
        let group = TaskGroup::<usize, &str>::new();
        for number in 0..50 {
            group.spawn(async move {
                for _ in 0..(50 - number) % 7 {
                    tokio::task::yield_now().await;
                }
                Ok(number)
            }).await.unwrap();
        }
        assert_eq!(group.wait().await.unwrap(), (0..50).collect::<Vec<_>>());
    }

    async fn an_empty_group_gives_nothing_at_once() {
        let mut group = TaskGroup::<(), &str>::new();
        assert!(group.next().await.is_none());
        group.idle().await;
        assert_eq!(group.wait().await.unwrap(), []);
    }

    async fn children_run_in_parallel() {
        // Each waits for the other.
        let barrier = Arc::new(Barrier::new(2));
        let group = TaskGroup::<(), &str>::new();
        for _ in 0..2 {
            let barrier = Arc::clone(&barrier);
            group.spawn(async move { barrier.wait().await; Ok(()) }).await.unwrap();
        }
        assert_eq!(group.wait().await.unwrap().len(), 2);
    }

    async fn outcomes_come_as_they_are_completed() {
        let mut group = TaskGroup::<u32, &str>::new();
        let (first, waits) = tokio::sync::oneshot::channel();
        group.spawn(async move { waits.await.unwrap(); Ok(1) }).await.unwrap();
        group.spawn(async move { Ok(2) }).await.unwrap();
        assert_eq!(group.next_numbered().await.map(|(number, outcome)| (number, outcome.unwrap())), Some((1, 2)));
        first.send(()).unwrap();
        assert_eq!(group.next_numbered().await.map(|(number, outcome)| (number, outcome.unwrap())), Some((0, 1)));
        assert!(group.next().await.is_none());
        // And the group may be used again.
        group.spawn(async { Ok(3) }).await.unwrap();
        assert_eq!(group.next().await.unwrap().unwrap(), 3);
    }

    async fn a_dropped_next_loses_nothing() {
        let mut group = TaskGroup::<u32, &str>::new();
        let (go, waits) = tokio::sync::oneshot::channel();
        group.spawn(async move { waits.await.unwrap(); Ok(1) }).await.unwrap();
        assert!(poll_once(pin!(group.next())).is_pending());
        go.send(()).unwrap();
        until(|| group.stats().running == 0).await;
        assert_eq!(group.next().await.unwrap().unwrap(), 1);
    }

    async fn the_first_error_cancels_the_rest_and_is_the_root() {
        let alive = Alive::default();
        let group = TaskGroup::<(), String>::new();
        for _ in 0..5 {
            let inside = alive.enter();
            group.spawn(async move { let _inside = inside; pending().await }).await.unwrap();
        }
        group.spawn(async { Err("no disk".to_owned()) }).await.unwrap();
        let error = group.wait().await.unwrap_err();
        assert_eq!(alive.count(), 0, "wait returns after the destructors of those that were cut");
        assert!(matches!(error.root(), Failure::Error(text) if text == "no disk"));
        assert_eq!((error.child(), error.cancelled(), error.others().len()), (Some(5), 5, 0));
        assert_eq!(error.to_string(), "child 5: no disk (and 5 cancelled)");
    }

    async fn wait_waits_for_the_slow_destructors_of_those_that_were_cut() {
        /// Takes a while to go: it is dropped in a poll of its task, so it cannot await.
        struct Slow(Arc<AtomicBool>);
        impl Drop for Slow {
            fn drop(&mut self) {
                let begin = std::time::Instant::now();
                while begin.elapsed() < std::time::Duration::from_millis(20) {
                    std::hint::spin_loop();
                }
                self.0.store(true, SeqCst);
            }
        }
        for through_next in [false, true] {
            let gone = Arc::new(AtomicBool::new(false));
            let slow = Slow(Arc::clone(&gone));
            let mut group = TaskGroup::<(), &str>::new();
            group.spawn(async move { let _slow = slow; pending().await }).await.unwrap();
            group.spawn(async { Err("over") }).await.unwrap();
            if through_next {
                assert!(matches!(group.next().await, Some(Err(Failure::Error("over")))), "the root comes first");
                assert!(matches!(group.next().await, Some(Err(Failure::Cancelled(_)))));
                assert!(gone.load(SeqCst), "an outcome comes when its child is gone");
            } else {
                group.wait().await.unwrap_err();
                assert!(gone.load(SeqCst));
            }
        }
    }

    async fn errors_that_come_after_the_root_are_attached() {
        let group = TaskGroup::<(), String>::new();
        for number in 0..3 {
            group.spawn(tidemill_groups::shield(async move {
                for _ in 0..=number {
                    tokio::task::yield_now().await;
                }
                Err(format!("number {number}"))
            })).await.unwrap();
        }
        let error = group.wait().await.unwrap_err();
        assert_eq!((error.others().len(), error.cancelled()), (2, 0), "{error}");
        let (root, others) = error.into_parts();
        let mut all: Vec<_> = others.into_iter().map(|(_, failure)| failure).chain([root]).map(|f| f.into_error().unwrap()).collect();
        all.sort();
        assert_eq!(all, ["number 0", "number 1", "number 2"]);
    }

    async fn a_panic_cancels_the_rest_and_keeps_its_payload() {
        let alive = Alive::default();
        let inside = alive.enter();
        let group = TaskGroup::<(), String>::new();
        group.spawn(async move { let _inside = inside; pending().await }).await.unwrap();
        group.spawn(async { std::panic::panic_any(77_u8) }).await.unwrap();
        let error = group.wait().await.unwrap_err();
        assert_eq!((alive.count(), error.cancelled(), error.child()), (0, 1, Some(1)));
        let Failure::Panicked(panic) = error.into_root() else { panic!("the panic is the root") };
        assert_eq!(panic.into_payload().downcast_ref(), Some(&77_u8));
    }

    async fn a_panic_can_be_gone_on_with() {
        let group = TaskGroup::<(), String>::new();
        group.spawn(async { panic!("as foreseen") }).await.unwrap();
        let error = group.wait().await.unwrap_err();
        assert_eq!(error.to_string(), "child 0: panicked: as foreseen");
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| error.resume_panic())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"as foreseen"));
    }

    async fn a_panic_of_a_destructor_is_a_panic_of_its_child() {
        /// Panics when it is dropped.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in the destructor");
            }
        }
        for cut in [false, true] {
            let group = TaskGroup::<(), &str>::new();
            let bomb = Bomb;
            group.spawn(async move {
                let _bomb = bomb;
                if cut { pending().await } else { Ok(()) }
            }).await.unwrap();
            if cut {
                group.cancel("enough");
            }
            let error = group.wait().await.unwrap_err();
            let panicked = error.root().is_panic() || error.others().iter().any(|(_, other)| other.is_panic());
            assert!(panicked, "cut: {cut}, {error}");
        }
    }

    async fn supervised_children_leave_each_other_alone() {
        let group = TaskGroup::builder().supervise().build().unwrap();
        for number in 0..6_u32 {
            group.spawn(async move {
                a_while().await;
                match number {
                    1 => Err("one"),
                    3 => panic!("three"),
                    _ => Ok(number),
                }
            }).await.unwrap();
        }
        assert!(!group.is_cancelled());
        let outcomes = group.outcomes().await;
        let good: Vec<_> = outcomes.iter().flatten().copied().collect();
        assert_eq!(good, [0, 2, 4, 5]);
        assert!(matches!(&outcomes[1], Err(Failure::Error("one"))));
        assert!(matches!(&outcomes[3], Err(failure) if failure.is_panic()));
    }

    async fn a_supervised_group_reports_all_failures_the_first_as_root() {
        let mut group = TaskGroup::<(), &str>::builder().supervise().build().unwrap();
        group.spawn(async { Err("first") }).await.unwrap();
        group.idle().await;
        group.spawn(async { Err("second") }).await.unwrap();
        let error = group.wait().await.unwrap_err();
        assert!(matches!(error.root(), Failure::Error("first")));
        assert!(matches!(error.others(), [(1, Failure::Error("second"))]));
    }

    async fn children_spawn_into_their_group() {
        fn node(depth: u32, scope: Scope<u32, &'static str>) -> std::pin::Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>> {
            Box::pin(async move {
                if depth > 0 {
                    for _ in 0..2 {
                        scope.spawn(node(depth - 1, scope.clone())).await.unwrap();
                    }
                }
                Ok(1)
            })
        }
        let group = TaskGroup::new();
        group.spawn(node(6, group.scope())).await.unwrap();
        assert_eq!(group.wait().await.unwrap().len(), 127, "all are waited for, however deep");
    }

    async fn a_group_inside_of_a_child_ends_with_it() {
        let alive = Alive::default();
        let inside = alive.enter();
        let outer = TaskGroup::<(), String>::new();
        outer.spawn(async move {
            let inner = TaskGroup::<(), String>::new();
            inner.spawn(async move { let _inside = inside; pending().await }).await.unwrap();
            inner.wait().await.map(drop).map_err(|error| error.to_string())
        }).await.unwrap();
        outer.spawn(async { Err("over".to_owned()) }).await.unwrap();
        outer.wait().await.unwrap_err();
        // The inner group's owner was dropped with its child; its own children go on their own.
        until(|| alive.count() == 0).await;
    }

    async fn a_scope_refuses_when_the_group_is_over() {
        let group = TaskGroup::<(), &str>::new();
        let scope = group.scope();
        group.wait().await.unwrap();
        assert_eq!(scope.spawn(async { Ok(()) }).await, Err(SpawnError::Closed));
        let refused = scope.try_spawn(async { Ok(()) }).unwrap_err();
        assert_eq!(refused.to_string(), "the group is over");
        refused.into_future().await.unwrap();
    }

    async fn values_can_be_dropped_as_they_come() {
        let group = TaskGroup::<Inside, &str>::builder().supervise().drop_values().build().unwrap();
        let alive = Alive::default();
        for _ in 0..10 {
            let inside = alive.enter();
            group.spawn(async move { Ok(inside) }).await.unwrap();
        }
        group.spawn(async { Err("kept") }).await.unwrap();
        until(|| group.stats().running == 0).await;
        assert_eq!((alive.count(), group.stats().unread, group.stats().spawned), (0, 1, 11));
        assert!(matches!(group.wait().await.unwrap_err().root(), Failure::Error("kept")));
    }

    async fn the_owner_is_woken_once_for_all() {
        // `wait` is polled at the beginning and at the end, not for each child.
        let group = TaskGroup::<(), &str>::new();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        for _ in 0..20 {
            let gate = Arc::clone(&gate);
            group.spawn(async move { gate.acquire().await.unwrap().forget(); Ok(()) }).await.unwrap();
        }
        let mut polls = 0;
        let mut wait = pin!(group.wait());
        poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                gate.add_permits(20);
            }
            wait.as_mut().poll(cx).map(|all| assert_eq!(all.unwrap().len(), 20))
        }).await;
        assert!(polls <= 3, "{polls}");
    }
}

#[test]
fn a_group_can_be_made_outside_of_a_runtime() {
    on_both(|on| async move {
        let group =
            std::thread::spawn(move || TaskGroup::<u32, &str>::builder().on(on).build().unwrap()).join().unwrap();
        group.spawn(async { Ok(7) }).await.unwrap();
        assert_eq!(group.wait().await.unwrap(), [7]);
    });
    let group = TaskGroup::<u32, &str>::new();
    let refused = futures_lite::future::block_on(group.spawn(async { Ok(7) }));
    assert_eq!(refused, Err(SpawnError::NoRuntime));
    // Inside of one, such a group spawns there.
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(
        tokio.block_on(async {
            group.spawn(async { Ok(7) }).await.unwrap();
            group.wait().await.unwrap()
        }),
        [7]
    );
}

#[test]
fn the_end_of_the_runtime_ends_the_group() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let group = TaskGroup::<(), &str>::builder().on(tokio.handle().clone()).build().unwrap();
    futures_lite::future::block_on(group.spawn(pending())).unwrap();
    drop(tokio);
    futures_lite::future::block_on(group.spawn(pending())).unwrap();
    let error = futures_lite::future::block_on(group.wait()).unwrap_err();
    assert_eq!(error.cancelled(), 2);
}

#[test]
fn errors_are_fit_for_boxes_and_threads() {
    fn fit<E: std::error::Error + Send + Sync + 'static>() {}
    fit::<tidemill_groups::GroupError<String>>();
    fit::<tidemill_groups::StartError<String>>();
    fit::<SpawnError>();
}
