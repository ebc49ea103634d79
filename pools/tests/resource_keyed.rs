//! A pool for each key: built once, bounded in number, closed together.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use support::{Server, ms, s};
use tidemill_pools::{GetError, KeyedResourcePool, ResourceBuildError};
use tokio::time::Instant;

fn keyed(server: &Server, max_keys: usize) -> KeyedResourcePool<u32, Server> {
    let server = server.clone();
    KeyedResourcePool::builder(move |_: &u32| server.pool().max(2)).max_keys(max_keys).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_key_has_one_pool_of_its_own() {
    let (server, built) = (Server::default(), Arc::new(AtomicUsize::new(0)));
    let (from, count) = (server.clone(), Arc::clone(&built));
    let make = move |key: &&str| {
        count.fetch_add(1, SeqCst);
        from.pool().max(key.len())
    };
    let pools = KeyedResourcePool::builder(make).build().unwrap();
    let a = pools.of(&"a").unwrap().get().await.unwrap();
    let bb = pools.of(&"bb").unwrap().get().await.unwrap();
    // One key's callers do not wait for another's.
    let error = pools.of(&"a").unwrap().get_within(ms(10)).await.unwrap_err();
    assert!(matches!(error, GetError::Timeout { .. }));
    drop(pools.of(&"bb").unwrap().get().await.unwrap());
    assert_eq!((built.load(SeqCst), pools.of(&"bb").unwrap().max()), (2, 2));
    assert_eq!(pools.of(&"").unwrap_err(), ResourceBuildError::NoPlaces);
    drop((a, bb));
}

#[tokio::test(start_paused = true)]
async fn pools_that_nobody_uses_make_room_the_least_recent_first() {
    let server = Server::default();
    let pools = keyed(&server, 4);
    let in_use = pools.of(&0).unwrap().get().await.unwrap();
    let kept = pools.of(&1).unwrap();
    for key in 2..50 {
        drop(pools.of(&key).unwrap().get().await.unwrap());
        drop(pools.of(&2).unwrap()); // asked for again and again
    }
    tokio::time::sleep(ms(1)).await;
    let mut keys: Vec<u32> = pools.stats().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [0, 1, 2, 49]);
    assert_eq!(server.alive(), 3, "the idle resources of closed pools are closed: {}", server.alive());
    drop((in_use, kept));
}

#[tokio::test(start_paused = true)]
async fn all_pools_are_drained_within_one_deadline() {
    let server = Server::default();
    let pools = keyed(&server, 10);
    let stuck = [pools.of(&1).unwrap().get().await.unwrap(), pools.of(&2).unwrap().get().await.unwrap()];
    drop(pools.of(&3).unwrap().get().await.unwrap());
    let began = Instant::now();
    let mut left: Vec<u32> = pools.drain(s(5)).await.into_iter().map(|(key, _)| key).collect();
    left.sort_unstable();
    assert_eq!((left, began.elapsed()), (vec![1, 2], s(5)));
    drop(stuck);
    tokio::time::sleep(ms(1)).await;
    assert_eq!((server.alive(), pools.stats().len()), (0, 0));
}
