//! The adaptors over streams: what those over iterators do, and the wait for an item beside it.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{self, Poll},
};

use common::{Alive, a_while, poll_once, until};
use futures_core::Stream;
use futures_lite::{FutureExt, stream};
use tidemill_context::{Cause, Context, ManualClock};
use tidemill_groups::{
    BuildError, Failure, ForEachError, SpawnError, TaskGroup, for_each_concurrent_stream, map_concurrent_stream,
    map_concurrent_stream_with,
};
use tokio::sync::{Semaphore, mpsc};

/// Takes a different number of turns for each number.
async fn steps(number: usize) -> Result<usize, String> {
    for _ in 0..(number * 7) % 5 {
        tokio::task::yield_now().await;
    }
    Ok(number)
}

/// Gives what is sent to it, and ends with the sender.
struct Sent<T>(mpsc::UnboundedReceiver<T>);

impl<T> Stream for Sent<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

fn sent<T>() -> (mpsc::UnboundedSender<T>, Sent<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Sent(receiver))
}

/// Is pending once before each item, and may not be moved.
fn slow(count: usize) -> impl Stream<Item = usize> {
    stream::unfold(0, move |next| async move {
        tokio::task::yield_now().await;
        (next < count).then_some((next, next + 1))
    })
}

on_both_runtimes! {
    async fn results_come_in_the_order_of_the_items() {
        for limit in [1, 2, 7, 1_000] {
            let all = map_concurrent_stream(slow(100), limit, steps).unwrap().collect().await.unwrap();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
        }
    }

    async fn unordered_results_come_as_they_are_ready() {
        let gate = Arc::new(Semaphore::new(0));
        let inner = Arc::clone(&gate);
        let mut map = map_concurrent_stream(stream::iter(0..2), 2, move |number| {
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
        let mut all = map_concurrent_stream(slow(100), 8, steps).unwrap().unordered().collect().await.unwrap();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    /// rust-lang/futures-rs#2387: buffered streams stop polling their children while the consumer works.
    async fn futures_2387_children_of_a_stream_go_on_while_the_consumer_is_busy() {
        let finished = Arc::new(AtomicUsize::new(0));
        let inner = Arc::clone(&finished);
        let mut map = map_concurrent_stream(stream::iter(0..10), 4, move |number| {
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
        until(|| finished.load(SeqCst) == 4).await;
        assert_eq!(map.outcomes().await.len(), 9);
    }

    async fn results_are_given_out_while_the_stream_has_nothing() {
        let (sender, items) = sent();
        let mut map = map_concurrent_stream(items, 8, steps).unwrap();
        for number in 0..5 {
            sender.send(number).unwrap();
            assert_eq!(map.next().await.unwrap().unwrap(), number);
        }
        assert!(poll_once(pin!(map.next())).is_pending());
        drop(sender);
        assert!(map.next().await.is_none());
        assert!(map.next().await.is_none());
    }

    async fn the_stream_is_polled_only_as_there_is_room() {
        let pulled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&pulled);
        let items = stream::poll_fn(move |_| Poll::Ready(Some(count.fetch_add(1, SeqCst))));
        let mut map = map_concurrent_stream(items, 3, steps).unwrap();
        assert_eq!(pulled.load(SeqCst), 0, "nothing before the first `next`");
        for taken in 0..100 {
            assert_eq!(map.next().await.unwrap().unwrap(), taken);
            assert!(pulled.load(SeqCst) <= taken + 3, "finished ones count until they are taken");
        }
    }

    async fn a_dropped_next_loses_neither_item_nor_result() {
        for limit in 1..5 {
            let (sender, items) = sent();
            let mut map = map_concurrent_stream(items, limit, steps).unwrap();
            let mut taken = Vec::new();
            for number in 0..60 {
                sender.send(number).unwrap();
                if let Poll::Ready(result) = poll_once(pin!(map.next())) {
                    taken.push(result.unwrap().unwrap());
                }
                if number % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            drop(sender);
            taken.extend(map.collect().await.unwrap());
            assert_eq!(taken, (0..60).collect::<Vec<_>>());
        }
    }

    async fn the_first_failure_is_given_out_at_once_and_ends_it() {
        for ordered in [true, false] {
            let (alive, (sender, items)) = (Alive::default(), sent());
            let inner = alive.clone();
            (0..3).for_each(|number| sender.send(number).unwrap());
            let map = map_concurrent_stream(items, 4, move |number| {
                let inside = inner.enter();
                async move {
                    let _inside = inside;
                    if number == 2 { Err("two".to_owned()) } else { std::future::pending::<Result<(), _>>().await }
                }
            }).unwrap();
            let mut map = if ordered { map } else { map.unordered() };
            assert!(matches!(map.next().await, Some(Err(Failure::Error(text))) if text == "two"));
            assert!(map.next().await.is_none(), "although the stream has no end");
            assert_eq!(alive.count(), 0, "all are gone by then");
            assert!(map.next().await.is_none());
            drop(sender);
        }
    }

    async fn a_panic_of_a_call_is_its_failure_and_one_of_the_stream_is_the_consumers() {
        let map = map_concurrent_stream(slow(1), 1, |number| async move {
            assert_eq!(number, 1, "as foreseen");
            Ok::<_, String>(number)
        }).unwrap();
        assert!(map.collect().await.unwrap_err().is_panic());
        let alive = Alive::default();
        let inner = alive.clone();
        let items = stream::iter(0..2).map_second_to_panic();
        let mut map = map_concurrent_stream(items, 4, move |_| {
            let inside = inner.enter();
            async move { let _inside = inside; std::future::pending::<Result<(), String>>().await }
        }).unwrap();
        assert!(AssertUnwindSafe(map.next()).catch_unwind().await.is_err());
        drop(map);
        until(|| alive.count() == 0).await;
    }

    async fn under_supervision_all_is_done() {
        let odd = |number: usize| async move { if number % 2 == 1 { Ok(number) } else { Err(format!("{number} is even")) } };
        let options = TaskGroup::builder().supervise();
        let all = map_concurrent_stream_with(options, slow(10), 3, odd).unwrap().outcomes().await;
        assert_eq!(all.len(), 10);
        assert!(all.iter().enumerate().all(|(number, outcome)| outcome.is_ok() == (number % 2 == 1)), "in order");
    }

    async fn a_cancel_ends_the_wait_for_an_item() {
        for begun in [0, 1] {
            let (context, (sender, items)) = (Context::background(), sent());
            let options = TaskGroup::builder().context(context.clone());
            let mut map = map_concurrent_stream_with(options, items, 3, steps).unwrap();
            for number in 0..begun {
                sender.send(number).unwrap();
                map.next().await.unwrap().unwrap();
            }
            let mut next = Box::pin(map.next());
            assert!(poll_once(next.as_mut()).is_pending());
            let cancel = async { a_while().await; context.cancel(Cause::Shutdown); std::future::pending().await };
            let ended = next.or(cancel).await;
            assert!(matches!(ended, Some(Err(Failure::Cancelled(Cause::Shutdown)))), "{ended:?}");
            assert!(map.next().await.is_none());
            drop(sender);
        }
    }

    async fn a_deadline_ends_the_wait_for_an_item() {
        let clock = ManualClock::new();
        let hour = std::time::Duration::from_secs(3600);
        let options = TaskGroup::builder().context(Context::on(&clock)).timeout(hour);
        let mut map = map_concurrent_stream_with(options, stream::pending::<usize>(), 3, steps).unwrap();
        assert!(poll_once(pin!(map.next())).is_pending());
        clock.advance(hour);
        assert!(matches!(map.next().await, Some(Err(Failure::Cancelled(Cause::DeadlineExceeded)))));
        assert!(map.next().await.is_none());
    }

    async fn a_dropped_map_cancels_what_is_under_way() {
        let alive = Alive::default();
        let inner = alive.clone();
        let mut map = map_concurrent_stream(slow(10), 4, move |number| {
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

    async fn a_map_is_a_stream_for_the_next() {
        let twice = |number: Result<usize, Failure<String>>| async move { number.map(|number| 2 * number) };
        let first = map_concurrent_stream(slow(20), 3, steps).unwrap();
        let all = map_concurrent_stream(first, 5, move |number| async move {
            twice(number).await.map_err(|failure| failure.to_string())
        }).unwrap().collect().await.unwrap();
        assert_eq!(all, (0..20).map(|number| 2 * number).collect::<Vec<_>>());
    }

    async fn for_each_does_all_or_says_why_not() {
        let (sum, running, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let counts = Arc::new((sum, running, most));
        let inner = Arc::clone(&counts);
        for_each_concurrent_stream(slow(101), 8, |number| {
            let counts = Arc::clone(&inner);
            async move {
                let (sum, running, most) = &*counts;
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                sum.fetch_add(steps(number).await?, SeqCst);
                running.fetch_sub(1, SeqCst);
                Ok::<_, String>(())
            }
        }).await.unwrap();
        assert_eq!(counts.0.load(SeqCst), 5050);
        assert!((1..=8).contains(&counts.2.load(SeqCst)), "the limit holds");
        let (sender, items) = sent();
        (0..10).for_each(|number| sender.send(number).unwrap());
        let fail = |number| async move { if number == 7 { Err("seven") } else { Ok(()) } };
        let Err(ForEachError::Failed(error)) = for_each_concurrent_stream(items, 3, fail).await else { panic!("it fails") };
        assert!(matches!(error.root(), Failure::Error("seven")), "and the stream without end is given up");
        drop(sender);
    }

    async fn for_each_asks_for_an_item_only_when_it_has_a_slot() {
        let (pulled, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (count, inner) = (Arc::clone(&pulled), Arc::clone(&gate));
        let items = stream::poll_fn(move |_| Poll::Ready(Some(count.fetch_add(1, SeqCst)).filter(|number| *number < 9)));
        let mut each = Box::pin(for_each_concurrent_stream(items, 3, move |_| {
            let gate = Arc::clone(&inner);
            async move { gate.acquire().await.unwrap().forget(); Ok::<_, String>(()) }
        }));
        assert!(poll_once(each.as_mut()).is_pending());
        assert_eq!(pulled.load(SeqCst), 3);
        gate.add_permits(9);
        each.await.unwrap();
    }

    async fn for_each_obeys_the_ambient_context_while_it_waits_for_an_item() {
        let caller = Context::background();
        let mut each = Box::pin(caller.scope(async {
            for_each_concurrent_stream(stream::pending::<usize>(), 3, |_| async { Ok::<_, String>(()) }).await
        }));
        assert!(poll_once(each.as_mut()).is_pending());
        caller.cancel("the client went away");
        let Err(ForEachError::Failed(error)) = each.await else { panic!("not all was done") };
        assert_eq!(error.to_string(), "the group was cut short: cancelled: the client went away");
    }
}

/// A stream whose second item is a panic.
trait SecondPanics: Stream + Sized {
    fn map_second_to_panic(self) -> impl Stream<Item = Self::Item>;
}

impl<S: Stream + Unpin> SecondPanics for S {
    fn map_second_to_panic(mut self) -> impl Stream<Item = Self::Item> {
        let mut first = true;
        stream::poll_fn(move |cx| {
            assert!(std::mem::take(&mut first), "as foreseen");
            Pin::new(&mut self).poll_next(cx)
        })
    }
}

/// rust-lang/futures-rs#2876, #2939: `buffered(0)` hangs for ever.
#[test]
fn futures_2939_a_limit_of_zero_is_refused_for_streams() {
    assert_eq!(map_concurrent_stream(slow(3), 0, steps).unwrap_err(), BuildError::NoSlots);
    let each = for_each_concurrent_stream(slow(1), 0, |_| async { Ok::<_, String>(()) });
    assert!(matches!(futures_lite::future::block_on(each), Err(ForEachError::Limit(BuildError::NoSlots))));
}

#[test]
fn outside_of_every_runtime_it_says_so() {
    let mut map = map_concurrent_stream(stream::iter(0..3), 2, steps).unwrap();
    let Some(Err(Failure::Cancelled(cause))) = futures_lite::future::block_on(map.next()) else { panic!("no runtime") };
    assert_eq!(cause.downcast_ref(), Some(&SpawnError::NoRuntime));
}
