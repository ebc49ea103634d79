//! What an object pool gives back: by the clock, by hand, by the bound of a size class. The clock is moved by the tests.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tidemill_pools::{BufferBuildError, BufferPool, ObjectBuildError, ObjectBuilder, ObjectPool, Pooled};

/// Returns of a thread between two looks at the clock.
const LOOK: usize = 64;

#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, SeqCst);
    }

    fn read(&self) -> impl Fn() -> Duration + Send + Sync + 'static {
        let seconds = Arc::clone(&self.0);
        move || Duration::from_secs(seconds.load(SeqCst))
    }
}

fn aging(clock: &Clock) -> ObjectBuilder<u32> {
    ObjectPool::builder(|| 0).capacity(1000).magazine(2).decay(Duration::from_secs(10)).clock(clock.read())
}

/// Has so many out at the same time, then none.
fn burst(pool: &ObjectPool<u32>, count: usize) {
    drop((0..count).map(|_| pool.get()).collect::<Vec<_>>());
}

/// Enough traffic, one object at a time, for a look at the clock.
fn trickle(pool: &ObjectPool<u32>) {
    (0..LOOK).for_each(|_| drop(pool.get()));
}

#[test]
fn a_burst_is_forgotten_by_half_per_window() {
    let clock = Clock::default();
    let pool = aging(&clock).build().unwrap();
    burst(&pool, 400);
    let full = pool.stats().shared;
    assert!(full >= 390, "{full}");
    let mut left = Vec::new();
    for _ in 0..6 {
        clock.advance(10);
        trickle(&pool);
        left.push(pool.stats().shared);
    }
    // The first window had the burst in it: its low-water mark was nothing.
    assert_eq!(left[0], full);
    for (before, after) in left.iter().zip(&left[1..]) {
        assert!(after.abs_diff(before / 2) <= 2, "{left:?}");
    }
    assert_eq!(pool.stats().most_shared, full);
    let decayed = pool.stats().decayed as usize - (full - left[5]);
    assert!(decayed <= 1, "{decayed} besides the depot's, and the thread's stack had one");
}

#[test]
fn what_each_window_needs_stays() {
    let clock = Clock::default();
    let pool = aging(&clock).build().unwrap();
    for _ in 0..20 {
        burst(&pool, 100);
        clock.advance(10);
        trickle(&pool);
    }
    assert_eq!((pool.stats().made, pool.stats().decayed), (100, 0));
}

#[test]
fn windows_without_traffic_are_made_up_for() {
    let clock = Clock::default();
    let pool = aging(&clock).build().unwrap();
    burst(&pool, 400);
    clock.advance(10 * 60);
    trickle(&pool);
    assert_eq!(pool.stats().shared, 0);
}

#[test]
fn a_window_can_be_ended_by_hand() {
    let pool = ObjectPool::builder(|| 0).capacity(1000).magazine(2).build().unwrap();
    burst(&pool, 100);
    let full = pool.stats().shared;
    pool.trim();
    assert_eq!(pool.stats().shared, full, "all were needed since the last trim");
    pool.trim();
    assert_eq!(pool.stats().shared, full / 2);
    pool.clear();
    assert_eq!(pool.stats().shared, 0);
    assert!(pool.try_get().is_none(), "the thread's own are gone, too");
}

#[test]
fn the_stack_of_a_thread_ages_too() {
    let clock = Clock::default();
    let pool = aging(&clock).capacity(100).magazine(32).build().unwrap();
    burst(&pool, 30);
    assert_eq!(pool.stats().shared, 0, "all of it fits into the magazine");
    for _ in 0..8 {
        clock.advance(10);
        trickle(&pool);
    }
    // One is on top, which each of those gets and returns used.
    assert_eq!(pool.stats().decayed, 29);
}

#[test]
fn objects_that_are_no_longer_fit_are_not_given_out() {
    let fit = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&fit);
    let serial = AtomicUsize::new(0);
    let pool = ObjectPool::builder(move || serial.fetch_add(1, SeqCst))
        .valid_if(move |number| asked.load(SeqCst) || *number > 2)
        .build()
        .unwrap();
    drop([pool.get(), pool.get(), pool.get()]);
    assert_eq!(pool.get().detach(), 2, "the last one returned");
    fit.store(false, SeqCst);
    assert_eq!(pool.try_get().map(Pooled::detach), None);
    assert_eq!(*pool.get(), 3);
    assert_eq!((pool.stats().discarded, pool.stats().made), (2, 4));
    assert_eq!(*pool.get(), 3, "used again");
}

