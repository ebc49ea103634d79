//! The counting allocator under a real program: exact for one thread, for threads that come and go, and
//! for more threads than the table has slots.
#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::hint::black_box;
use std::sync::{Barrier, Mutex, MutexGuard};

use tidemill_profiling::{AllocStats, CountingAlloc};

#[global_allocator]
static GLOBAL: CountingAlloc<System> = CountingAlloc::new(System);

/// The counters are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What `work` spends, by the smallest of several readings: the test harness's own threads may allocate
/// beside it, and can only add.
fn spent(mut work: impl FnMut()) -> AllocStats {
    (0..20)
        .map(|_| {
            let before = AllocStats::read();
            work();
            AllocStats::read() - before
        })
        .min_by_key(|stats| stats.allocations)
        .unwrap()
}

#[test]
fn a_known_number_of_blocks_is_counted_exactly() {
    let _alone = alone();
    let stats = spent(|| (0..1000).for_each(|_| drop(black_box(Box::new([0_u8; 24])))));
    let exact =
        AllocStats { allocations: 1000, deallocations: 1000, allocated_bytes: 24_000, deallocated_bytes: 24_000 };
    assert_eq!(stats, exact);
}

#[test]
fn a_growing_vector_asks_once_per_doubling() {
    let _alone = alone();
    let stats = spent(|| {
        let mut bytes = Vec::<u8>::with_capacity(8);
        bytes.reserve_exact(16);
        bytes.reserve_exact(32);
        black_box(&bytes);
    });
    assert_eq!((stats.allocations, stats.allocated_bytes), (3, 8 + 16 + 32));
    assert_eq!((stats.deallocations, stats.live_bytes()), (3, 0));
}

#[test]
fn zeroed_blocks_are_counted_too() {
    let _alone = alone();
    let stats = spent(|| drop(black_box(vec![0_u64; 10])));
    assert_eq!((stats.allocations, stats.allocated_bytes, stats.deallocations), (1, 80, 1));
}

#[test]
fn no_count_is_lost_when_threads_come_and_go() {
    const ROUNDS: usize = 50;
    const THREADS: usize = 8;
    const BLOCKS: usize = 500;
    const BYTES: usize = 4099; // A size nothing else here asks for.
    let _alone = alone();
    let before = AllocStats::read();
    let allocate = || (0..BLOCKS).for_each(|_| drop(black_box(Vec::<u8>::with_capacity(BYTES))));
    for _ in 0..ROUNDS {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(allocate);
            }
        });
    }
    let stats = AllocStats::read() - before;
    let ours = (ROUNDS * THREADS * BLOCKS) as u64;
    let others = stats.allocations - ours;
    assert!(others < 100 * (ROUNDS * THREADS) as u64, "{others} allocations by spawning threads");
    assert!(stats.allocated_bytes >= ours * BYTES as u64, "{stats:?}");
    assert!(stats.deallocations >= ours, "{stats:?}");
}

#[test]
fn threads_beyond_the_table_share_the_overflow_slot() {
    const THREADS: usize = 600; // The table has 512 slots.
    const BLOCKS: u64 = 100;
    let _alone = alone();
    let all_leased = Barrier::new(THREADS);
    let before = AllocStats::read();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let thread = std::thread::Builder::new().stack_size(64 << 10);
            thread
                .spawn_scoped(scope, || {
                    drop(black_box(Box::new(1_u8)));
                    all_leased.wait();
                    (1..BLOCKS).for_each(|_| drop(black_box(Box::new(1_u8))));
                })
                .unwrap();
        }
    });
    let stats = AllocStats::read() - before;
    assert!(stats.allocations >= THREADS as u64 * BLOCKS, "{stats:?}");
    assert!(stats.deallocations >= THREADS as u64 * BLOCKS, "{stats:?}");
}
