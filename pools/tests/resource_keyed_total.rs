//! One bound over the resources of all keys: who gets the next place, who makes room, and that nothing is lost or forgotten
//! when callers give up at any await.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use support::{Outcome, Server, ms, on_both, s, until};
use tidemill_pools::{CloseReason, GetError, KeyedResourcePool, ResourceBuildError, Spawner};
use tokio::task::{AbortHandle, JoinSet};

type Keyed = KeyedResourcePool<u32, Server>;

fn keyed(server: &Server, max: usize, max_total: usize) -> Keyed {
    let server = server.clone();
    KeyedResourcePool::builder(move |_: &u32| server.pool().max(max)).max_total(max_total).build().unwrap()
}

async fn get(pools: &Keyed, key: u32) -> tidemill_pools::Lease<Server> {
    pools.of(&key).unwrap().get().await.unwrap()
}

#[test]
fn options_that_leave_no_place_are_refused() {
    let none = |keys, total| {
        KeyedResourcePool::builder(|_: &u32| Server::default().pool()).max_keys(keys).max_total(total).build()
    };
    assert_eq!(none(0, 1).unwrap_err(), ResourceBuildError::NoKeyedPlaces("max_keys"));
    assert_eq!(none(1, 0).unwrap_err(), ResourceBuildError::NoKeyedPlaces("max_total"));
    assert_eq!(none(1, 1).unwrap().set_max_total(0), Err(ResourceBuildError::NoKeyedPlaces("max_total")));
}

