//! The object pool from outside: nothing lost, nothing twice, never over the bound, sane under panics.
#![allow(clippy::unwrap_used)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use flume::{Receiver, Sender};
use tidemill_pools::{ObjectBuildError, ObjectPool, Pooled};

/// Steps of each thread in the stress test.
const ROUNDS: usize = 20_000;

/// Counts the living.
#[derive(Clone, Debug, Default)]
struct Census(Arc<AtomicUsize>);

impl Census {
    fn alive(&self) -> usize {
        self.0.load(SeqCst)
    }

    fn birth(&self) -> Citizen {
        self.0.fetch_add(1, SeqCst);
        Citizen { census: self.clone(), holders: AtomicUsize::new(0), note: 0 }
    }
}

/// An object that notices being held twice.
#[derive(Debug)]
struct Citizen {
    census: Census,
    holders: AtomicUsize,
    note: u32,
}

impl Drop for Citizen {
    fn drop(&mut self) {
        self.census.0.fetch_sub(1, SeqCst);
    }
}

fn citizens(census: &Census) -> tidemill_pools::ObjectBuilder<Citizen> {
    let census = census.clone();
    ObjectPool::builder(move || census.birth())
}

/// Never runs the destructor.
fn leak<V>(value: V) {
    let _ = std::mem::ManuallyDrop::new(value);
}

fn hold(citizen: &Citizen) {
    assert_eq!(citizen.holders.fetch_add(1, SeqCst), 0, "one object in two hands");
}

fn let_go(citizen: &Citizen) {
    assert_eq!(citizen.holders.fetch_sub(1, SeqCst), 1);
}

#[test]
fn a_returned_object_is_the_next_one_given() {
    let census = Census::default();
    let pool = citizens(&census).build().unwrap();
    pool.get().note = 7;
    assert_eq!(pool.get().note, 7);
    assert_eq!((pool.stats().made, census.alive()), (1, 1));
}

#[test]
fn the_last_returned_is_the_first_given() {
    let pool = ObjectPool::builder(|| 0).capacity(64).magazine(8).build().unwrap();
    let guards: Vec<Pooled<i32>> = (0..4).map(|number| pool.attach(number)).collect();
    drop(guards);
    let given: Vec<i32> = (0..4).map(|_| pool.get().detach()).collect();
    assert_eq!(given, [3, 2, 1, 0]);
}

#[test]
fn the_bound_holds_for_every_shape_of_pool() {
    for (capacity, magazine, burst) in
        [(1, 0, 5), (1, 1, 5), (2, 1, 9), (3, 8, 9), (8, 1, 20), (8, 2, 20), (8, 3, 20), (8, 64, 20), (100, 7, 99)]
    {
        let census = Census::default();
        let pool = citizens(&census).capacity(capacity).magazine(magazine).build().unwrap();
        for _ in 0..3 {
            let guards: Vec<_> = (0..burst).map(|_| pool.get()).collect();
            assert_eq!(census.alive(), burst, "an idle object was passed over");
            drop(guards);
            let stats = pool.stats();
            assert!(census.alive() <= capacity, "{capacity}/{magazine}: {} kept", census.alive());
            assert!(stats.shared + stats.reserved <= capacity);
            assert!(stats.reserved <= capacity / 2);
        }
        drop(pool);
        assert_eq!(census.alive(), 0, "{capacity}/{magazine}");
    }
}

#[test]
fn a_lone_thread_fills_all_places() {
    let census = Census::default();
    let pool = citizens(&census).capacity(20).magazine(4).build().unwrap();
    drop((0..30).map(|_| pool.get()).collect::<Vec<_>>());
    assert_eq!(census.alive(), 20);
    assert_eq!(pool.stats().discarded, 10);
}

/// What one thread of the wandering does: gets, returns (also in bursts), and hands guards on to the others.
fn wander(
    seed: u64,
    pool: &ObjectPool<Citizen>,
    sender: &Sender<Pooled<Citizen>>,
    receiver: &Receiver<Pooled<Citizen>>,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut held = Vec::new();
    for _ in 0..ROUNDS {
        match random.u8(..8) {
            0..3 => {
                let citizen = pool.get();
                hold(&citizen);
                held.push(citizen);
            }
            3..5 if held.len() > 6 => held.drain(..5).for_each(|citizen| let_go(&citizen)),
            5 => {
                if let Some(Err(full)) = held.pop().map(|citizen| sender.try_send(citizen)) {
                    let_go(&full.into_inner());
                }
            }
            6 => held.extend(receiver.try_recv()),
            _ => held.pop().into_iter().for_each(|citizen| let_go(&citizen)),
        }
        let stats = pool.stats();
        assert!(stats.shared + stats.reserved <= pool.capacity());
    }
    held.drain(..).for_each(|citizen| let_go(&citizen));
}

