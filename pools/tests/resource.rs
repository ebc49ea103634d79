//! The resource pool from outside: gets, the line, creates, resizing and the end. Bodies named `on` run on tidemill and on
//! plain tokio; the others in tokio's virtual time.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "bodies in virtual time run on plain tokio")]

mod support;

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use support::{Outcome, Refused, Server, ms, on_both, poll_once, s, until};
use tidemill_pools::{CloseReason, CreateError, GetError, IdleOrder, Manager, ResourceBuildError, Spawner, Validate};
use tokio::time::Instant;

/// One test per body, named after it.
macro_rules! on_both_runtimes {
    ($(async fn $name:ident($on:ident) $body:block)*) => {$(
        #[test]
        fn $name() {
            on_both(|$on: Spawner| async move $body);
        }
    )*};
}

on_both_runtimes! {
    async fn a_returned_resource_is_used_again(on) {
        let server = Server::default();
        let pool = server.pool().on(on).build().unwrap();
        let first = pool.get().await.unwrap();
        let (id, number) = (first.id(), first.number);
        drop(first);
        let again = pool.get().await.unwrap();
        assert_eq!((again.id(), again.number, again.uses()), (id, number, 2));
        assert_eq!(server.created(), 1);
    }

    async fn many_callers_share_few_resources(on) {
        let server = Server::default();
        let pool = Arc::new(server.pool().max(3).on(on).build().unwrap());
        let callers: Vec<_> = (0..8).map(|_| {
            let pool = Arc::clone(&pool);
            async move {
                for _ in 0..50 {
                    let lease = pool.get().await.unwrap();
                    tokio::task::yield_now().await;
                    drop(lease);
                }
            }
        }).collect();
        let mut callers: Vec<_> = callers.into_iter().map(Box::pin).collect();
        std::future::poll_fn(|cx| {
            callers.retain_mut(|caller| caller.as_mut().poll(cx).is_pending());
            if callers.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }).await;
        assert!(server.most() <= 3, "{} at the same time", server.most());
        assert_eq!(pool.stats().checkouts, 400);
        assert!(pool.drain(s(10)).await.is_empty());
        assert_eq!(server.alive(), 0);
    }

    async fn close_is_told_to_all_who_wait_and_all_who_come(on) {
        let server = Server::default();
        let pool = server.pool().max(1).on(on).build().unwrap();
        let held = pool.get().await.unwrap();
        let mut waiter = pin!(pool.get());
        assert!(poll_once(waiter.as_mut()).is_pending());
        pool.close();
        assert!(matches!(waiter.await, Err(GetError::Closed)));
        assert!(matches!(pool.get().await, Err(GetError::Closed)));
        assert!(pool.is_closed() && pool.try_get().is_none());
        drop(held);
        assert!(pool.drain(s(10)).await.is_empty());
        assert_eq!((server.alive(), pool.stats().closed.by(CloseReason::PoolClosed)), (0, 1));
    }

    async fn the_pool_can_be_dropped_before_its_leases(on) {
        let server = Server::default();
        let pool = server.pool().on(on).build().unwrap();
        let (held, idle) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        drop(idle);
        drop(pool);
        assert_eq!(held.number, 1);
        drop(held);
        until(|| server.alive() == 0).await;
    }

    async fn a_cancelled_caller_leaves_nothing_behind(on) {
        let server = Server::default();
        let pool = server.pool().max(1).on(on).build().unwrap();
        let held = pool.get().await.unwrap();
        for _ in 0..100 {
            let mut waiter = Box::pin(pool.get());
            assert!(poll_once(waiter.as_mut()).is_pending());
        }
        assert_eq!(pool.stats().waiting, 0);
        drop(held);
        assert_eq!(pool.stats().idle, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_order_of_arrival_and_newcomers_wait_behind_them() {
    let server = Server::default();
    let pool = Arc::new(server.pool().max(1).build().unwrap());
    let served = Arc::new(Mutex::new(Vec::new()));
    let held = pool.get().await.unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (pool, served) = (Arc::clone(&pool), Arc::clone(&served));
        callers.spawn(async move {
            let _lease = pool.get().await.unwrap();
            served.lock().unwrap().push(number);
            tokio::time::sleep(ms(1)).await;
        });
    }
    until(|| pool.stats().waiting == 100).await;
    drop(held);
    // The resource is the first waiter's already, though that one has not run yet.
    assert!(pool.try_get().is_none());
    let mut newcomer = pin!(pool.get());
    assert!(poll_once(newcomer.as_mut()).is_pending());
    drop(newcomer.await.unwrap());
    assert_eq!(*served.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_a_cancelled_waiter_was_given_goes_to_the_next() {
    let server = Server::default();
    let pool = server.pool().max(1).build().unwrap();
    let held = pool.get().await.unwrap();
    let mut first = Box::pin(pool.get());
    let mut second = Box::pin(pool.get());
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    drop(held); // given to the first
    drop(first);
    assert!(poll_once(second.as_mut()).is_ready());
    drop(second);
    assert_eq!(pool.stats().idle, 1);
}

#[tokio::test(start_paused = true)]
async fn one_more_waiter_than_may_wait_is_refused_at_once() {
    let server = Server::default();
    let pool = server.pool().max(1).max_waiting(2).build().unwrap();
    let held = pool.get().await.unwrap();
    let mut waiters = [Box::pin(pool.get()), Box::pin(pool.get())];
    waiters.iter_mut().for_each(|waiter| assert!(poll_once(waiter.as_mut()).is_pending()));
    let began = Instant::now();
    assert!(matches!(pool.get().await, Err(GetError::TooManyWaiting)));
    assert_eq!((began.elapsed(), pool.stats().refused), (Duration::ZERO, 1));
    drop(held);
    for waiter in waiters {
        drop(waiter.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_out_is_one_for_the_whole_get() {
    let server = Server::default();
    // A first resource that fails its validation after 600 ms; then a wait of 400 ms for the second: 1 s is up.
    server.validate_takes(ms(600)).next_validations([Outcome::Bad]);
    let pool = server.pool().max(1).validate(Validate::Always).acquire_timeout(s(1)).build().unwrap();
    assert!(pool.add(server.create().await.unwrap()).is_ok());
    server.create_takes(s(3600));
    let began = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert!(matches!(error, GetError::Timeout { waited, .. } if waited == s(1)), "{error}");
    assert_eq!(began.elapsed(), s(1));
    assert_eq!(pool.stats().timeouts, 1);
    // Per call, and without one.
    let began = Instant::now();
    assert!(pool.get_within(ms(30)).await.is_err());
    assert_eq!(began.elapsed(), ms(30));
    assert!(pool.get_within(Duration::ZERO).await.is_err());
    server.create_takes(Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_error_of_the_last_create_reaches_those_who_time_out() {
    let server = Server::default();
    server.set_down(true);
    let pool = server.pool().max(2).acquire_timeout(s(1)).build().unwrap();
    let error = pool.get().await.unwrap_err();
    let text = error.to_string();
    let GetError::Timeout { last_create_error: Some(last), .. } = error else { panic!("{error}") };
    assert_eq!(*last, CreateError::Failed(Refused(server.attempts())));
    assert!(text.contains("was refused"), "{text}");
    // Once one was made, there is nothing to say.
    server.set_down(false);
    let _first = pool.get().await.unwrap();
    let _second = pool.get().await.unwrap();
    assert!(matches!(pool.get().await, Err(GetError::Timeout { last_create_error: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_failed_create_is_tried_again_after_growing_pauses() {
    use Outcome::{Bad, Never, Panic};
    let server = Server::default();
    server.next_creates([Bad, Panic, Never, Bad]);
    let pool = server
        .pool()
        .step_timeout(s(1))
        .creates_at_once(1)
        .create_backoff(ms(100), ms(400))
        .acquire_timeout(None)
        .build()
        .unwrap();
    let began = Instant::now();
    let lease = pool.get().await.unwrap();
    let pauses = began.elapsed() - s(1); // less the one that took too long
    assert_eq!(lease.number, 1);
    assert_eq!((server.attempts(), pool.stats().create_failures), (5, 4));
    let longest = ms(100 + 200 + 400 + 400);
    assert!((longest / 2..=longest + ms(10)).contains(&pauses), "{pauses:?}");
    assert!(pauses != longest / 2 && pauses < longest, "no jitter: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_nobody_needs_any_more_is_not_tried_again() {
    let server = Server::default();
    server.set_down(true);
    let pool = server.pool().max(2).acquire_timeout(ms(50)).build().unwrap();
    assert!(pool.get().await.is_err());
    let attempts = server.attempts();
    tokio::time::sleep(s(60)).await;
    assert_eq!((server.attempts(), pool.stats().creating), (attempts, 0));
}

/// HikariCP's spike: 50 callers at once with queries of 2 ms, 5 idle connections, and 150 ms to make one.
#[tokio::test(start_paused = true)]
async fn a_spike_is_served_by_what_comes_back_not_by_new_connections() {
    for at_once in [1, 2] {
        let server = Server::default();
        server.create_takes(ms(150));
        let pool = server.pool().max(50).min_idle(5).creates_at_once(at_once).build().unwrap();
        let pool = Arc::new(pool);
        until_paused(|| pool.stats().idle == 5).await;
        let began = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let pool = Arc::clone(&pool);
            callers.spawn(async move {
                let _lease = pool.get().await.unwrap();
                tokio::time::sleep(ms(2)).await;
            });
        }
        callers.join_all().await;
        assert!(began.elapsed() <= ms(25), "{:?}: somebody waited for a connection of his own", began.elapsed());
        tokio::time::sleep(s(10)).await;
        let stats = pool.stats();
        assert_eq!((stats.idle, stats.creating, server.created()), (5 + at_once, 0, 5 + at_once as u64));
    }
}

/// As `until`, in virtual time.
async fn until_paused(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::time::sleep(ms(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_takes_whatever_comes_first_not_its_own_create() {
    let server = Server::default();
    let pool = server.pool().max(2).build().unwrap();
    let held = pool.get().await.unwrap();
    server.create_takes(s(20));
    let mut waiter = pin!(pool.get());
    assert!(poll_once(waiter.as_mut()).is_pending());
    drop(held);
    let began = Instant::now();
    assert_eq!(waiter.await.unwrap().number, 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_maximum_can_change_while_callers_wait() {
    let server = Server::default();
    let pool = server.pool().max(1).build().unwrap();
    let held = pool.get().await.unwrap();
    let mut waiter = pin!(pool.get());
    assert!(poll_once(waiter.as_mut()).is_pending());
    pool.set_max(3).unwrap();
    let second = waiter.await.unwrap();
    let third = pool.get().await.unwrap();
    drop(third);
    assert_eq!(pool.stats().idle, 1);
    // Smaller: the idle one goes now, the others as they come back, until it fits.
    pool.set_max(1).unwrap();
    assert_eq!((pool.stats().idle, pool.stats().closing, pool.max()), (0, 1, 1));
    drop(second);
    assert_eq!(pool.stats().closed.by(CloseReason::Surplus), 2);
    drop(held);
    until(|| server.alive() == 1).await;
    assert_eq!(pool.stats().idle, 1);
    assert_eq!(pool.set_max(0), Err(ResourceBuildError::NoPlaces));
    assert_eq!(pool.set_min_idle(2), Err(ResourceBuildError::MinAboveMax { min_idle: 2, max: 1 }));
    pool.set_min_idle(1).unwrap();
}

#[tokio::test(start_paused = true)]
async fn drain_waits_for_those_in_use_and_names_those_who_stay() {
    let server = Server::default();
    server.close_takes(ms(300));
    let pool = server.pool().max(3).build().unwrap();
    let (quick, slow, idle) = (pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(idle);
    tokio::spawn(async move {
        tokio::time::sleep(s(1)).await;
        drop(quick);
    });
    let began = Instant::now();
    let still_out = pool.drain(s(5)).await;
    assert_eq!(began.elapsed(), s(5));
    assert_eq!(still_out.iter().map(|holder| holder.id).collect::<Vec<_>>(), [slow.id()]);
    drop(slow);
    let began = Instant::now();
    assert!(pool.drain(s(5)).await.is_empty());
    assert_eq!((began.elapsed(), server.alive()), (ms(300), 0));
}

#[tokio::test(start_paused = true)]
async fn drain_does_not_wait_for_creates_that_fail() {
    let server = Server::default();
    server.set_down(true);
    let pool = server.pool().min_idle(2).create_backoff(s(60), s(60)).build().unwrap();
    tokio::time::sleep(ms(1)).await;
    let began = Instant::now();
    assert!(pool.drain(s(5)).await.is_empty());
    assert_eq!((began.elapsed(), pool.stats().creating), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn resources_can_be_added_and_taken_out() {
    let server = Server::default();
    let pool = server.pool().max(2).build().unwrap();
    assert!(pool.add(server.create().await.unwrap()).is_ok());
    assert!(pool.add(server.create().await.unwrap()).is_ok());
    let third = pool.add(server.create().await.unwrap()).unwrap_err();
    assert_eq!(third.number, 3);
    let taken = pool.get().await.unwrap().detach();
    assert_eq!((taken.number, pool.stats().detached, pool.stats().idle), (2, 1, 1));
    // Its place is free.
    let (_one, _two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn idle_resources_are_taken_in_the_order_that_was_asked_for() {
    for (order, expected) in [(IdleOrder::Lifo, [3, 2, 1]), (IdleOrder::Fifo, [1, 2, 3])] {
        let server = Server::default();
        let pool = server.pool().max(3).idle_order(order).build().unwrap();
        let leases = [pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap()];
        for lease in leases {
            tokio::time::advance(ms(1)).await;
            drop(lease);
        }
        let taken = [pool.try_get().unwrap(), pool.try_get().unwrap(), pool.try_get().unwrap()];
        assert_eq!(taken.each_ref().map(|lease| lease.number), expected, "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stats_tell_how_long_callers_waited() {
    let server = Server::default();
    let pool = Arc::new(server.pool().max(1).build().unwrap());
    let held = pool.get().await.unwrap();
    let waiter = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { drop(pool.get().await.unwrap()) }
    });
    tokio::time::sleep(ms(100)).await;
    assert_eq!((pool.stats().in_use, pool.stats().waiting), (1, 1));
    drop(held);
    waiter.await.unwrap();
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.in_use, stats.most_in_use, stats.created), (1, 0, 1, 1));
    assert_eq!(stats.waits.count(), 2, "for the create, and for the return");
    assert_eq!(stats.waits.quantile(1.0), Some(Duration::from_micros(1 << 17)));
}

#[test]
fn bad_options_are_named() {
    type Change = fn(tidemill_pools::ResourceBuilder<Server>) -> tidemill_pools::ResourceBuilder<Server>;
    let cases: [(Change, &str); 9] = [
        (|b| b.max(0), "max(0)"),
        (|b| b.max(1).min_idle(2), "min_idle(2)"),
        (|b| b.creates_at_once(0), "creates_at_once(0)"),
        (|b| b.life_jitter(1.5), "life_jitter(1.5)"),
        (|b| b.idle_timeout(Duration::ZERO), "idle_timeout"),
        (|b| b.step_timeout(Duration::ZERO), "step_timeout"),
        (|b| b.create_backoff(s(2), s(1)), "create_backoff"),
        (|b| b.on_leak(|_| ()), "leak_after"),
        (|b| b, "no runtime"),
    ];
    for (change, expected) in cases {
        let error = change(Server::default().pool()).build().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A waker that looks at the pool when it is dropped, as the last reference to a task that holds a lease would.
struct Nosy(Arc<tidemill_pools::ResourcePool<Server>>);

impl std::task::Wake for Nosy {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let _stats = self.0.stats();
    }
}

#[tokio::test(start_paused = true)]
async fn wakers_are_dropped_outside_of_the_lock() {
    let pool = Arc::new(Server::default().pool().max(1).build().unwrap());
    let held = pool.get().await.unwrap();
    let mut waiter = Box::pin(pool.get());
    let mut poll_with_a_new_waker = || {
        let waker = std::task::Waker::from(Arc::new(Nosy(Arc::clone(&pool))));
        waiter.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_ready()
    };
    assert!(!poll_with_a_new_waker());
    assert!(!poll_with_a_new_waker(), "replaces the first");
    drop(held);
    assert!(poll_with_a_new_waker(), "leaves with what it was given");
    drop(waiter);
    let _held = pool.get().await.unwrap();
    for close in [false, true] {
        let mut waiter = Box::pin(pool.get());
        let waker = std::task::Waker::from(Arc::new(Nosy(Arc::clone(&pool))));
        assert!(waiter.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        drop(waker);
        if close {
            pool.close();
            assert!(poll_once(waiter.as_mut()).is_ready());
        }
    }
}
