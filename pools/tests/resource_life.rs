//! What becomes of idle, old, broken and lost resources, in virtual time.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "bodies in virtual time run on plain tokio")]

mod support;

use std::{
    mem::ManuallyDrop,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use support::{Outcome, Server, ms, on_both, poll_once, s};
use tidemill_context::{Cause, Context, ManualClock};
use tidemill_pools::{CloseReason, GetError, IdleOrder, Lease, Manager, ResourcePool, Validate};

/// Takes so many at once and returns them.
async fn warm_up(pool: &ResourcePool<Server>, count: usize) {
    let mut leases = Vec::new();
    for _ in 0..count {
        leases.push(pool.get().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn idle_resources_are_closed_down_to_the_minimum() {
    let server = Server::default();
    let pool = server.pool().min_idle(2).idle_timeout(s(60)).build().unwrap();
    warm_up(&pool, 6).await;
    tokio::time::sleep(s(59)).await;
    assert_eq!(pool.stats().idle, 6);
    tokio::time::sleep(s(32)).await;
    assert_eq!((pool.stats().idle, server.alive(), pool.stats().closed.by(CloseReason::Idle)), (2, 2, 4));
    tokio::time::sleep(s(600)).await;
    assert_eq!((server.alive(), server.created()), (2, 6), "closed below the minimum and made again");
}

#[tokio::test(start_paused = true)]
async fn the_minimum_is_made_in_the_background_and_kept() {
    let server = Server::default();
    server.create_takes(ms(100));
    let pool = server.pool().max(4).min_idle(3).build().unwrap();
    tokio::time::sleep(ms(250)).await;
    assert_eq!(pool.stats().idle, 3);
    let _two = (pool.get().await.unwrap(), pool.get().await.unwrap());
    tokio::time::sleep(s(1)).await;
    assert_eq!((pool.stats().idle, server.alive()), (2, 4), "as many as the maximum allows");
    let mut broken = pool.get().await.unwrap();
    broken.mark_broken();
    drop(broken);
    tokio::time::sleep(s(1)).await;
    assert_eq!((pool.stats().idle, server.created()), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn lives_end_and_not_all_at_the_same_time() {
    let server = Server::default();
    let pool = server.pool().max(20).max_life(s(1000)).life_jitter(0.5).build().unwrap();
    warm_up(&pool, 20).await;
    let mut alive = Vec::new();
    for _ in 0..12 {
        tokio::time::sleep(s(100)).await;
        alive.push(server.alive());
    }
    assert_eq!(alive[3], 20, "none ends before half of its life");
    assert!((4..=16).contains(&alive[7]), "about half is left after three quarters: {alive:?}");
    assert_eq!(*alive.last().unwrap(), 0);
    assert_eq!(pool.stats().closed.by(CloseReason::MaxLife), 20);
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_a_resource_beyond_its_life() {
    let server = Server::default();
    let pool = server.pool().max_life(s(10)).life_jitter(0.0).build().unwrap();
    let held = pool.get().await.unwrap();
    assert_eq!(held.age(), Duration::ZERO);
    tokio::time::sleep(s(100)).await;
    assert_eq!(held.age(), s(100), "a user is not disturbed");
    drop(held);
    assert_eq!(pool.get().await.unwrap().number, 2);
    // Without the sweep in between: looked at on checkout.
    tokio::time::advance(s(11)).await;
    assert_eq!(pool.get().await.unwrap().number, 3);
}

#[tokio::test(start_paused = true)]
async fn idle_resources_are_kept_alive_and_that_is_no_use() {
    let server = Server::default();
    let pool = server.pool().keep_alive(s(10)).idle_timeout(s(100)).build().unwrap();
    warm_up(&pool, 2).await;
    tokio::time::sleep(s(61)).await;
    assert!((8..=12).contains(&server.validations()), "{} validations in a minute", server.validations());
    server.next_validations([Outcome::Bad, Outcome::Panic]);
    tokio::time::sleep(s(16)).await;
    assert_eq!((server.alive(), pool.stats().closed.by(CloseReason::Invalid)), (0, 2));
    warm_up(&pool, 1).await;
    tokio::time::sleep(s(111)).await;
    assert_eq!(pool.stats().closed.by(CloseReason::Idle), 1);
}

#[tokio::test(start_paused = true)]
async fn validation_on_checkout_is_done_when_it_is_due() {
    for (validate, after, expected) in [
        (Validate::Never, s(60), 0),
        (Validate::AfterIdle(ms(500)), ms(499), 0),
        (Validate::AfterIdle(ms(500)), ms(500), 1),
        (Validate::Always, Duration::ZERO, 1),
    ] {
        let server = Server::default();
        let pool = server.pool().validate(validate).build().unwrap();
        warm_up(&pool, 1).await;
        let before = server.validations();
        tokio::time::advance(after).await;
        drop(pool.get().await.unwrap());
        assert_eq!(server.validations() - before, expected, "{validate:?}");
        assert_eq!(pool.try_get().is_some(), validate != Validate::Always, "try_get has no time to ask");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_validation_leads_to_the_next_resource_and_then_to_a_new_one() {
    let server = Server::default();
    let pool = server.pool().max(3).validate(Validate::AfterIdle(ms(1))).step_timeout(s(1)).build().unwrap();
    warm_up(&pool, 3).await;
    tokio::time::advance(ms(5)).await;
    server.next_validations([Outcome::Bad, Outcome::Panic, Outcome::Never]);
    assert_eq!(pool.get().await.unwrap().number, 4);
    assert_eq!(pool.stats().closed.by(CloseReason::Invalid), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_a_bad_resource_keeps_its_place_in_line() {
    let server = Server::default();
    let pool = server.pool().max(1).validate(Validate::AfterIdle(ms(1))).build().unwrap();
    warm_up(&pool, 1).await;
    tokio::time::advance(ms(5)).await;
    server.validate_takes(ms(10)).next_validations([Outcome::Bad]);
    let pool = Arc::new(pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..3 {
        let (pool, order) = (Arc::clone(&pool), Arc::clone(&order));
        callers.spawn(async move {
            let _lease = pool.get().await.unwrap();
            order.lock().unwrap().push(number);
        });
        tokio::task::yield_now().await;
    }
    callers.join_all().await;
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn broken_resources_do_not_come_back() {
    let server = Server::default();
    let pool = server.pool().max(1).build().unwrap();
    let mut by_user = pool.get().await.unwrap();
    by_user.mark_broken();
    drop(by_user);
    let mut by_manager = pool.get().await.unwrap();
    assert_eq!(by_manager.number, 2);
    by_manager.broken = true;
    drop(by_manager);
    let by_panic = pool.get().await.unwrap();
    assert_eq!(by_panic.number, 3);
    let user = tokio::spawn(async move {
        let _held = by_panic;
        panic!("in the middle of a query");
    });
    assert!(user.await.is_err());
    assert_eq!(pool.get().await.unwrap().number, 4);
    assert_eq!((pool.stats().closed.by(CloseReason::Broken), pool.stats().closed.total()), (3, 3));
    assert_eq!(server.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resource_counts_until_it_is_closed() {
    let server = Server::default();
    server.close_takes(s(3));
    let pool = server.pool().max(1).step_timeout(s(2)).build().unwrap();
    let mut lease = pool.get().await.unwrap();
    lease.mark_broken();
    drop(lease);
    let began = tokio::time::Instant::now();
    drop(pool.get().await.unwrap());
    assert_eq!((began.elapsed(), server.most()), (s(2), 1), "a close that hangs is given up");
}

#[tokio::test(start_paused = true)]
async fn evict_parts_with_every_resource_of_now() {
    let server = Server::default();
    let pool = server.pool().build().unwrap();
    let held = pool.get().await.unwrap();
    warm_up(&pool, 2).await;
    pool.evict();
    assert_eq!(pool.stats().idle, 0);
    drop(held);
    tokio::time::sleep(ms(1)).await;
    assert_eq!((server.alive(), pool.stats().closed.by(CloseReason::Evicted)), (0, 3));
    warm_up(&pool, 1).await;
    assert_eq!(pool.stats().idle, 1, "later ones stay");
}

#[tokio::test(start_paused = true)]
async fn a_leak_is_reported_with_its_holder_once() {
    let server = Server::default();
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let pool = server
        .pool()
        .leak_after(s(30))
        .leak_backtraces()
        .on_leak(move |holder| sink.lock().unwrap().push(holder.clone()))
        .build()
        .unwrap();
    let line = line!() + 1;
    let slow = pool.get().await.unwrap();
    let _quick = pool.get().await.unwrap();
    drop(pool.get().await.unwrap());
    tokio::time::sleep(s(29)).await;
    assert!(reports.lock().unwrap().is_empty());
    tokio::time::sleep(s(120)).await;
    let told = std::mem::take(&mut *reports.lock().unwrap());
    assert_eq!(told.len(), 2, "each suspect once");
    let first = &told[0];
    assert_eq!((first.id, first.location.file(), first.location.line()), (slow.id(), file!(), line));
    assert!(first.held >= s(30) && first.held < s(46), "{first}");
    assert!(first.thread.is_some() && first.backtrace.is_some());
    assert!(first.to_string().contains("resource_life.rs"), "{first}");
    drop(slow);
    assert_eq!((pool.stats().suspected, pool.stats().returned_late), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn holders_are_listed_at_any_time() {
    let server = Server::default();
    let pool = server.pool().build().unwrap();
    let early = pool.get().await.unwrap();
    tokio::time::sleep(s(5)).await;
    let late = pool.get().await.unwrap();
    let holders = pool.holders();
    assert_eq!(holders.iter().map(|holder| holder.id).collect::<Vec<_>>(), [early.id(), late.id()]);
    assert_eq!(holders[0].held, s(5));
    assert_eq!(pool.holders_over(s(1)).len(), 1);
    drop((early, late));
    assert!(pool.holders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_lease_can_be_forfeited() {
    let server = Server::default();
    let pool = server.pool().max(1).acquire_timeout(s(1)).build().unwrap();
    let lost = ManuallyDrop::new(pool.get().await.unwrap());
    assert!(pool.get().await.is_err());
    assert!(pool.forfeit(lost.id()));
    assert!(!pool.forfeit(lost.id()), "only once");
    let second = pool.get().await.unwrap();
    assert_eq!(second.number, 2);
    // The lost one turns up: it is closed, and changes no count.
    let lost: Lease<Server> = ManuallyDrop::into_inner(lost);
    drop(lost);
    drop(second);
    tokio::time::sleep(ms(1)).await;
    assert_eq!((server.alive(), pool.stats().idle, pool.stats().in_use), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn lifo_lets_the_surplus_age_and_fifo_does_not() {
    for (order, left) in [(IdleOrder::Lifo, 1), (IdleOrder::Fifo, 4)] {
        let server = Server::default();
        let pool = server.pool().idle_order(order).idle_timeout(s(60)).build().unwrap();
        warm_up(&pool, 4).await;
        for _ in 0..30 {
            tokio::time::sleep(s(10)).await;
            drop(pool.get().await.unwrap());
        }
        assert_eq!(server.alive(), left, "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_ambient_context_and_its_cause() {
    let server = Server::default();
    let pool = server.pool().max(1).build().unwrap();
    let held = pool.get().await.unwrap();
    let clock = ManualClock::new();
    let context = Context::on(&clock).with_timeout(s(5));
    let mut waiter = Box::pin(context.scope(pool.get()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    clock.advance(s(5));
    let error = waiter.await.unwrap_err();
    assert!(matches!(error, GetError::Cancelled { cause: Cause::DeadlineExceeded, .. }), "{error}");
    assert_eq!(pool.stats().waiting, 0);
    // Cancelled before: it does not even join the line.
    let mut refused = Box::pin(context.scope(pool.get()));
    let Poll::Ready(Err(GetError::Cancelled { waited, .. })) = poll_once(refused.as_mut()) else { panic!("it waits") };
    assert_eq!((waited, pool.stats().waits.count()), (Duration::ZERO, 1));
    // What is to be had at once is given all the same.
    drop(held);
    assert!(context.scope(pool.get()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_context_spoils_no_idle_resource() {
    let server = Server::default();
    let pool = server.pool().max(1).validate(Validate::AfterIdle(s(1))).build().unwrap();
    warm_up(&pool, 1).await;
    tokio::time::advance(s(2)).await;
    let context = Context::background().child();
    context.cancel(Cause::Shutdown);
    for _ in 0..3 {
        let error = context.scope(pool.get()).await.unwrap_err();
        assert!(matches!(error, GetError::Cancelled { cause: Cause::Shutdown, .. }), "{error}");
    }
    assert_eq!((pool.stats().idle, server.validations()), (1, 0));
    drop(pool.get().await.unwrap());
    assert_eq!(server.validations(), 1, "it still has to prove itself");
}

/// Makes numbers, each with the name of the context it was made in.
struct Contextual;

impl Manager for Contextual {
    type Resource = Option<&'static str>;
    type Error = std::convert::Infallible;

    async fn create(&self) -> Result<Self::Resource, Self::Error> {
        Ok(Context::current().value::<&str>().copied())
    }
}

#[test]
fn a_resource_is_not_made_in_the_context_of_the_caller() {
    on_both(|on| async move {
        let pool = ResourcePool::builder(Contextual).on(on).build().unwrap();
        let request = Context::background().with_value("the request");
        assert_eq!(*request.scope(pool.get()).await.unwrap(), None);
    });
}
