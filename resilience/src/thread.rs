//! Small numbers for threads, each held by one living thread at a time, so that an array with a place per thread works.
//!
//! A number that is its thread's alone turns "add one" into a load and a store on a line nobody else writes: a third of the
//! cost of an atomic addition. Numbers of threads that ended are given out again, the smallest first, and the lock of
//! the list orders the old holder's last store before the new holder's first load.
//!
//! The number itself sits in a thread-local without a destructor, whose access is one load; a second thread-local, touched
//! once per thread, gives it back. Code that runs in a later destructor of the same thread finds [`NOBODY`].

use std::{
    cell::Cell,
    collections::BTreeSet,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

/// The number of a thread that has none any more: past every array, so its holder shares the common place.
pub(crate) const NOBODY: usize = usize::MAX;

/// Not asked for yet.
const UNKNOWN: usize = usize::MAX - 1;

/// Places per hardware thread. More than one because other threads (of blocking calls, say) hold numbers too, and two hot
/// threads that share a place pay for each other.
const PLACES_PER_CPU: usize = 2;

/// Enough for the largest machine in common use; one who counts in 128-byte places should stay below 16 KiB.
const MAX_PLACES: usize = 128;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
    static LEASE: Lease = Lease::take();
}

/// This thread's number. One thread-local load after the first call.
#[inline]
pub(crate) fn number() -> usize {
    let number = NUMBER.get();
    if number == UNKNOWN { first() } else { number }
}

#[cold]
fn first() -> usize {
    // Not there while the thread is being taken down: then it counts as nobody.
    let number = LEASE.try_with(|lease| lease.0).unwrap_or(NOBODY);
    NUMBER.set(number);
    number
}

/// How many places an array per thread should have on this machine: a power of two.
pub(crate) fn places() -> usize {
    // Asking the system means reading its cgroup files: once per process is enough.
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        (cpus * PLACES_PER_CPU).next_power_of_two().min(MAX_PLACES)
    })
}

/// The numbers: those below `next` were given out, and those in `free` came back.
#[derive(Debug)]
struct Numbers {
    free: BTreeSet<usize>,
    next: usize,
}

static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { free: BTreeSet::new(), next: 0 });

/// A number as long as its thread lives.
#[derive(Debug)]
struct Lease(usize);

impl Lease {
    fn take() -> Self {
        let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        Self(numbers.free.pop_first().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next - 1
        }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        NUMBER.set(NOBODY);
        NUMBERS.lock().unwrap_or_else(PoisonError::into_inner).free.insert(self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn living_threads_differ_and_the_numbers_of_dead_ones_come_back() {
        const ROUNDS: usize = 50;
        const THREADS: usize = 4;
        let mut highest = 0;
        for _ in 0..ROUNDS {
            let all_here = Barrier::new(THREADS);
            let each = || {
                let own = number();
                all_here.wait();
                assert_eq!(own, number());
                own
            };
            let seen: BTreeSet<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(each)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(seen.len(), THREADS, "two living threads hold one number");
            highest = highest.max(*seen.last().unwrap());
        }
        // Other tests of this binary run beside this one and hold numbers of their own.
        assert!(highest < ROUNDS * THREADS / 2, "numbers are given out again: {highest}");
    }
}