#[test]
fn objects_wander_between_threads_and_none_is_lost_or_doubled() {
    let census = Census::default();
    let builder = || citizens(&census).capacity(24).magazine(4);
    for pool in [builder(), builder().reset(|citizen| citizen.note += 1)] {
        let pool = pool.build().unwrap();
        let (sender, receiver) = flume::bounded(8);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|seed| {
                    scope.spawn({
                        let (pool, sender, receiver) = (&pool, &sender, &receiver);
                        move || wander(seed, pool, sender, receiver)
                    })
                })
                .collect();
            // A scope's end does not wait for the destructors of thread-locals; a join does.
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        receiver.try_iter().for_each(|citizen| let_go(&citizen));
        drop((sender, receiver));
        assert!(census.alive() <= 24, "{} idle objects", census.alive());
        assert_eq!(pool.try_get().map(|citizen| hold(&citizen)), Some(()), "something is left for the next");
        drop(pool);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_thread_that_ends_leaves_its_objects_and_places() {
    let census = Census::default();
    let pool = Arc::new(citizens(&census).capacity(8).magazine(4).build().unwrap());
    let pool2 = Arc::clone(&pool);
    thread::spawn(move || drop([pool2.get(), pool2.get()])).join().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.shared, stats.reserved), (2, 0));
    drop([pool.get(), pool.get()]);
    assert_eq!((pool.stats().made, census.alive()), (2, 2));
}

#[test]
fn what_one_thread_returns_another_gets() {
    let pool = ObjectPool::builder(|| 0_u64).capacity(64).magazine(8).build().unwrap();
    let (sender, receiver) = flume::bounded::<Pooled<u64>>(4);
    thread::scope(|scope| {
        scope.spawn(move || receiver.iter().for_each(drop));
        for _ in 0..1000 {
            sender.send(pool.get()).unwrap();
        }
        drop(sender);
    });
    // Objects stay behind in the channel, the magazines, and the depot; beyond those, everything was used again.
    assert!(pool.stats().made <= 4 + 1 + 64, "made {}", pool.stats().made);
}

#[test]
fn hooks_run_on_return_first_the_judge_then_the_reset() {
    let pool =
        ObjectPool::builder(Vec::<u8>::new).keep_if(|buffer| buffer.len() <= 3).reset(Vec::clear).build().unwrap();
    pool.get().extend([1, 2, 3]);
    assert!(pool.get().is_empty(), "reset");
    assert_eq!(pool.stats().discarded, 0);
    pool.get().extend([1, 2, 3, 4]);
    assert_eq!(pool.stats().discarded, 1, "the judge sees the object as it was left");
    assert_eq!(pool.try_get().map(Pooled::detach), None);
}

#[test]
fn a_panic_in_make_or_reset_loses_at_most_that_object() {
    let fuse = Arc::new(AtomicUsize::new(0));
    let (make_fuse, census) = (Arc::clone(&fuse), Census::default());
    let births = census.clone();
    let pool = ObjectPool::builder(move || {
        assert_ne!(make_fuse.load(SeqCst), 1, "make");
        births.birth()
    })
    .reset(|citizen| assert_ne!(citizen.note, 13, "reset"))
    .build()
    .unwrap();
    fuse.store(1, SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    fuse.store(0, SeqCst);
    let mut unlucky = pool.get();
    unlucky.note = 13;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(unlucky))).is_err());
    assert_eq!(census.alive(), 0);
    drop(pool.get());
    assert_eq!(census.alive(), 1);
    // A guard dropped by a panic: no second panic out of the hook, and the object does not come back.
    let crash = catch_unwind(AssertUnwindSafe(|| {
        pool.get().note = 0;
        let mut half_written = pool.get();
        half_written.note = 13;
        panic!("the user's");
    }));
    assert_eq!(*crash.unwrap_err().downcast::<&str>().unwrap(), "the user's");
    assert_eq!(census.alive(), 0);
}

