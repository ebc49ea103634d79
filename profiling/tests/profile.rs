//! The profiler on programs whose hot spot is known.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tidemill_profiling::{CpuProfiler, MAX_HZ, ProcessStats, ProfileError};

const HZ: u32 = 250;

/// The sampler is the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Burns `budget` of the process's CPU time, so that the number of samples does not depend on the machine's
/// load.
fn burn(budget: Duration, mut work: impl FnMut()) {
    let end = ProcessStats::read().unwrap().cpu() + budget;
    while ProcessStats::read().unwrap().cpu() < end {
        work();
    }
}

#[inline(never)]
fn spin_here(rounds: u64) -> u64 {
    // Operators only: in a debug build every call would be a frame of its own.
    let (mut left, mut mixed) = (rounds, 0);
    while left > 0 {
        mixed = (mixed >> 1) ^ left;
        left -= 1;
    }
    mixed
}

#[inline(never)]
fn allocate_here(blocks: usize) -> Vec<Vec<u8>> {
    (0..blocks).map(|n| black_box(Vec::with_capacity(16 + n % 512))).collect()
}

#[test]
fn a_spinning_function_is_the_top_of_the_profile() {
    let _alone = alone();
    let profiler = CpuProfiler::start(HZ).unwrap();
    burn(Duration::from_millis(400), || {
        black_box(spin_here(2_000_000));
    });
    let profile = profiler.stop().unwrap();

    let stacks = profile.stacks();
    assert!(stacks.samples() >= 20, "{} samples", stacks.samples());
    let share = stacks.share(|frame| frame.contains("spin_here"));
    assert!(share > 0.8, "spin_here has {share} of\n{stacks:#?}");
    let (leaf, count) = stacks.top_self(1)[0];
    assert!(leaf.contains("spin_here") && count * 2 > stacks.samples(), "{leaf} {count}");

    let mut folded = Vec::new();
    profile.write_folded(&mut folded).unwrap();
    assert!(String::from_utf8(folded).unwrap().lines().any(|line| line.contains("spin_here")));
    let mut svg = Vec::new();
    profile.write_svg("spin", &mut svg).unwrap();
    assert!(String::from_utf8(svg).unwrap().contains("spin_here"));
}

#[test]
fn the_allocator_is_not_hidden() {
    let _alone = alone();
    let profiler = CpuProfiler::start(HZ).unwrap();
    burn(Duration::from_millis(400), || drop(allocate_here(20_000)));
    let profile = profiler.stop().unwrap();
    let share = profile.stacks().share(|frame| frame.contains("malloc") || frame.contains("free"));
    assert!(share > 0.2, "malloc and free have {share} of\n{:#?}", profile.stacks());
}

#[test]
fn a_second_profiler_is_refused_until_the_first_is_gone() {
    let _alone = alone();
    let first = CpuProfiler::start(HZ).unwrap();
    assert_eq!(CpuProfiler::start(HZ).err(), Some(ProfileError::AlreadyRunning));
    drop(first);
    let second = CpuProfiler::start(HZ).unwrap();
    second.stop().unwrap();
    CpuProfiler::start(HZ).unwrap();
}

#[test]
fn rounds_under_allocating_threads() {
    start_and_stop_under_allocating_threads(20);
}

#[test]
#[ignore = "the long form of the test above: about ten seconds"]
fn two_hundred_rounds_under_allocating_threads() {
    start_and_stop_under_allocating_threads(200);
}

/// Starts and stops while two threads do little else than allocate: the place where a sampler that
/// allocates or locks in its signal handler deadlocks or crashes.
fn start_and_stop_under_allocating_threads(rounds: u32) {
    let _alone = alone();
    let done = AtomicBool::new(false);
    let mut samples = 0;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            // Relaxed: only a stop flag; the scope's join orders everything else.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(allocate_here(1000));
                }
            });
        }
        for _ in 0..rounds {
            let profiler = CpuProfiler::start(MAX_HZ).unwrap();
            let end = ProcessStats::read().unwrap().cpu() + Duration::from_millis(12);
            while ProcessStats::read().unwrap().cpu() < end {
                std::thread::yield_now();
            }
            samples += profiler.stop().unwrap().stacks().samples();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(samples >= u64::from(rounds) / 2, "{samples} samples in {rounds} rounds");
}
