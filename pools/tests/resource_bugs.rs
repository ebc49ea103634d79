//! Bugs that other pools have shipped, each re-created against this one and named after its report.
#![allow(clippy::unwrap_used)]

mod support;

use std::{pin::pin, sync::Arc};

use support::{Outcome, Server, ms, on_both, poll_once, s, until};
use tidemill_pools::{CloseReason, GetError, Spawner, Validate};
use tokio::{task::JoinSet, time::Instant};

/// Lost wake-up between "nothing idle" and "put me in line": callers stuck under a benchmark's load.
#[test]
fn bb8_67_122_113_246_no_wake_up_is_lost_under_load() {
    on_both(|on: Spawner| async move {
        let server = Server::default();
        let pool = Arc::new(server.pool().max(2).acquire_timeout(s(60)).on(on.clone()).build().unwrap());
        let (done, all_done) = tokio::sync::mpsc::channel::<()>(1);
        for _ in 0..16 {
            let (pool, done) = (Arc::clone(&pool), done.clone());
            let caller = async move {
                for _ in 0..200 {
                    drop(pool.get().await.unwrap());
                }
                drop(done);
            };
            match &on {
                #[cfg(feature = "tidemill")]
                Spawner::Tidemill(handle) => drop(handle.spawn(caller)),
                Spawner::Tokio(handle) => drop(handle.spawn(caller)),
                _ => unreachable!("no third runtime"),
            }
        }
        drop(done);
        let mut all_done = all_done;
        assert!(all_done.recv().await.is_none());
        assert_eq!((pool.stats().checkouts, pool.stats().timeouts), (3_200, 0));
    });
}

/// Broken objects took the turns of those who waited.
#[tokio::test(start_paused = true)]
async fn bb8_167_broken_resources_do_not_starve_the_waiters() {
    let server = Server::default();
    let pool = Arc::new(server.pool().max(2).acquire_timeout(s(5)).build().unwrap());
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            let mut lease = pool.get().await.unwrap();
            lease.mark_broken();
        });
    }
    callers.join_all().await;
    assert_eq!((server.created(), pool.stats().timeouts), (50, 0));
}

/// The reaper closed what was then made again, for ever.
#[tokio::test(start_paused = true)]
async fn bb8_123_the_sweep_does_not_close_what_the_minimum_wants() {
    let server = Server::default();
    let pool = server.pool().min_idle(3).idle_timeout(s(1)).build().unwrap();
    tokio::time::sleep(s(3600)).await;
    assert_eq!((server.created(), pool.stats().idle), (3, 3));
}

/// No way to end: drain was asked for.
#[tokio::test(start_paused = true)]
async fn bb8_249_a_pool_can_be_drained() {
    let server = Server::default();
    let pool = server.pool().min_idle(2).build().unwrap();
    tokio::time::sleep(ms(1)).await;
    assert!(pool.drain(s(1)).await.is_empty());
    assert_eq!(server.alive(), 0);
}

/// The pool grew and never shrank, and dead idle objects were found only by those who took them.
#[tokio::test(start_paused = true)]
async fn deadpool_299_178_191_the_pool_shrinks_and_finds_the_dead_by_itself() {
    let server = Server::default();
    let pool = server.pool().idle_timeout(s(60)).keep_alive(s(10)).build().unwrap();
    let burst = [pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap()];
    drop(burst);
    server.next_validations([Outcome::Bad]);
    tokio::time::sleep(s(16)).await;
    assert_eq!((server.alive(), pool.stats().closed.by(CloseReason::Invalid)), (2, 1));
    tokio::time::sleep(s(91)).await;
    assert_eq!(server.alive(), 0);
}

/// A load test that was cut off left counts behind: "10 active", and no connection anywhere.
#[tokio::test(start_paused = true)]
async fn mobc_63_a_cut_off_load_test_leaves_no_count_behind() {
    let server = Server::default();
    server.create_takes(ms(3)).validate_takes(ms(3));
    let pool = Arc::new(server.pool().max(10).validate(Validate::Always).build().unwrap());
    for cut in 0..40 {
        let mut callers = JoinSet::new();
        for _ in 0..30 {
            let pool = Arc::clone(&pool);
            callers.spawn(async move {
                let _lease = pool.get().await.unwrap();
                tokio::time::sleep(ms(5)).await;
            });
        }
        tokio::time::sleep(ms(cut % 13)).await;
        callers.shutdown().await; // each dropped wherever it is
        tokio::time::sleep(ms(10)).await;
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.waiting), (0, 0), "after cut {cut}");
    }
    assert_eq!(server.alive(), pool.stats().idle);
}

/// Filling the pool at its start blocked the workers of the runtime.
#[tokio::test(start_paused = true)]
async fn mobc_3_building_waits_for_nothing() {
    let server = Server::default();
    server.create_takes(s(5));
    let pool = server.pool().min_idle(10).build().unwrap();
    assert_eq!((pool.stats().idle, server.created()), (0, 0));
}

/// mobc looks at one idle object only, and makes a new one if that is bad.
#[tokio::test(start_paused = true)]
async fn mobc_all_idle_resources_are_tried_before_one_is_made() {
    let server = Server::default();
    let pool = server.pool().max(3).validate(Validate::AfterIdle(ms(1))).build().unwrap();
    let three = [pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap()];
    drop(three);
    tokio::time::advance(ms(2)).await;
    server.next_validations([Outcome::Bad, Outcome::Bad]);
    assert!(pool.get().await.unwrap().number <= 3);
    assert_eq!(server.created(), 3);
}