#[test]
fn hooks_and_destructors_may_use_the_pool_they_belong_to() {
    /// Gets and returns an object whenever one is dropped.
    struct Meddler(std::sync::Weak<ObjectPool<Meddler>>);
    impl Drop for Meddler {
        fn drop(&mut self) {
            if let Some(pool) = self.0.upgrade() {
                drop(pool.try_get());
            }
        }
    }
    let pool = Arc::new_cyclic(|weak: &std::sync::Weak<ObjectPool<Meddler>>| {
        let (made, hooked) = (weak.clone(), weak.clone());
        ObjectPool::builder(move || Meddler(made.clone()))
            .capacity(4)
            .magazine(2)
            .reset(move |_| leak(hooked.upgrade().unwrap().try_get()))
            .build()
            .unwrap()
    });
    for burst in [1, 3, 6, 2] {
        drop((0..burst).map(|_| pool.get()).collect::<Vec<_>>());
    }
    let stats = pool.stats();
    assert!(stats.shared + stats.reserved <= 4);
}

#[test]
fn a_hook_may_drop_its_own_pool() {
    use std::sync::Mutex;
    let home: Arc<Mutex<Option<ObjectPool<u8>>>> = Arc::default();
    let in_hook = Arc::clone(&home);
    let pool = ObjectPool::builder(|| 1_u8)
        .reset(move |_| {
            drop(in_hook.lock().unwrap().take());
            // Opens a magazine of another pool, which sweeps ours, and uses our index in the table.
            drop(ObjectPool::builder(String::new).build().unwrap().get());
        })
        .build()
        .unwrap();
    let mut guards: Vec<_> = (0..3).map(|_| pool.get()).collect();
    *home.lock().unwrap() = Some(pool);
    guards.clear();
    assert!(home.lock().unwrap().is_none());
}

#[test]
fn guards_outlive_the_pool_and_indices_are_not_mixed_up() {
    let census = Census::default();
    let old = citizens(&census).build().unwrap();
    let (first, second) = (old.get(), old.get());
    drop(first);
    drop(old);
    assert_eq!(census.alive(), 1, "the cached object went with the pool");
    // The next pool of another type takes over the index; the old guard must not land in its magazine.
    let new = ObjectPool::builder(|| String::from("new")).build().unwrap();
    drop(new.get());
    drop(second);
    assert_eq!(census.alive(), 0);
    assert_eq!(*new.get(), "new");
}

#[test]
fn other_threads_free_the_objects_of_a_dropped_pool() {
    let census = Census::default();
    let pool = Arc::new(citizens(&census).build().unwrap());
    let (filled, dropped) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let thread = thread::spawn({
        let (pool, filled, dropped, census) =
            (Arc::clone(&pool), Arc::clone(&filled), Arc::clone(&dropped), census.clone());
        move || {
            drop(pool.get());
            drop(pool);
            filled.wait();
            dropped.wait();
            assert_eq!(census.alive(), 1, "still cached");
            drop(ObjectPool::builder(|| 0).build().unwrap().get());
            census.alive()
        }
    });
    filled.wait();
    drop(pool);
    dropped.wait();
    assert_eq!(thread.join().unwrap(), 0);
}

#[test]
fn forgetting_a_guard_loses_that_object_only() {
    let pool = ObjectPool::builder(|| 5).capacity(2).build().unwrap();
    for _ in 0..10 {
        leak(pool.get());
    }
    drop([pool.get(), pool.get()]);
    let kept: Vec<_> = std::iter::from_fn(|| pool.try_get()).collect();
    assert_eq!(kept.len(), 2);
}

#[test]
fn prefilled_objects_are_used_before_any_is_made() {
    let pool = ObjectPool::builder(|| 0).capacity(8).prefill(8).build().unwrap();
    assert_eq!(pool.stats().shared, 8);
    let guards: Vec<_> = (0..8).map(|_| pool.get()).collect();
    assert_eq!(pool.stats().made, 8);
    assert!(pool.try_get().is_none());
    drop(guards);
}

#[test]
fn options_out_of_range_are_named() {
    let builder = || ObjectPool::builder(|| 0);
    assert_eq!(builder().capacity(0).build().unwrap_err(), ObjectBuildError::NoCapacity);
    let overfull = builder().capacity(3).prefill(4).build().unwrap_err();
    assert_eq!(overfull.to_string(), "prefill(4) exceeds capacity(3)");
}
