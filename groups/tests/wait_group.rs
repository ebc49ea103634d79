//! The wait group: as Go's, and what Go's cannot do. Each body runs on tidemill and on plain tokio.
#![cfg(feature = "tidemill")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context as Task, Waker},
    thread,
    time::Duration,
};

use common::{Alive, poll_once};
use proptest::prelude::*;
use tidemill_context::{Cause, Context};
use tidemill_groups::{CountError, WaitGroup};

on_both_runtimes! {
    async fn a_wait_ends_when_all_is_done() {
        let (group, alive) = (WaitGroup::new(), Alive::default());
        for _ in 0..50 {
            let inside = alive.enter();
            group.spawn(async move {
                let _inside = inside;
                tokio::task::yield_now().await;
            }).unwrap();
        }
        group.wait().await.unwrap();
        assert_eq!((group.count(), alive.count()), (0, 0), "after the destructors");
        group.wait().await.unwrap();
    }

    async fn a_task_that_panics_is_done_as_well() {
        let group = WaitGroup::new();
        group.spawn(async { panic!("as foreseen") }).unwrap();
        group.wait().await.unwrap();
    }

    async fn many_wait_and_all_are_woken() {
        let group = WaitGroup::new();
        let waiting = WaitGroup::new();
        let guard = group.guard();
        for _ in 0..20 {
            let group = group.clone();
            waiting.spawn(async move { group.wait().await.unwrap() }).unwrap();
        }
        drop(guard.clone());
        assert_eq!(group.count(), 1);
        drop(guard);
        waiting.wait().await.unwrap();
    }

    async fn a_group_is_used_again_while_those_who_waited_are_on_their_way() {
        let group = WaitGroup::new();
        let mut first = pin!(group.wait());
        assert!(poll_once(first.as_mut()).is_ready());
        group.add(2).unwrap();
        let mut second = pin!(group.wait());
        assert!(poll_once(second.as_mut()).is_pending());
        group.done().unwrap();
        group.done().unwrap();
        let _next = group.guard();
        let mut third = pin!(group.wait());
        assert!(poll_once(third.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_ready(), "its zero was reached, whatever came after");
        assert!(poll_once(third.as_mut()).is_pending());
    }

    async fn a_wait_obeys_the_ambient_context() {
        let group = WaitGroup::new();
        let guard = group.guard();
        let context = Context::background().with_timeout(Duration::from_millis(2));
        assert_eq!(context.scope(group.wait()).await, Err(Cause::DeadlineExceeded));
        drop(guard);
        assert_eq!(context.scope(group.wait()).await, Ok(()), "what is over is over");
    }

    async fn a_blocking_wait_may_be_called_in_a_task() {
        let group = WaitGroup::new();
        let guard = group.guard();
        let ender = thread::spawn(move || drop(guard));
        group.wait_blocking().unwrap();
        ender.join().unwrap();
    }
}

#[test]
fn threads_wait_for_threads() {
    let (group, sum, start) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(5)));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (guard, sum, start) = (group.guard(), Arc::clone(&sum), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                sum.fetch_add(1, SeqCst);
                drop(guard);
            })
        })
        .collect();
    start.wait();
    group.wait_blocking().unwrap();
    assert_eq!(sum.load(SeqCst), 4);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let group = WaitGroup::new();
    assert_eq!(group.done(), Err(CountError::Negative));
    for too_many in [usize::MAX, u32::MAX as usize, 1 << 31] {
        assert_eq!(group.add(too_many), Err(CountError::TooMany));
    }
    group.add((1 << 31) - 1).unwrap();
    assert_eq!(group.add(1), Err(CountError::TooMany));
    assert_eq!(group.count(), (1 << 31) - 1);
    let refused = group.spawn(async {}).unwrap_err();
    assert_eq!(refused.to_string(), "no runtime: spawn inside tidemill or tokio");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Waits that are polled, dropped and begun at any moment: each is ready exactly from the first zero after it began.
    #[test]
    fn every_wait_ends_with_its_zero(steps in prop::collection::vec(0..6_u8, 1..80)) {
        let group = WaitGroup::new();
        let (mut count, mut waits) = (0, Vec::new());
        for step in steps {
            match step {
                0 | 1 => { group.add(1).unwrap(); count += 1; }
                2 | 3 if count > 0 => {
                    group.done().unwrap();
                    count -= 1;
                    if count == 0 {
                        waits.iter_mut().for_each(|(over, _)| *over = true);
                    }
                }
                4 => {
                    let group = group.clone();
                    let mut wait = Box::pin(async move { group.wait().await });
                    let ready = wait.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready();
                    prop_assert_eq!(ready, count == 0);
                    if !ready {
                        waits.push((false, wait));
                    }
                }
                5 if !waits.is_empty() => {
                    let (over, mut wait) = waits.swap_remove(waits.len() / 2);
                    prop_assert_eq!(wait.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready(), over);
                }
                _ => {}
            }
            prop_assert_eq!(group.count(), count);
        }
    }
}
