//! The jobs that were dealt to one worker ahead of their time, and that anybody may take back.
//!
//! While every worker is busy with short jobs, a worker takes some jobs at once from the queue. They count as queued, and
//! lie behind a lock of their own, which only their worker takes until somebody has to know exactly how things stand; so a
//! job costs the worker one lock that nobody fights for, and no line of memory that others write. Who may be dealt to,
//! and when hands are recalled, is the queue's business (see `queue`).
//!
//! Locks are taken in this order: the queue's, then one hand's.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::lines::Queued;

/// One worker's hand. Aligned to two cache lines, because the adjacent-line prefetcher pairs them.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Hand<E> {
    held: Mutex<Held<E>>,
    /// How many jobs it holds; written under the lock, a guess without it.
    left: AtomicUsize,
}

#[derive(Debug)]
struct Held<E> {
    jobs: VecDeque<E>,
    /// The job that was taken last.
    current: u64,
}

impl<E> Default for Hand<E> {
    fn default() -> Self {
        Self { held: Mutex::new(Held { jobs: VecDeque::new(), current: 0 }), left: AtomicUsize::new(0) }
    }
}

impl<E: Queued> Hand<E> {
    /// Takes the next job; by the worker whose hand it is. Its place in the queue is free now.
    #[inline]
    pub(super) fn next(&self) -> Option<E> {
        // Relaxed: only we are dealt to, so we miss nothing; whether a job is still there is decided under the lock.
        if self.left.load(Relaxed) == 0 {
            return None;
        }
        let mut held = self.lock();
        let entry = held.jobs.pop_front()?;
        held.current = entry.number();
        self.left.store(held.jobs.len(), Relaxed);
        Some(entry)
    }

    /// Puts jobs in, younger than those that are there. Under the queue's lock, by the worker whose hand it is.
    pub(super) fn deal(&self, current: u64, jobs: impl Iterator<Item = E>) -> usize {
        let mut held = self.lock();
        held.current = current;
        held.jobs.extend(jobs);
        let left = held.jobs.len();
        self.left.store(left, Relaxed);
        left
    }

    /// Gives every job to `take`, the youngest first, and returns the number of the job that the worker took last. Under
    /// the queue's lock.
    pub(super) fn recall(&self, mut take: impl FnMut(E)) -> u64 {
        let mut held = self.lock();
        while let Some(entry) = held.jobs.pop_back() {
            take(entry);
        }
        self.left.store(0, Relaxed);
        held.current
    }

    /// How many jobs are left. Under the queue's lock never too few.
    #[inline]
    pub(super) fn left(&self) -> usize {
        // Relaxed: it only falls while the queue's lock is held, and the lock orders our look after each deal.
        self.left.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Held<E>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
