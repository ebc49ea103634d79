//! What ends a group and what does not: causes, deadlines, contexts, drops, shields, and the start handshake.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    future::{pending, ready},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Alive, a_while, on_both, poll_once, until};
use tidemill_context::{Cause, Context, ManualClock};
use tidemill_groups::{Failure, Ready, SpawnError, StartError, TaskGroup, shield};
use tokio::sync::{Notify, Semaphore, oneshot};

type Group = TaskGroup<(), String>;

on_both_runtimes! {
    async fn a_cancel_ends_the_children_with_its_cause() {
        let alive = Alive::default();
        let inside = alive.enter();
        let mut group = Group::new();
        group.spawn(async move { let _inside = inside; pending().await }).await.unwrap();
        group.cancel("enough");
        group.cancel("too late");
        let Some(Err(Failure::Cancelled(cause))) = group.next().await else { panic!("it was cut") };
        assert_eq!((cause.to_string().as_str(), alive.count()), ("cancelled: enough", 0));
        assert_eq!(group.wait().await.unwrap(), [], "all outcomes were taken before");
    }

    async fn wait_tells_why_the_group_was_cancelled() {
        let group = Group::new();
        group.spawn(pending()).await.unwrap();
        group.cancel(Cause::Signal(15));
        let error = group.wait().await.unwrap_err();
        assert!(matches!(error.root(), Failure::Cancelled(Cause::Signal(15))));
        assert_eq!((error.child(), error.cancelled()), (None, 1));
        assert_eq!(error.to_string(), "the group was cut short: signal 15 (and 1 cancelled)");
    }

    async fn a_cancelled_group_takes_no_child_and_says_so_in_the_end() {
        let group = Group::new();
        group.spawn(async { Ok(()) }).await.unwrap();
        until(|| group.stats().running == 0).await;
        group.cancel("enough");
        assert!(matches!(group.spawn(async { Ok(()) }).await, Err(SpawnError::Cancelled(_))));
        // All that was started has succeeded, but not all was started.
        let error = group.wait().await.unwrap_err();
        assert_eq!(error.to_string(), "the group was cut short: cancelled: enough");
    }

    /// python-trio/trio#1457: a group that is left or cancelled when all its children have succeeded has succeeded.
    async fn trio_1457_leaving_a_group_cancels_nobody_when_all_have_succeeded() {
        let outer = Context::background();
        let group = TaskGroup::<u32, String>::builder().context(outer.clone()).build().unwrap();
        let inner = group.context().clone();
        group.spawn(async { Ok(1) }).await.unwrap();
        assert_eq!(group.wait().await.unwrap(), [1]);
        assert!(!outer.is_cancelled() && !inner.is_cancelled());
        let mut group = TaskGroup::<u32, String>::new();
        let inner = group.context().clone();
        group.spawn(async { Ok(1) }).await.unwrap();
        group.idle().await;
        drop(group);
        assert!(!inner.is_cancelled());
        let mut group = TaskGroup::<u32, String>::new();
        group.spawn(async { Ok(1) }).await.unwrap();
        group.idle().await;
        group.cancel("too late to matter");
        assert_eq!(group.wait().await.unwrap(), [1]);
    }

    /// golang/go#27837: with a limit and a context the real error hides behind "cancelled".
    async fn go_27837_the_root_is_the_real_error_and_no_consequence_of_it() {
        for _ in 0..50 {
            let group = TaskGroup::<(), String>::builder().limit(2).build().unwrap();
            let ready = Arc::new(Notify::new());
            let told = Arc::clone(&ready);
            // Ends itself with an error as soon as it hears of the cancel, and may well be faster than the group.
            let waits = async move {
                let cancelled = Context::current().cancelled();
                told.notify_one();
                let cause = shield(cancelled).await;
                Err(format!("gave up: {cause}"))
            };
            group.spawn(waits).await.unwrap();
            ready.notified().await;
            group.spawn(async { Err("no disk".to_owned()) }).await.unwrap();
            // Waits for a slot, and is refused with the reason.
            while let Ok(()) = group.spawn(async { Ok(()) }).await {}
            let refused = group.spawn(async { Ok(()) }).await.unwrap_err();
            assert_eq!(refused.to_string(), "the group takes no more children: cancelled: no disk");
            let error = group.wait().await.unwrap_err();
            assert!(matches!(error.root(), Failure::Error(text) if text == "no disk"), "{error}");
            assert!(matches!(error.others(), [(0, Failure::Error(text))] if text == "gave up: cancelled: no disk"));
        }
    }

    async fn go_27837_a_cancel_from_outside_is_the_root_whatever_children_make_of_it() {
        for _ in 0..50 {
            let outer = Context::background();
            let group = TaskGroup::<(), String>::builder().context(outer.clone()).build().unwrap();
            for _ in 0..3 {
                group.spawn(async {
                    let cause = shield(Context::current().cancelled()).await;
                    Err(format!("gave up: {cause}"))
                }).await.unwrap();
            }
            a_while().await;
            outer.cancel(Cause::Shutdown);
            let error = group.wait().await.unwrap_err();
            assert!(matches!(error.root(), Failure::Cancelled(Cause::Shutdown)), "{error}");
            assert_eq!(error.others().len() + error.cancelled(), 3);
        }
    }

    /// tokio-rs/tokio#3903: dropping the handle of a group has to cancel it.
    async fn tokio_3903_dropping_a_group_cancels_it() {
        let alive = Alive::default();
        let group = Group::new();
        let context = group.context().clone();
        for _ in 0..3 {
            let inside = alive.enter();
            group.spawn(async move { let _inside = inside; pending().await }).await.unwrap();
        }
        let mut wait = Box::pin(group.wait());
        assert!(poll_once(wait.as_mut()).is_pending());
        drop(wait);
        assert!(context.is_cancelled());
        until(|| alive.count() == 0).await;
    }

    async fn children_see_the_groups_context_and_what_it_inherits() {
        let outer = Context::background().with_value(7_u8);
        let seen = outer.scope(async {
            let group = TaskGroup::<u8, String>::new();
            group.spawn(async {
                tokio::task::yield_now().await;
                Ok(*Context::current().value::<u8>().unwrap())
            }).await.unwrap();
            group.wait().await.unwrap()
        }).await;
        assert_eq!(seen, [7]);
        assert!(Context::try_current().is_none(), "it is put back");
    }

    async fn a_cancel_of_the_ambient_context_ends_the_group() {
        let outer = Context::background();
        let group = outer.enter(Group::new);
        group.spawn(pending()).await.unwrap();
        outer.cancel("the client went away");
        assert!(group.is_cancelled());
        assert_eq!(group.wait().await.unwrap_err().root().to_string(), "cancelled: the client went away");
    }

    async fn the_first_failure_cancels_the_groups_context_and_not_the_one_above() {
        let outer = Context::background();
        let group = outer.enter(Group::new);
        let inner = group.context().clone();
        group.spawn(async { Err("no disk".to_owned()) }).await.unwrap();
        group.wait().await.unwrap_err();
        assert_eq!(inner.cause().unwrap().to_string(), "cancelled: no disk");
        assert!(!outer.is_cancelled());
    }

    async fn a_deadline_that_has_passed_starts_nothing() {
        let group = Group::builder().timeout(Duration::ZERO).build().unwrap();
        assert_eq!(group.spawn(async { Ok(()) }).await, Err(SpawnError::Cancelled(Cause::DeadlineExceeded)));
        let group = Group::builder().deadline(Instant::now()).timeout(Duration::from_secs(60)).build().unwrap();
        assert_eq!(group.spawn(async { Ok(()) }).await, Err(SpawnError::Cancelled(Cause::DeadlineExceeded)));
        group.wait().await.unwrap_err();
    }

    async fn a_deadline_in_time_ends_the_children() {
        let group = Group::builder().timeout(Duration::from_millis(2)).build().unwrap();
        group.spawn(pending()).await.unwrap();
        assert!(matches!(group.wait().await.unwrap_err().root(), Failure::Cancelled(Cause::DeadlineExceeded)));
    }

    /// torrust-tracker#1586: one deadline over all children, what each came to, and nobody left.
    async fn torrust_1586_one_deadline_ends_all_children_and_says_which() {
        let (clock, alive) = (ManualClock::new(), Alive::default());
        let options = TaskGroup::<u32, String>::builder().context(Context::on(&clock));
        let group = options.timeout(Duration::from_secs(5)).build().unwrap();
        for number in 0..4 {
            let inside = alive.enter();
            group.spawn(async move {
                let _inside = inside;
                if number % 2 == 0 { Ok(number) } else { pending().await }
            }).await.unwrap();
        }
        until(|| group.stats().running == 2).await;
        clock.advance(Duration::from_secs(5));
        let outcomes = group.outcomes().await;
        assert_eq!(alive.count(), 0);
        for (number, outcome) in outcomes.iter().enumerate() {
            let cut = matches!(outcome, Err(Failure::Cancelled(Cause::DeadlineExceeded)));
            assert_eq!((outcome.is_ok(), cut), (number % 2 == 0, number % 2 == 1), "child {number}");
        }
    }

    async fn a_child_that_was_woken_for_the_cancel_and_is_ready_is_cut_all_the_same() {
        // A cancelled group does not poll its children again.
        let group = TaskGroup::<u8, String>::new();
        let (sender, receiver) = oneshot::channel();
        group.spawn(async move { receiver.await.map_err(|error| error.to_string()) }).await.unwrap();
        group.cancel("enough");
        let _ = sender.send(7);
        assert!(group.wait().await.is_err());
    }

    async fn a_shield_is_not_cut_and_the_child_goes_on_to_its_next_wait() {
        let (gate, alive, past) = (Arc::new(Semaphore::new(0)), Alive::default(), Alive::default());
        let group = Group::new();
        let entered = Arc::new(Notify::new());
        let inside = Arc::clone(&entered);
        let (inner_gate, inner_alive, inner_past) = (Arc::clone(&gate), alive.clone(), past.clone());
        group.spawn(async move {
            let _alive = inner_alive.enter();
            shield(async {
                inside.notify_one();
                inner_gate.acquire().await.unwrap().forget();
                assert!(Context::current().check().is_ok(), "nothing that waits in here is to refuse");
            }).await;
            let _past = std::mem::ManuallyDrop::new(inner_past.enter());
            pending().await
        }).await.unwrap();
        entered.notified().await;
        group.cancel("enough");
        let mut wait = pin!(group.wait());
        assert!(poll_once(wait.as_mut()).is_pending());
        a_while().await;
        assert_eq!(alive.count(), 1, "the shield holds");
        gate.add_permits(1);
        let error = wait.await.unwrap_err();
        assert_eq!((error.cancelled(), alive.count(), past.count()), (1, 0, 1));
    }

    async fn shields_nest_and_a_dropped_one_protects_no_more() {
        let group = Group::new();
        let (gate, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let (inner, inside) = (Arc::clone(&gate), Arc::clone(&entered));
        group.spawn(async move {
            shield(async {
                shield(ready(())).await;
                inside.notify_one();
                inner.acquire().await.unwrap().forget();
            }).await;
            drop(Box::pin(shield(pending::<()>())));
            let mut given_up = Box::pin(shield(pending::<()>()));
            assert!(poll_once(given_up.as_mut()).is_pending());
            drop(given_up);
            pending().await
        }).await.unwrap();
        entered.notified().await;
        group.cancel("enough");
        a_while().await;
        assert_eq!(group.stats().running, 1, "the outer one holds");
        gate.add_permits(1);
        group.wait().await.unwrap_err();
    }

    async fn a_nested_group_that_is_waited_for_under_a_shield_is_waited_for_by_the_outer() {
        let alive = Alive::default();
        let inside = alive.enter();
        let outer = Group::new();
        let entered = Arc::new(Notify::new());
        let tell = Arc::clone(&entered);
        outer.spawn(async move {
            let inner = Group::new();
            inner.spawn(async move { let _inside = inside; pending().await }).await.unwrap();
            shield(async { tell.notify_one(); inner.wait().await }).await.map(drop).map_err(|error| error.to_string())
        }).await.unwrap();
        entered.notified().await;
        outer.cancel("enough");
        let error = outer.wait().await.unwrap_err();
        assert_eq!(alive.count(), 0);
        assert!(matches!(error.root(), Failure::Cancelled(_)));
    }

    async fn a_start_gives_what_the_child_says_and_the_child_goes_on() {
        let group = TaskGroup::<u32, String>::new();
        let said = group.start(|ready: Ready<&str>| async move {
            tokio::task::yield_now().await;
            ready.set("here").unwrap();
            a_while().await;
            Ok(7)
        }).await.unwrap();
        assert_eq!(said, "here");
        assert_eq!(group.wait().await.unwrap(), [7]);
    }

    async fn a_child_that_fails_before_it_is_ready_fails_the_start_alone() {
        let group = Group::new();
        let failed = group.start(|_ready: Ready<()>| async { Err("no port".to_owned()) }).await;
        assert!(matches!(failed, Err(StartError::Failed(Failure::Error(text))) if text == "no port"));
        let failed = group.start(|_ready: Ready<()>| async { panic!("no luck") }).await.unwrap_err();
        assert_eq!(failed.to_string(), "the child failed before it was ready: panicked: no luck");
        let silent = group.start(|_ready: Ready<()>| async { Ok(()) }).await;
        assert!(matches!(silent, Err(StartError::NotReady)));
        assert!(!group.is_cancelled());
        assert_eq!(group.wait().await.unwrap().len(), 1, "the silent one has succeeded");
    }

    async fn a_child_that_fails_after_it_was_ready_fails_the_group() {
        let group = Group::new();
        group.start(|ready| async move { ready.set(()).unwrap(); Err("later".to_owned()) }).await.unwrap();
        assert!(matches!(group.wait().await.unwrap_err().root(), Failure::Error(text) if text == "later"));
    }

    /// python-trio/trio#1431, #2895: a start that is cancelled while the child says that it is ready.
    async fn trio_2895_a_start_that_is_given_up_takes_its_child_along_unless_it_was_ready() {
        let alive = Alive::default();
        let group = Group::new();
        {
            let inside = alive.enter();
            let mut start = Box::pin(group.start(|ready: Ready<()>| async move {
                let _both = (ready, inside);
                pending().await
            }));
            assert!(poll_once(start.as_mut()).is_pending());
            drop(start);
            until(|| alive.count() == 0).await;
        }
        assert!(!group.is_cancelled());
        let inside = alive.enter();
        let (go, said) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (waits, tell) = (Arc::clone(&go), Arc::clone(&said));
        let mut start = Box::pin(group.start(|ready: Ready<()>| async move {
            let _inside = inside;
            waits.notified().await;
            ready.set(()).unwrap();
            tell.notify_one();
            pending().await
        }));
        assert!(poll_once(start.as_mut()).is_pending());
        go.notify_one();
        said.notified().await;
        drop(start);
        a_while().await;
        assert_eq!(alive.count(), 1, "it was ready: it is a child as any");
        group.cancel("enough");
        let error = group.wait().await.unwrap_err();
        assert_eq!((alive.count(), error.cancelled()), (0, 1));
    }

    async fn trio_2895_a_group_that_is_cancelled_during_a_start() {
        let group = Group::new();
        let mut start = Box::pin(group.start(|ready: Ready<()>| async move { let _ready = ready; pending().await }));
        assert!(poll_once(start.as_mut()).is_pending());
        group.cancel("enough");
        let failed = start.await.unwrap_err();
        assert_eq!(failed.to_string(), "the child failed before it was ready: cancelled: enough");
        assert_eq!(group.wait().await.unwrap_err().cancelled(), 1);
    }

    async fn who_starts_is_bound_by_its_own_context() {
        let group = Group::new();
        let caller = Context::background().with_timeout(Duration::from_millis(2));
        let late = caller.scope(group.start(|ready: Ready<()>| async move { let _ready = ready; pending().await })).await;
        assert!(matches!(late, Err(StartError::Refused(SpawnError::Caller(Cause::DeadlineExceeded)))));
        assert!(group.wait().await.unwrap().is_empty(), "the child was cut alone");
    }

    async fn a_child_that_is_ready_too_late_is_told() {
        let group = Group::new();
        let (go, waits) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let entered = Arc::new(Notify::new());
        let inside = Arc::clone(&entered);
        let mut start = Box::pin(group.start(|ready| async move {
            shield(async { inside.notify_one(); waits.await }).await.unwrap();
            tell.send(ready.set("here")).unwrap();
            Ok(())
        }));
        assert!(poll_once(start.as_mut()).is_pending());
        entered.notified().await;
        drop(start);
        go.send(()).unwrap();
        assert_eq!(told.await.unwrap(), Err("here"));
        group.wait().await.unwrap();
    }
}

#[test]
fn a_deadline_is_kept_by_the_contexts_clock() {
    on_both(|_| async {
        let clock = ManualClock::new();
        let group = Group::builder().context(Context::on(&clock)).timeout(Duration::from_secs(3600)).build().unwrap();
        group.spawn(pending()).await.unwrap();
        clock.advance(Duration::from_secs(3599));
        assert!(!group.is_cancelled());
        clock.advance(Duration::from_secs(1));
        assert!(group.is_cancelled());
        assert!(matches!(group.wait().await.unwrap_err().root(), Failure::Cancelled(Cause::DeadlineExceeded)));
    });
}