#[test]
fn returns_are_counted_where_it_costs_nothing() {
    let pool = ObjectPool::builder(|| 0).reset(|_| ()).build().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..100).for_each(|_| drop(pool.get()))).join().unwrap();
    });
    assert_eq!((pool.stats().made, pool.stats().returned), (1, 100), "the thread's end counts the rest");
}

#[test]
fn requests_get_the_smallest_class_that_serves_them() {
    let pool = BufferPool::builder().smallest(1000).largest(5000).build().unwrap();
    let sizes: Vec<usize> = pool.stats().classes.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes, [1024, 2048, 4096, 8192]);
    for (wanted, given) in
        [(0, 1024), (1, 1024), (1024, 1024), (1025, 2048), (8192, 8192), (8193, 8193), (100_000, 100_000)]
    {
        assert_eq!(pool.get(wanted).capacity(), given, "{wanted}");
    }
    assert_eq!(pool.stats().refused, 2);
}

#[test]
fn a_buffer_that_has_grown_goes_to_its_class_and_a_giant_goes_away() {
    let pool = BufferPool::builder().smallest(16).largest(64).build().unwrap();
    let mut grows = pool.get(16);
    grows.extend([7; 40]);
    let capacity = grows.capacity();
    assert!((40..=64).contains(&capacity));
    drop(grows);
    let again = pool.get(32);
    assert_eq!((again.capacity(), again.len()), (capacity, 0));
    assert_eq!((pool.stats().moved, pool.stats().classes[0].1.discarded), (1, 0));
    let mut giant = pool.get(16);
    giant.extend([7; 1000]);
    drop(giant);
    let mut shrunk = pool.get(64);
    shrunk.shrink_to_fit();
    drop(shrunk);
    assert_eq!(pool.stats().refused, 2);
    assert_eq!(pool.get(64).into_vec().capacity(), 64);
}

#[test]
fn each_class_is_bounded_in_bytes() {
    let pool = BufferPool::builder().smallest(1024).largest(4096).bytes_per_class(8192).build().unwrap();
    for size in [1024, 2048, 4096] {
        drop((0..50).map(|_| pool.get(size)).collect::<Vec<_>>());
    }
    for (size, stats) in pool.stats().classes {
        assert_eq!(50 - stats.discarded as usize, 8192 / size, "{size}");
    }
}

#[test]
fn the_memory_of_large_buffers_comes_back() {
    let clock = Clock::default();
    let pool = Arc::new(
        BufferPool::builder().decay(Duration::from_secs(10)).clock(clock.read()).largest(1 << 16).build().unwrap(),
    );
    drop((0..60).map(|_| pool.get(1 << 16)).collect::<Vec<_>>());
    let full = pool.stats().idle_bytes();
    assert!(full >= 20 << 16, "{full}");
    clock.advance(600);
    (0..LOOK).for_each(|_| drop(pool.get_owned(1 << 16)));
    assert_eq!(pool.stats().idle_bytes(), 0);
    pool.trim();
    pool.clear();
}

#[test]
fn an_owned_buffer_goes_anywhere_and_keeps_its_pool() {
    let pool = Arc::new(BufferPool::builder().build().unwrap());
    let buffer = pool.get_owned(10);
    drop(pool);
    assert_eq!(std::thread::spawn(move || buffer.capacity()).join().unwrap(), 1024);
}

#[test]
fn options_out_of_range_are_named() {
    let refused = ObjectPool::builder(|| 0).decay(Duration::ZERO).build().unwrap_err();
    assert_eq!(refused, ObjectBuildError::NoWindow);
    let builder = BufferPool::builder;
    assert_eq!(builder().smallest(0).build().unwrap_err(), BufferBuildError::Size(0));
    assert_eq!(builder().largest(usize::MAX).build().unwrap_err(), BufferBuildError::Size(usize::MAX));
    assert!(builder().smallest(4096).largest(10).build().unwrap_err().to_string().contains("smallest(4096)"));
    assert_eq!(builder().decay(Duration::ZERO).build().unwrap_err(), BufferBuildError::NoWindow);
}