#[tokio::test(start_paused = true)]
async fn both_bounds_hold_and_the_stats_tell_of_each_key_and_of_all() {
    let server = Server::default();
    let pools = keyed(&server, 2, 3);
    let held = [get(&pools, 1).await, get(&pools, 1).await, get(&pools, 2).await];
    // Key 1 is at its own bound, key 2 at the common one.
    for key in [1, 2] {
        let error = pools.of(&key).unwrap().get_within(ms(10)).await.unwrap_err();
        assert!(matches!(error, GetError::Timeout { .. }), "{error}");
    }
    let total = pools.total();
    assert_eq!((total.keys, total.max_total, total.used, total.in_use, total.waiting), (2, Some(3), 3, 3, 0));
    let mut of_each: Vec<_> = pools.stats().into_iter().map(|(key, stats)| (key, stats.in_use)).collect();
    of_each.sort_unstable();
    assert_eq!((of_each, server.most()), (vec![(1, 2), (2, 1)], 3));
    drop(held);
    assert_eq!((pools.total().idle, pools.total().used), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_resource_of_all_keys_makes_room() {
    let server = Server::default();
    let pools = keyed(&server, 2, 3);
    let handles = [1, 2, 3].map(|key| pools.of(&key).unwrap());
    for key in [2, 1, 3] {
        drop(get(&pools, key).await);
        tokio::time::sleep(ms(5)).await;
    }
    drop(get(&pools, 2).await); // used again: now 1 is idle for longest
    drop(get(&pools, 4).await);
    let idle = handles.each_ref().map(|pool| pool.stats().idle);
    let made_room = handles.each_ref().map(|pool| pool.stats().closed.by(CloseReason::MadeRoom));
    assert_eq!((idle, made_room), ([0, 1, 1], [1, 0, 0]));
    assert_eq!((server.alive(), server.most()), (3, 3));
}

/// The callers of all keys stand in one line when the total is full: also those of a key that has no resource yet, and
/// also against a key whose callers never pause.
#[tokio::test(start_paused = true)]
async fn when_the_total_is_full_callers_of_all_keys_are_served_in_order_of_arrival() {
    let server = Server::default();
    let pools = Arc::new(keyed(&server, 1, 1));
    let (held, order) = (get(&pools, 0).await, Arc::new(Mutex::new(Vec::new())));
    let mut callers = JoinSet::new();
    for (number, key) in [0, 1, 0, 2, 1, 0].into_iter().enumerate() {
        let (pools, order) = (Arc::clone(&pools), Arc::clone(&order));
        callers.spawn(async move {
            let lease = get(&pools, key).await;
            order.lock().unwrap().push(number);
            tokio::time::sleep(ms(10)).await;
            drop(lease);
        });
        tokio::task::yield_now().await;
    }
    until(|| pools.total().waiting == 6).await;
    drop(held);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    assert_eq!((order.lock().unwrap().as_slice(), server.most()), ([0, 1, 2, 3, 4, 5].as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_minimum_of_a_key_wants_takes_nothing_from_a_caller() {
    let server = Server::default();
    let from = server.clone();
    let make = move |key: &u32| from.pool().max(2).min_idle(if *key == 0 { 2 } else { 0 });
    let pools = KeyedResourcePool::builder(make).max_total(2).build().unwrap();
    let warm = pools.of(&0).unwrap();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(warm.stats().idle, 2);
    let (one, two) = (get(&pools, 1).await, get(&pools, 2).await);
    tokio::time::sleep(s(60)).await;
    assert_eq!((warm.stats().idle, server.alive()), (0, 2), "a caller's resource was not taken for a minimum");
    drop((one, two));
    tokio::time::sleep(s(60)).await;
    assert_eq!((warm.stats().idle, pools.total().idle), (0, 2), "idle ones of other keys stay where they are");
    pools.of(&1).unwrap().evict();
    pools.of(&2).unwrap().evict();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(warm.stats().idle, 2, "a free place is used for the minimum");
}

#[tokio::test(start_paused = true)]
async fn the_total_can_change_while_callers_wait() {
    let server = Server::default();
    let pools = Arc::new(keyed(&server, 4, 1));
    let held = get(&pools, 0).await;
    let mut waiting = JoinSet::new();
    for key in [1, 2, 3] {
        let pools = Arc::clone(&pools);
        waiting.spawn(async move { get(&pools, key).await });
    }
    until(|| pools.total().short == 3).await;
    pools.set_max_total(4).unwrap();
    let mut leases = vec![held];
    while let Some(lease) = waiting.join_next().await {
        leases.push(lease.unwrap());
    }
    assert_eq!((pools.total().used, server.most()), (4, 4));
    pools.set_max_total(2).unwrap();
    leases.truncate(1); // three come back: two have to go
    tokio::time::sleep(ms(1)).await;
    assert_eq!((pools.total().used, server.alive()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_fails_to_connect_keeps_no_place_from_the_others() {
    let (down, up) = (Server::default(), Server::default());
    down.set_down(true);
    let make = move |key: &u32| if *key == 0 { down.pool().max(1) } else { up.pool().max(1) };
    let pools = KeyedResourcePool::builder(make).max_total(2).build().unwrap();
    let error = pools.of(&0).unwrap().get_within(ms(500)).await.unwrap_err();
    assert!(matches!(error, GetError::Timeout { last_create_error: Some(_), .. }), "{error}");
    drop((get(&pools, 1).await, get(&pools, 2).await));
    assert_eq!(pools.total().used, 2);
}

#[tokio::test(start_paused = true)]
async fn empty_keys_are_forgotten_before_those_that_have_something() {
    let server = Server::default();
    let from = server.clone();
    let pools = KeyedResourcePool::builder(move |_: &u32| from.pool().max(1)).max_keys(3).max_total(2).build().unwrap();
    drop((get(&pools, 0).await, get(&pools, 1).await));
    for key in 2..100 {
        drop(pools.of(&key).unwrap()); // asked for, never used
    }
    let mut keys: Vec<u32> = pools.stats().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    assert_eq!((&keys[..2], keys.len(), pools.total().idle), ([0, 1].as_slice(), 3, 2));
}

/// On both runtimes: tasks on two threads, more keys than places, some give up.
#[test]
fn tasks_of_many_keys_share_few_places() {
    on_both(|on: Spawner| async move {
        let server = Server::default();
        let (from, runtime) = (server.clone(), on.clone());
        let make = move |_: &u32| from.pool().max(2).acquire_timeout(None).on(runtime.clone());
        let pools = Arc::new(KeyedResourcePool::builder(make).max_total(3).max_keys(4).build().unwrap());
        let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        for task in 0..8_u32 {
            let (pools, done) = (Arc::clone(&pools), Arc::clone(&done));
            on.spawn(async move {
                for round in 0..100 {
                    let pool = pools.of(&((task + round) % 6)).unwrap();
                    if round % 5 == 0 {
                        let mut given_up = std::pin::pin!(pool.get());
                        let _ = support::poll_once(given_up.as_mut());
                    }
                    let lease = pool.get().await.unwrap();
                    tokio::task::yield_now().await;
                    drop(lease);
                }
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        until(|| done.load(std::sync::atomic::Ordering::SeqCst) == 8).await;
        assert!(server.most() <= 3, "{} at the same time", server.most());
        assert!(pools.drain(s(60)).await.is_empty());
        until(|| pools.total().used == 0).await;
        assert_eq!(server.alive(), 0);
    });
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A caller of that key comes and keeps what it gets for so many milliseconds.
    Call(u32, u64),
    /// The caller of that number, modulo how many there were, gives up wherever it is.
    GiveUp(usize),
    Wait(u64),
    Create(Outcome),
    Validation(Outcome),
    CreateTakes(u64),
    CloseTakes(u64),
    MaxTotal(usize),
    Evict(u32),
}

/// More than the storms' bound is ever set to.
const MOST: usize = 4;

fn act() -> impl Strategy<Value = Act> {
    let outcome = || prop_oneof![Just(Outcome::Good), Just(Outcome::Bad), Just(Outcome::Panic), Just(Outcome::Never)];
    prop_oneof![
        14 => (0..5_u32, 0..20_u64).prop_map(|(key, hold)| Act::Call(key, hold)),
        6 => any::<usize>().prop_map(Act::GiveUp),
        8 => (0..30_u64).prop_map(Act::Wait),
        2 => outcome().prop_map(Act::Create),
        2 => outcome().prop_map(Act::Validation),
        1 => (0..20_u64).prop_map(Act::CreateTakes),
        1 => (0..20_u64).prop_map(Act::CloseTakes),
        1 => (1..=MOST).prop_map(Act::MaxTotal),
        1 => (0..5_u32).prop_map(Act::Evict),
    ]
}

struct Storm {
    server: Server,
    pools: Arc<Keyed>,
    callers: JoinSet<()>,
    handles: Vec<AbortHandle>,
}

impl Storm {
    fn new(min_idle: usize) -> Self {
        let server = Server::default();
        let from = server.clone();
        let make = move |_: &u32| {
            let pool = from.pool().max(2).min_idle(min_idle).acquire_timeout(None).idle_timeout(ms(50));
            pool.max_life(ms(200)).validate(tidemill_pools::Validate::Always).keep_alive(ms(20)).step_timeout(ms(30))
        };
        let pools = KeyedResourcePool::builder(make).max_total(MOST).max_keys(3).build().unwrap();
        Self { server, pools: Arc::new(pools), callers: JoinSet::new(), handles: Vec::new() }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Call(key, hold) => {
                let pools = Arc::clone(&self.pools);
                self.handles.push(self.callers.spawn(async move {
                    let lease = get(&pools, key).await;
                    tokio::time::sleep(ms(hold)).await;
                    drop(lease);
                }));
            }
            Act::GiveUp(number) if !self.handles.is_empty() => self.handles[number % self.handles.len()].abort(),
            Act::GiveUp(_) => {}
            Act::Wait(0) => tokio::task::yield_now().await,
            Act::Wait(time) => tokio::time::sleep(ms(time)).await,
            Act::Create(outcome) => drop(self.server.next_creates([outcome])),
            Act::Validation(outcome) => drop(self.server.next_validations([outcome])),
            Act::CreateTakes(time) => drop(self.server.create_takes(ms(time))),
            Act::CloseTakes(time) => drop(self.server.close_takes(ms(time))),
            Act::MaxTotal(max) => self.pools.set_max_total(max).unwrap(),
            Act::Evict(key) => self.pools.of(&key).unwrap().evict(),
        }
        self.check();
    }

    fn check(&self) {
        let total = self.pools.total();
        assert!(total.used <= MOST, "{total:?}");
        for (key, stats) in self.pools.stats() {
            let living = stats.idle + stats.in_use + stats.checking + stats.closing + stats.creating;
            assert!(living <= 2, "key {key}: {stats:?}");
            assert!(stats.waiting == 0 || stats.idle == 0, "key {key} waits beside an idle resource: {stats:?}");
        }
    }

    /// From now on nobody gives up: everybody is served, and nothing is left.
    async fn calm_down(mut self) {
        let served = async {
            while let Some(ended) = self.callers.join_next().await {
                assert!(ended.as_ref().map_or_else(tokio::task::JoinError::is_cancelled, |()| true), "{ended:?}");
            }
        };
        let forgotten = tokio::time::timeout(s(600), served).await;
        assert!(forgotten.is_ok(), "a caller was forgotten: {:?} {:?}", self.pools.total(), self.pools.stats());
        assert!(self.pools.drain(s(60)).await.is_empty());
        tokio::time::sleep(s(1)).await;
        let total = self.pools.total();
        assert_eq!((total.used, total.closing, total.short, self.server.alive()), (0, 0, 0, 0));
        // A close that is given up on after the step time-out is gone for the pool a moment before it is for the server.
        assert!(self.server.most() <= MOST, "{} at the same time", self.server.most());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_bound_is_passed_and_nobody_is_forgotten_in_a_storm(
        acts in prop::collection::vec(act(), 1..120),
        min_idle in 0..2_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut storm = Storm::new(min_idle);
            for act in &acts {
                storm.act(*act).await;
            }
            storm.calm_down().await;
        });
    }
}
