//! The bounded queue between submitters and workers: what it holds, and who is woken when.
//!
//! **One mutex, no user code under it.** A job passes through twice (in, out), each time for a few tens of nanoseconds.
//!
//! **Places.** `capacity` places exist. A place is taken by a queued job or is *granted* to a submitter that was woken
//! for it. Waiters stand in line in `waiters`; the first `granted` of them own a place each. As places are granted the
//! moment they come free, `room() > 0` implies that nobody waits for one: a newcomer that finds room overtakes nobody.
//! A granted waiter that is dropped passes its place on.
//!
//! **Wake-ups cost more than jobs**, so a burst of pushes wakes one idle worker, not one per push. `waking` says that a
//! woken worker is under way; when it arrives it takes its job and, if more are queued, wakes the next. An idle worker
//! registers under the lock after having seen the queue empty, so no push can fall between the look and the sleep.
//!
//! Rejected: a semaphore for the places (tokio's costs 25 ns per job beside the queue's own lock); workers that take
//! several jobs per lock (a long job then holds back its batch mates while other workers idle); handing the waiter's
//! job to the queue on its behalf (a dropped submit future could then leave a job behind).

use std::{collections::VecDeque, task::Waker};

use super::ticket::Reply;

/// A job on its way, with the reply its ticket waits for, if there is a ticket.
#[derive(Debug)]
pub(super) struct Entry<J, T> {
    pub(super) job: J,
    pub(super) reply: Option<Reply<T>>,
}

/// A submitter that waits for a place.
#[derive(Debug)]
struct Waiter {
    key: u64,
    waker: Waker,
}

/// Everything the mutex guards.
#[derive(Debug)]
pub(super) struct Queue<J, T> {
    jobs: VecDeque<Entry<J, T>>,
    capacity: usize,
    /// Submitters in order of arrival, and so of ascending key.
    waiters: VecDeque<Waiter>,
    /// The first so many waiters own a place.
    granted: usize,
    next_key: u64,
    /// Idle workers by number; the last one in is the first one woken, its memory is the warmest.
    idle: Vec<(usize, Waker)>,
    waking: bool,
    /// Workers that have not ended.
    pub(super) live: usize,
    pub(super) closed: bool,
    pub(super) rejected: u64,
}

/// Where a waiter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Granted,
    Waiting,
}

impl<J, T> Queue<J, T> {
    pub(super) fn new(capacity: usize, workers: usize) -> Self {
        Self {
            jobs: VecDeque::with_capacity(capacity.min(crate::limits::QUEUE_PREALLOCATED)),
            capacity,
            waiters: VecDeque::new(),
            granted: 0,
            next_key: 0,
            idle: Vec::with_capacity(workers),
            waking: false,
            live: workers,
            closed: false,
            rejected: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Submitters that still wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiters.len() - self.granted
    }

    /// Places that are neither taken nor granted.
    pub(super) fn room(&self) -> usize {
        self.capacity - self.jobs.len() - self.granted
    }

    /// Puts a job into a place the caller made sure of. Returns the worker to wake.
    #[must_use = "the waker is woken after the lock is released"]
    pub(super) fn push(&mut self, entry: Entry<J, T>) -> Option<Waker> {
        debug_assert!(self.jobs.len() + self.granted < self.capacity, "a push without a place");
        self.jobs.push_back(entry);
        self.rouse()
    }

    /// Takes the oldest job. Its place is free now, to be [granted](Self::grant), and if more jobs are queued the next
    /// worker is [due](Self::rouse).
    pub(super) fn pop(&mut self) -> Option<Entry<J, T>> {
        self.jobs.pop_front()
    }

    /// Takes all jobs at once; for a pool that ends.
    pub(super) fn take_all(&mut self) -> VecDeque<Entry<J, T>> {
        std::mem::take(&mut self.jobs)
    }

    /// Refuses new jobs from now on; returns everyone who has to learn of it.
    #[must_use = "the wakers are woken after the lock is released"]
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.closed = true;
        let idle = self.idle.drain(..).map(|(_, waker)| waker);
        idle.chain(self.waiters.iter().map(|waiter| waiter.waker.clone())).collect()
    }

    /// Registers a worker that found nothing to do.
    pub(super) fn sleep(&mut self, worker: usize, waker: &Waker) {
        self.idle.push((worker, waker.clone()));
    }

    /// A worker that slept is back: either it was woken for work, or something else polled its task.
    pub(super) fn arrive(&mut self, worker: usize) {
        match self.idle.iter().position(|(number, _)| *number == worker) {
            Some(position) => drop(self.idle.swap_remove(position)),
            None => self.waking = false,
        }
    }

    /// The idle worker to wake for the queued jobs, unless one is under way already.
    pub(super) fn rouse(&mut self) -> Option<Waker> {
        if self.waking || self.jobs.is_empty() {
            return None;
        }
        let (_, waker) = self.idle.pop()?;
        self.waking = true;
        Some(waker)
    }

    /// Joins the line of submitters; the key names the new waiter.
    pub(super) fn wait(&mut self, waker: &Waker) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.waiters.push_back(Waiter { key, waker: waker.clone() });
        key
    }

    /// Where the waiter stands; while it waits, `waker` is the one to wake.
    pub(super) fn standing(&mut self, key: u64, waker: &Waker) -> Standing {
        let position = self.position(key);
        if position < self.granted {
            return Standing::Granted;
        }
        self.waiters[position].waker.clone_from(waker);
        Standing::Waiting
    }

    /// Leaves the line. A granted place is free again afterwards: the caller fills it, or lets [`grant`](Self::grant)
    /// pass it on.
    pub(super) fn leave(&mut self, key: u64) {
        let position = self.position(key);
        self.waiters.remove(position);
        self.granted -= usize::from(position < self.granted);
    }

    /// Gives one free place to the first waiter without one.
    #[must_use = "the waker is woken after the lock is released"]
    pub(super) fn grant(&mut self) -> Option<Waker> {
        if self.room() == 0 {
            return None;
        }
        let waiter = self.waiters.get(self.granted)?;
        self.granted += 1;
        Some(waiter.waker.clone())
    }

    fn position(&self, key: u64) -> usize {
        self.waiters.binary_search_by_key(&key, |waiter| waiter.key).expect("a waiter stays in line until it leaves")
    }
}
