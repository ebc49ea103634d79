//! The adaptors: order, bounds, failures, and children that go on while the consumer is busy.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use common::{Alive, until};
use tidemill_context::{Cause, Context};
use tidemill_groups::{
    BuildError, Failure, ForEachError, SpawnError, TaskGroup, for_each_concurrent, map_concurrent, map_concurrent_with,
};
use tokio::sync::Semaphore;

/// Takes a different number of turns for each number.
async fn steps(number: usize) -> Result<usize, String> {
    for _ in 0..(number * 7) % 5 {
        tokio::task::yield_now().await;
    }
    Ok(number)
}

on_both_runtimes! {
    async fn results_come_in_the_order_of_the_inputs() {
        for limit in [1, 2, 7, 1_000] {
            let all = map_concurrent(0..100, limit, steps).unwrap().collect().await.unwrap();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
        }
    }

    async fn unordered_results_come_as_they_are_ready() {
        let gate = Arc::new(Semaphore::new(0));
        let inner = Arc::clone(&gate);
        let mut map = map_concurrent(0..2, 2, move |number| {
            let gate = Arc::clone(&inner);
            async move {
                if number == 0 {
                    gate.acquire().await.unwrap().forget();
                }
                Ok::<_, String>(number)
            }
        }).unwrap().unordered();
        assert_eq!(map.next().await.unwrap().unwrap(), 1);
        gate.add_permits(1);
        assert_eq!(map.next().await.unwrap().unwrap(), 0);
        assert!(map.next().await.is_none());
        let mut all = map_concurrent(0..100, 8, steps).unwrap().unordered().collect().await.unwrap();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    /// rust-lang/futures-rs#2387: buffered streams stop polling their children while the consumer works.
    async fn futures_2387_children_go_on_while_the_consumer_is_busy() {
        let finished = Arc::new(AtomicUsize::new(0));
        let inner = Arc::clone(&finished);
        let mut map = map_concurrent(0..10, 4, move |number| {
            let finished = Arc::clone(&inner);
            async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                finished.fetch_add(1, SeqCst);
                Ok::<_, String>(number)
            }
        }).unwrap();
        map.next().await.unwrap().unwrap();
        // The consumer does not ask for the next one, and the others come to their end.
        until(|| finished.load(SeqCst) == 4).await;
        assert_eq!(map.outcomes().await.len(), 9);
    }

    async fn no_more_is_pulled_than_the_limit_says() {
        let pulled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&pulled);
        let inputs = (0..100).inspect(move |_| { count.fetch_add(1, SeqCst); });
        let mut map = map_concurrent(inputs, 3, steps).unwrap();
        assert_eq!(pulled.load(SeqCst), 0, "nothing before the first `next`");
        for taken in 0..100 {
            assert_eq!(map.next().await.unwrap().unwrap(), taken);
            assert!(pulled.load(SeqCst) <= taken + 3, "finished ones count until they are taken");
        }
        assert!(map.next().await.is_none());
    }

    async fn the_first_failure_is_given_out_at_once_and_ends_it() {
        for ordered in [true, false] {
            let alive = Alive::default();
            let inner = alive.clone();
            let map = map_concurrent(0..10, 4, move |number| {
                let inside = inner.enter();
                async move {
                    let _inside = inside;
                    if number == 2 { Err("two".to_owned()) } else { std::future::pending::<Result<(), _>>().await }
                }
            }).unwrap();
            let mut map = if ordered { map } else { map.unordered() };
            assert!(matches!(map.next().await, Some(Err(Failure::Error(text))) if text == "two"));
            assert!(map.next().await.is_none());
            assert_eq!(alive.count(), 0, "all are gone by then");
            assert!(map.next().await.is_none());
        }
    }

    async fn a_panic_of_a_call_is_its_failure() {
        let map = map_concurrent([1], 1, |number: u32| async move {
            assert_eq!(number, 0, "as foreseen");
            Ok::<_, String>(number)
        }).unwrap();
        assert!(map.collect().await.unwrap_err().is_panic());
    }

    async fn under_supervision_all_is_done() {
        let odd = |number: usize| async move { if number % 2 == 1 { Ok(number) } else { Err(format!("{number} is even")) } };
        let options = TaskGroup::builder().supervise();
        let all = map_concurrent_with(options, 0..10, 3, odd).unwrap().outcomes().await;
        assert_eq!(all.len(), 10);
        assert!(all.iter().enumerate().all(|(number, outcome)| outcome.is_ok() == (number % 2 == 1)), "in order");
        let first = map_concurrent_with(TaskGroup::builder().supervise(), 0..10, 3, odd).unwrap().collect().await;
        assert_eq!(first.unwrap_err().into_error().unwrap(), "0 is even");
    }

    async fn a_cancel_is_no_end() {
        let context = Context::background();
        context.cancel(Cause::Shutdown);
        let options = TaskGroup::builder().context(context);
        let mut map = map_concurrent_with(options, 0..10, 3, steps).unwrap();
        assert!(matches!(map.next().await, Some(Err(Failure::Cancelled(Cause::Shutdown)))));
        assert!(map.next().await.is_none());
    }

    async fn a_dropped_map_cancels_what_is_under_way() {
        let alive = Alive::default();
        let inner = alive.clone();
        let mut map = map_concurrent(0..10, 4, move |number| {
            let inside = inner.enter();
            async move {
                let _inside = inside;
                if number == 0 { Ok::<_, String>(0) } else { std::future::pending().await }
            }
        }).unwrap();
        map.next().await.unwrap().unwrap();
        drop(map);
        until(|| alive.count() == 0).await;
    }

    async fn for_each_does_all_or_says_why_not() {
        let sum = Arc::new(AtomicUsize::new(0));
        let add = |number| {
            let sum = Arc::clone(&sum);
            async move { sum.fetch_add(number, SeqCst); Ok::<_, String>(()) }
        };
        for_each_concurrent(1..=100, 8, add).await.unwrap();
        assert_eq!(sum.load(SeqCst), 5050);
        let fail = |number| async move { if number == 7 { Err("seven") } else { Ok(()) } };
        let Err(ForEachError::Failed(error)) = for_each_concurrent(0.., 3, fail).await else { panic!("it fails") };
        assert!(matches!(error.root(), Failure::Error("seven")), "and the inputs without end are given up");
    }
}

/// rust-lang/futures-rs#2876, #2939: `buffered(0)` hangs for ever.
#[test]
fn futures_2939_a_limit_of_zero_is_refused() {
    assert_eq!(map_concurrent(0..3, 0, steps).unwrap_err(), BuildError::NoSlots);
    let each = futures_lite::future::block_on(for_each_concurrent([1], 0, |_| async { Ok::<_, String>(()) }));
    assert!(matches!(each, Err(ForEachError::Limit(BuildError::NoSlots))));
}

#[test]
fn outside_of_every_runtime_it_says_so() {
    let mut map = map_concurrent(0..3, 2, steps).unwrap();
    let Some(Err(Failure::Cancelled(cause))) = futures_lite::future::block_on(map.next()) else { panic!("no runtime") };
    assert_eq!(cause.downcast_ref(), Some(&SpawnError::NoRuntime));
}