/// A hundred waiters on ten slots: some starved.
#[tokio::test(start_paused = true)]
async fn asyncpg_1247_a_hundred_waiters_on_ten_resources_are_all_served_in_turn() {
    let server = Server::default();
    let pool = Arc::new(server.pool().max(10).creates_at_once(10).acquire_timeout(s(1)).build().unwrap());
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let pool = Arc::clone(&pool);
        callers.spawn(async move {
            for _ in 0..20 {
                let _lease = pool.get().await.unwrap();
                tokio::time::sleep(ms(1)).await;
            }
        });
    }
    callers.join_all().await;
    let longest = pool.stats().waits.quantile(1.0).unwrap();
    assert!(longest <= ms(33), "each waits for its nine predecessors, about 10 ms (bucket 16 or 32): {longest:?}");
}

/// "Connection is not available": nearly always somebody who holds it, and nobody says who.
#[tokio::test(start_paused = true)]
async fn hikari_859_2096_1677_1199_whoever_waits_in_vain_learns_who_holds_them() {
    let server = Server::default();
    let pool = server.pool().max(1).acquire_timeout(s(1)).build().unwrap();
    let _slow = pool.get().await.unwrap();
    let error = pool.get().await.unwrap_err();
    assert!(error.to_string().contains("holders()"), "{error}");
    let holders = pool.holders();
    assert_eq!(holders.len(), 1);
    assert!(holders[0].to_string().contains("held for 1s, taken at pools/tests/resource_bugs.rs"), "{}", holders[0]);
}

/// The time-out was overrun, as each phase had its own.
#[tokio::test(start_paused = true)]
async fn hikari_588_the_time_out_is_not_overrun() {
    let server = Server::default();
    server.validate_takes(ms(700)).next_validations([Outcome::Bad; 20]);
    let pool = server.pool().max(2).validate(Validate::Always).acquire_timeout(s(1)).build().unwrap();
    let began = Instant::now();
    assert!(pool.get().await.is_err());
    assert_eq!(began.elapsed(), s(1));
}

/// A stuck holder could not be got rid of.
#[tokio::test(start_paused = true)]
async fn hikari_164_a_stuck_holder_can_be_given_up() {
    let server = Server::default();
    let pool = server.pool().max(1).build().unwrap();
    let stuck = pool.get().await.unwrap();
    let mut waiter = pin!(pool.get());
    assert!(poll_once(waiter.as_mut()).is_pending());
    assert!(pool.forfeit(pool.holders()[0].id));
    drop(waiter.await.unwrap());
    drop(stuck);
    until(|| server.alive() == 1).await;
}

/// FIFO reuse keeps every connection a little busy, so that none is ever idle for long.
#[tokio::test(start_paused = true)]
async fn rxjava2_jdbc_176_by_default_the_surplus_goes_idle() {
    let server = Server::default();
    let pool = server.pool().idle_timeout(s(60)).build().unwrap();
    drop([pool.get().await.unwrap(), pool.get().await.unwrap(), pool.get().await.unwrap()]);
    for _ in 0..20 {
        tokio::time::sleep(s(10)).await;
        drop(pool.get().await.unwrap());
    }
    assert_eq!(server.alive(), 1);
}

/// Drain hung, or forgot those in line, when a create failed meanwhile.
#[tokio::test(start_paused = true)]
async fn cds_dbs_1614_node_redis_3399_drain_answers_waiters_and_survives_failing_creates() {
    let server = Server::default();
    server.set_down(true);
    let pool = Arc::new(server.pool().max(2).acquire_timeout(None).build().unwrap());
    let mut waiters = JoinSet::new();
    for _ in 0..5 {
        let pool = Arc::clone(&pool);
        waiters.spawn(async move { pool.get().await.map(drop) });
    }
    tokio::time::sleep(s(1)).await;
    let began = Instant::now();
    assert!(pool.drain(s(30)).await.is_empty());
    assert_eq!(began.elapsed(), s(0));
    for answer in waiters.join_all().await {
        assert!(matches!(answer, Err(GetError::Closed)));
    }
}

/// deadpool drops an object whose recycling is cut short, bb8 returns it as it is; here it is closed, and its place is free.
#[tokio::test(start_paused = true)]
async fn deadpool_a_get_cancelled_while_it_validates_closes_the_resource_and_frees_its_place() {
    let server = Server::default();
    server.validate_takes(s(5));
    let pool = server.pool().max(1).validate(Validate::AfterIdle(ms(1))).step_timeout(s(10)).build().unwrap();
    drop(pool.get().await.unwrap());
    tokio::time::advance(ms(2)).await;
    let mut caller = Box::pin(pool.get());
    assert!(poll_once(caller.as_mut()).is_pending());
    assert_eq!((server.validations(), pool.stats().in_use), (1, 1));
    drop(caller);
    assert_eq!(pool.stats().closed.by(CloseReason::Abandoned), 1);
    assert_eq!(pool.get().await.unwrap().number, 2);
}

/// The pool's tasks go with their runtime, in the middle of creates and closes: their places are free, and drain ends.
#[test]
fn the_end_of_the_runtime_leaves_no_place_taken() {
    let short_lived = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let server = Server::default();
    let pool = server.pool().max(3).on(short_lived.handle().clone()).build().unwrap();
    let lease = short_lived.block_on(pool.get()).unwrap();
    server.create_takes(s(3600)).close_takes(s(3600));
    pool.set_min_idle(2).unwrap();
    let mut broken = lease;
    broken.mark_broken();
    drop(broken);
    assert_eq!((pool.stats().creating, pool.stats().closing), (2, 1));
    drop(short_lived);
    let other = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    other.block_on(async {
        assert!(matches!(pool.get_within(ms(1)).await, Err(GetError::Timeout { .. })));
        assert!(pool.drain(s(60)).await.is_empty());
    });
    assert_eq!((pool.stats().creating, pool.stats().closing, server.alive()), (0, 0, 0));
}
