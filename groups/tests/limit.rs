//! Slots: the limit holds, waiters come in order, slots come free by themselves, and nobody gets stuck.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    future::pending,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use common::{Alive, a_while, poll_once, until};
use tidemill_context::{Cause, Context};
use tidemill_groups::{BuildError, SpawnError, TaskGroup, TrySpawnError};
use tokio::sync::Semaphore;

/// A child that ends when the gate lets it.
async fn gated(gate: Arc<Semaphore>) -> Result<(), &'static str> {
    gate.acquire().await.unwrap().forget();
    Ok(())
}

on_both_runtimes! {
    async fn no_more_children_run_than_the_limit_says() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let group = TaskGroup::<(), &str>::builder().limit(3).build().unwrap();
        for number in 0..100 {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            group.spawn(async move {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                for _ in 0..number % 4 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, SeqCst);
                Ok(())
            }).await.unwrap();
        }
        assert_eq!(group.wait().await.unwrap().len(), 100);
        assert!((1..=3).contains(&most.load(SeqCst)));
    }

    async fn a_full_group_gives_the_future_back_or_lets_wait() {
        let gate = Arc::new(Semaphore::new(0));
        let group = TaskGroup::builder().limit(1).build().unwrap();
        group.try_spawn(gated(Arc::clone(&gate))).unwrap();
        let refused = group.try_spawn(gated(Arc::clone(&gate))).unwrap_err();
        assert!(matches!(refused, TrySpawnError::Full(_)));
        {
            let mut waiting = pin!(group.spawn(refused.into_future()));
            assert!(poll_once(waiting.as_mut()).is_pending());
            assert_eq!((group.stats().running, group.stats().waiting, group.stats().limit), (1, 1, Some(1)));
            gate.add_permits(1);
            until(|| group.stats().running == 0).await;
            // The slot is the waiter's, although it has not come to take it.
            assert!(matches!(group.try_spawn(gated(Arc::clone(&gate))), Err(TrySpawnError::Full(_))));
            waiting.await.unwrap();
        }
        gate.add_permits(1);
        assert_eq!(group.wait().await.unwrap().len(), 2);
    }

    async fn waiters_get_slots_in_order_of_arrival() {
        let gate = Arc::new(Semaphore::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let group = TaskGroup::builder().limit(1).build().unwrap();
        group.spawn(gated(Arc::clone(&gate))).await.unwrap();
        let mut spawns: Vec<_> = (0..5).map(|number| {
            let order = Arc::clone(&order);
            Box::pin(group.spawn(async move { order.lock().unwrap().push(number); Ok(()) }))
        }).collect();
        for spawn in &mut spawns {
            assert!(poll_once(spawn.as_mut()).is_pending());
        }
        gate.add_permits(1);
        // The last asks first, and gets its slot last all the same.
        while !spawns.is_empty() {
            tokio::task::yield_now().await;
            for position in (0..spawns.len()).rev() {
                if poll_once(spawns[position].as_mut()).is_ready() {
                    drop(spawns.remove(position));
                }
            }
        }
        until(|| group.stats().running == 0).await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
        drop(spawns);
        group.wait().await.unwrap();
    }

    async fn a_dropped_spawn_leaves_no_claim() {
        let gate = Arc::new(Semaphore::new(0));
        let group = TaskGroup::builder().limit(1).build().unwrap();
        group.spawn(gated(Arc::clone(&gate))).await.unwrap();
        let mut first = Box::pin(group.spawn(gated(Arc::clone(&gate))));
        let mut second = Box::pin(group.spawn(gated(Arc::clone(&gate))));
        assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
        gate.add_permits(1);
        until(|| group.stats().running == 0).await;
        // The first was granted the slot and goes: it is the second's.
        drop(first);
        second.await.unwrap();
        gate.add_permits(1);
        assert_eq!(group.wait().await.unwrap().len(), 2);
    }

    /// sourcegraph/conc#78: users expect slots to come free without a call of `Wait`.
    async fn conc_78_slots_come_free_without_waiting_for_results() {
        let group = TaskGroup::<(), &str>::builder().limit(2).build().unwrap();
        for _ in 0..1_000 {
            group.spawn(async { Ok(()) }).await.unwrap();
        }
        assert_eq!(group.stats().spawned, 1_000);
        group.wait().await.unwrap();
    }

    /// sourcegraph/conc#107: who waits for a slot can be cancelled, by the group's end and by its own context.
    async fn conc_107_a_wait_for_a_slot_ends_with_a_cancel() {
        let group = TaskGroup::<(), &str>::builder().limit(1).build().unwrap();
        group.spawn(pending()).await.unwrap();
        let caller = Context::background();
        {
            let mut waiting = Box::pin(caller.scope(group.spawn(pending())));
            assert!(poll_once(waiting.as_mut()).is_pending());
            caller.cancel("the client went away");
            let refused = waiting.await.unwrap_err();
            assert_eq!(refused.to_string(), "gave up waiting for a slot of the group: cancelled: the client went away");
        }
        assert_eq!(group.stats().waiting, 0);
        {
            let mut waiting = Box::pin(group.spawn(pending()));
            assert!(poll_once(waiting.as_mut()).is_pending());
            group.cancel("enough");
            assert_eq!(waiting.await.unwrap_err().to_string(), "the group takes no more children: cancelled: enough");
        }
        group.wait().await.unwrap_err();
    }

    async fn a_caller_without_time_is_refused_at_once_but_takes_a_free_slot() {
        let group = TaskGroup::<(), &str>::builder().limit(1).build().unwrap();
        let late = Context::background().with_timeout(std::time::Duration::ZERO);
        late.scope(group.spawn(pending())).await.unwrap();
        assert_eq!(late.scope(group.spawn(pending())).await, Err(SpawnError::Caller(Cause::DeadlineExceeded)));
        group.shutdown().await;
    }

    /// panjf2000/ants#56, #197: a task that submits tasks dead-locks a full pool.
    async fn ants_56_children_that_spawn_into_their_full_group_get_on() {
        let running = Alive::default();
        let most = Arc::new(AtomicUsize::new(0));
        let group = TaskGroup::<u32, &'static str>::builder().limit(2).build().unwrap();
        for _ in 0..3 {
            let (scope, running, most) = (group.scope(), running.clone(), Arc::clone(&most));
            group.spawn(async move {
                for _ in 0..4 {
                    let (running, most) = (running.clone(), Arc::clone(&most));
                    scope.spawn(async move {
                        let _inside = running.enter();
                        most.fetch_max(running.count(), SeqCst);
                        tokio::task::yield_now().await;
                        Ok(1)
                    }).await.unwrap();
                }
                Ok(0)
            }).await.unwrap();
        }
        assert_eq!(group.wait().await.unwrap().into_iter().sum::<u32>(), 12);
        assert!(most.load(SeqCst) <= 2, "the limit holds");
    }

    async fn a_child_that_has_lent_its_slot_waits_for_one() {
        let gate = Arc::new(Semaphore::new(0));
        let spawned = Alive::default();
        let group = TaskGroup::<(), &str>::builder().limit(1).build().unwrap();
        let (scope, mark, inner) = (group.scope(), spawned.clone(), Arc::clone(&gate));
        group.spawn(async move {
            scope.spawn(gated(inner)).await.unwrap();
            let _inside = mark.enter();
            pending().await
        }).await.unwrap();
        until(|| group.stats().running == 2).await;
        a_while().await;
        assert_eq!(spawned.count(), 0, "its child has the only slot");
        gate.add_permits(1);
        until(|| spawned.count() == 1).await;
        group.shutdown().await;
    }

    async fn the_limit_can_be_changed_while_spawns_wait() {
        let group = TaskGroup::<(), &str>::builder().limit(1).build().unwrap();
        let scope = group.scope();
        group.spawn(pending()).await.unwrap();
        {
            let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(scope.spawn(pending()))).collect();
            for spawn in &mut waiting {
                assert!(poll_once(spawn.as_mut()).is_pending());
            }
            assert_eq!(scope.set_limit(0), Err(BuildError::NoSlots));
            scope.set_limit(3).unwrap();
            assert_eq!(scope.stats().waiting, 1);
            let ready = waiting.iter_mut().filter_map(|spawn| poll_once(spawn.as_mut()).is_ready().then_some(())).count();
            assert_eq!((ready, scope.stats().running), (2, 3));
            scope.set_limit(1).unwrap();
        }
        assert!(matches!(group.try_spawn(pending()), Err(TrySpawnError::Full(_))));
        group.shutdown().await;
    }
}

/// rust-lang/futures-rs#2876, #2939: a limit of 0 hangs for ever.
#[test]
fn futures_2876_a_limit_of_zero_is_refused() {
    let refused = TaskGroup::<(), &str>::builder().limit(0).build().unwrap_err();
    assert_eq!(refused, BuildError::NoSlots);
    assert!(refused.to_string().starts_with("limit(0)"), "{refused}");
}
