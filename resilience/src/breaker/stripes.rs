//! Counting what goes well, without an atomic addition: a place per thread, written by that thread alone.
//!
//! A place is one word, the breaker's generation and the good calls of that generation. Its thread loads it and stores it
//! back one higher: on a line of its own that is a nanosecond, where an atomic addition costs eight and one on a shared line
//! a hundred with two threads. Who folds (see `tally`) reads all places and takes the difference to what it saw before, so
//! nobody ever resets a place; one that carries another generation counts as empty.
//!
//! Threads beyond the number of places share the last one, by compare-and-swap.
//!
//! **Orderings.** A place of one's own carries a count and nothing else; `Relaxed`. A fold that misses the latest good calls of another
//! thread finds them in the next.

use super::word::GENERATION_BITS;
use crate::{
    sync::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
        Padded,
    },
    thread,
};

/// Good calls of one generation in a place; they wrap, and differences of them count.
const COUNT_BITS: u32 = 64 - GENERATION_BITS;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// A place: generation above, count below.
pub(super) const fn place(generation: u64, count: u64) -> u64 {
    (generation << COUNT_BITS) | (count & COUNT_MASK)
}

#[derive(Debug)]
pub(super) struct Stripes {
    /// One per thread, and the last for all others.
    places: Box<[Padded<AtomicU64>]>,
}

impl Stripes {
    /// Places for `own` threads, and the shared one.
    pub(super) fn new(own: usize) -> Self {
        Self { places: (0..=own).map(|_| Padded(AtomicU64::new(0))).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Counts a good call of `generation` and returns how many of that generation the caller's place has counted, or
    /// `None` if it has to be asked first whether that generation is still the present one (`is_current`) and it is not.
    #[inline]
    pub(super) fn count(&self, generation: u64, is_current: impl Fn() -> bool) -> Option<u64> {
        self.count_at(thread::number(), generation, is_current)
    }

    #[inline]
    pub(super) fn count_at(&self, number: usize, generation: u64, is_current: impl Fn() -> bool) -> Option<u64> {
        let shared = self.places.len() - 1;
        if number >= shared {
            return self.count_shared(generation, is_current);
        }
        let own = &self.places[number].0;
        let counted = next(own.load(Relaxed), generation, is_current)?;
        // Only this thread writes here (see `thread`), so nothing is overwritten.
        own.store(counted, Relaxed);
        Some(counted & COUNT_MASK)
    }

    #[cold]
    fn count_shared(&self, generation: u64, is_current: impl Fn() -> bool) -> Option<u64> {
        let shared = &self.places[self.places.len() - 1].0;
        // Acquire, with the Release below: whoever finds a newer generation here than it believes in finds it in the breaker's
        // word as well (`is_current`), and drops its late count instead of putting it over the newer ones.
        let mut seen = shared.load(Acquire);
        loop {
            let counted = next(seen, generation, &is_current)?;
            match shared.compare_exchange_weak(seen, counted, Release, Acquire) {
                Ok(_) => return Some(counted & COUNT_MASK),
                Err(now) => seen = now,
            }
        }
    }

    /// Good calls of `generation` since what `seen` remembers, which is brought up to date.
    pub(super) fn fold(&self, generation: u64, seen: &mut [u64]) -> u64 {
        let mut sum = 0;
        for (place, seen) in self.places.iter().zip(seen) {
            let word = place.0.load(Relaxed);
            if word >> COUNT_BITS == generation {
                sum += word.wrapping_sub(*seen) & COUNT_MASK;
                *seen = word & COUNT_MASK;
            }
        }
        sum
    }
}

/// What a place becomes by a good call of `generation`, unless that is over.
#[inline]
fn next(seen: u64, generation: u64, is_current: impl Fn() -> bool) -> Option<u64> {
    if seen >> COUNT_BITS == generation {
        return Some(place(generation, seen + 1));
    }
    is_current().then(|| place(generation, 1))
}
