//! Ending one child: nobody else is touched, exactly one outcome comes of it, and it comes when the child is gone.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use common::{Alive, Inside, a_while, until};
use proptest::prelude::*;
use tidemill_groups::{Failure, TaskGroup, shield};
use tokio::sync::{Barrier, Notify, Semaphore};

type Group = TaskGroup<u32, String>;

/// A child that never ends by itself.
async fn endless(inside: Inside) -> Result<u32, String> {
    let _inside = inside;
    pending().await
}

on_both_runtimes! {
    /// What users of JoinSet expect of `AbortHandle`: the one is cancelled, the others do not notice.
    async fn join_set_an_aborted_child_leaves_its_siblings_alone() {
        let alive = Alive::default();
        let group = Group::new();
        group.spawn(async { a_while().await; Ok(1) }).await.unwrap();
        let stuck = group.spawn_abortable(endless(alive.enter())).await.unwrap();
        group.spawn(async { a_while().await; Ok(3) }).await.unwrap();
        assert!(!stuck.is_finished());
        assert_eq!(stuck.number(), 1);
        stuck.abort();
        stuck.abort();
        let context = group.context().clone();
        assert_eq!(group.wait().await.unwrap(), [1, 3], "no failure of the group");
        assert_eq!((stuck.is_finished(), alive.count(), context.is_cancelled()), (true, 0, false));
    }

    async fn its_outcome_says_that_it_was_aborted() {
        let mut group = Group::new();
        let stuck = group.spawn_abortable(pending()).await.unwrap();
        group.spawn(async { Ok(1) }).await.unwrap();
        assert_eq!(group.next().await.unwrap().unwrap(), 1);
        stuck.abort();
        let (number, outcome) = group.next_numbered().await.unwrap();
        let failure = outcome.unwrap_err();
        assert_eq!((number, failure.is_cancelled(), failure.is_aborted()), (0, true, true));
        assert_eq!(failure.to_string(), "aborted");
        assert!(stuck.is_finished(), "at the latest when the outcome can be taken");
        assert!(!group.is_cancelled());
        let stuck = group.spawn_abortable(pending()).await.unwrap();
        stuck.abort();
        assert!(matches!(&group.outcomes().await[..], [Err(Failure::Aborted)]));
    }

    async fn one_that_has_ended_keeps_its_value() {
        let mut group = Group::new();
        let done = group.spawn_abortable(async { Ok(7) }).await.unwrap();
        until(|| done.is_finished()).await;
        done.abort();
        assert_eq!(group.next().await.unwrap().unwrap(), 7);
        // Its place may be another's by now.
        let alive = Alive::default();
        let other = group.spawn_abortable(endless(alive.enter())).await.unwrap();
        done.abort();
        a_while().await;
        assert_eq!(alive.count(), 1);
        other.abort();
        assert!(group.next().await.unwrap().unwrap_err().is_aborted());
    }

    async fn one_that_was_not_polled_never_is() {
        let polled = Arc::new(AtomicUsize::new(0));
        let group = TaskGroup::<(), String>::builder().limit(1).build().unwrap();
        let gate = Arc::new(Semaphore::new(0));
        let (count, inner) = (Arc::clone(&polled), Arc::clone(&gate));
        let child = group.spawn_abortable(async move {
            inner.acquire().await.unwrap().forget();
            count.fetch_add(1, SeqCst);
            Ok(())
        }).await.unwrap();
        child.abort();
        gate.add_permits(1);
        let outcomes = group.outcomes().await;
        // On another thread it may have come to its wait before the abort; past the wait only if the abort came too late.
        assert_eq!(outcomes[0].is_ok(), polled.load(SeqCst) == 1);
    }

    async fn its_slot_comes_free() {
        let group = Group::builder().limit(1).build().unwrap();
        let stuck = group.spawn_abortable(pending()).await.unwrap();
        let spawner = async {
            group.spawn(async { Ok(2) }).await.unwrap();
            group.stats().waiting
        };
        let mut spawner = Box::pin(spawner);
        assert!(common::poll_once(spawner.as_mut()).is_pending());
        stuck.abort();
        assert_eq!(spawner.await, 0);
        assert_eq!(group.wait().await.unwrap(), [2]);
    }

    async fn one_that_waits_for_the_slot_it_lent_gives_nothing_away_twice() {
        let gate = Arc::new(Semaphore::new(0));
        let group = Group::builder().limit(1).build().unwrap();
        let (scope, inner) = (group.scope(), Arc::clone(&gate));
        let parent = group.spawn_abortable(async move {
            scope.spawn(async move { inner.acquire().await.unwrap().forget(); Ok(2) }).await.unwrap();
            Ok(1)
        }).await.unwrap();
        until(|| group.stats().running == 2).await;
        parent.abort();
        until(|| parent.is_finished()).await;
        assert!(group.try_spawn(async { Ok(3) }).is_err(), "its child has the only slot");
        gate.add_permits(1);
        until(|| group.stats().running == 0).await;
        group.try_spawn(async { Ok(3) }).unwrap();
        assert_eq!(group.wait().await.unwrap(), [2, 3]);
    }

    async fn a_shield_holds_it_off() {
        let (gate, alive, entered) = (Arc::new(Semaphore::new(0)), Alive::default(), Arc::new(Notify::new()));
        let (inner, inside, tell) = (Arc::clone(&gate), alive.enter(), Arc::clone(&entered));
        let group = Group::new();
        let child = group.spawn_abortable(async move {
            let _inside = inside;
            shield(async { tell.notify_one(); inner.acquire().await.unwrap().forget(); }).await;
            pending().await
        }).await.unwrap();
        entered.notified().await;
        child.abort();
        a_while().await;
        assert_eq!(alive.count(), 1);
        gate.add_permits(1);
        assert_eq!(group.wait().await.unwrap(), []);
        assert_eq!(alive.count(), 0);
    }

    async fn an_abort_counts_also_if_the_group_is_cancelled() {
        let group = Group::new();
        let stuck = group.spawn_abortable(pending()).await.unwrap();
        group.spawn(pending()).await.unwrap();
        stuck.abort();
        group.cancel("enough");
        assert_eq!(group.wait().await.unwrap_err().cancelled(), 1, "the other one");
    }

    async fn a_cancel_reaches_it_as_any_child() {
        let group = Group::new();
        let child = group.spawn_abortable(pending()).await.unwrap();
        group.cancel("enough");
        assert_eq!(group.wait().await.unwrap_err().cancelled(), 1);
        assert!(child.is_finished());
    }

    async fn a_failure_and_a_panic_are_what_they_are() {
        let group = Group::new();
        let failed = group.spawn_abortable(async { Err("no disk".to_owned()) }).await.unwrap();
        until(|| failed.is_finished()).await;
        failed.abort();
        assert_eq!(group.wait().await.unwrap_err().child(), Some(0));
        let group = Group::new();
        group.spawn_abortable(async { panic!("as foreseen") }).await.unwrap();
        assert!(group.wait().await.unwrap_err().root().is_panic());
    }

    async fn who_drops_values_keeps_no_aborted_ones() {
        let group = Group::builder().drop_values().build().unwrap();
        for _ in 0..10 {
            group.spawn_abortable(pending()).await.unwrap().abort();
        }
        until(|| group.stats().running == 0).await;
        assert_eq!(group.stats().unread, 0);
        group.wait().await.unwrap();
    }

    /// The handle in another task, at the same time as the end.
    async fn an_abort_that_races_with_the_end_gives_one_outcome() {
        for round in 0..300 {
            let (alive, barrier) = (Alive::default(), Arc::new(Barrier::new(2)));
            let group = Group::new();
            let (inside, meet) = (alive.enter(), Arc::clone(&barrier));
            let child = group.spawn_abortable(async move {
                let _inside = inside;
                meet.wait().await;
                for _ in 0..round % 3 {
                    tokio::task::yield_now().await;
                }
                Ok(round)
            }).await.unwrap();
            let aborter = TaskGroup::<(), String>::new();
            aborter.spawn(async move { barrier.wait().await; child.abort(); Ok(()) }).await.unwrap();
            let outcomes = group.outcomes().await;
            assert_eq!((outcomes.len(), alive.count()), (1, 0));
            match &outcomes[0] {
                Ok(value) => assert_eq!(*value, round),
                Err(failure) => assert!(failure.is_aborted()),
            }
            aborter.wait().await.unwrap();
        }
    }
}

/// Is pending so many times.
async fn turns(count: usize) {
    let mut left = count;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Children of different lengths, some aborted at different moments: each has one outcome, in its place; none of those
    /// that nobody aborted is lost, and the limit's slots are all there in the end.
    #[test]
    fn every_child_has_one_outcome_whatever_is_aborted_when(
        children in prop::collection::vec((0..6_usize, prop::option::of(0..6_usize)), 1..20),
        limit in prop::option::of(1..4_usize),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let options = TaskGroup::<usize, String>::builder();
            let group = limit.map_or(options, |limit| TaskGroup::builder().limit(limit)).build().unwrap();
            for (number, (length, _)) in children.iter().copied().enumerate() {
                let child = group.spawn_abortable(async move { turns(length).await; Ok(number) }).await.unwrap();
                if let Some(after) = children[number].1 {
                    turns(after).await;
                    child.abort();
                }
            }
            let outcomes = group.outcomes().await;
            assert_eq!(outcomes.len(), children.len());
            for (number, outcome) in outcomes.iter().enumerate() {
                match outcome {
                    Ok(value) => assert_eq!(*value, number),
                    Err(failure) => assert!(failure.is_aborted() && children[number].1.is_some()),
                }
            }
        });
    }
}
