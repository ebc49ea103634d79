//! The bounded queue between submitters and workers: who has a place, who waits for one, who is woken when.
//!
//! **One mutex, no user code under it**, which includes cloning and dropping wakers. A job passes through once, on its way in, for
//! a few tens of nanoseconds; a worker takes one job and, where that disturbs nobody, is dealt some more (`deals`, `hand`).
//! Behind the same mutex stand the jobs (`lines`), the submitters that wait (here), and the workers (`crew`).
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
//! Rejected: a semaphore for the places (tokio's costs 25 ns per job beside the queue's own lock); workers that take one
//! job per lock (with two threads 586 ns per `execute` on tokio, against 258 dealt by sixteens); workers that own what they
//! take (a long job then holds back its batch mates while others idle, and what is drained, cancelled or displaced would have
//! to be looked for with the workers); handing the waiter's job to the queue on its
//! behalf (a dropped submit future could then leave a job behind).

use std::{collections::VecDeque, task::Waker};

use super::{
    crew::{Crew, Rouse},
    deals::Deals,
    entry::{Entry, NEVER, Nanos},
    lines::{Lines, Queued},
    overflow::Overflow,
    submit::SubmitError,
};
use crate::limits::{QUEUE_PREALLOCATED, SAMPLE_EVERY};

/// A submitter that waits for a place.
#[derive(Debug)]
struct Waiter {
    key: u64,
    /// Taken when it is called.
    waker: Option<Waker>,
}

/// Counts of what never reached a worker, and of what ran in its submitter's place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) rejected: u64,
    pub(super) displaced: u64,
    pub(super) expired: u64,
    pub(super) cancelled: u64,
    pub(super) caller_ran: u64,
}

/// Everything the mutex guards.
#[derive(Debug)]
pub(super) struct Queue<J, T> {
    lines: Lines<Entry<J, T>>,
    /// Jobs with workers that have not come to them; they count as queued.
    pub(super) deals: Deals<Entry<J, T>>,
    pub(super) crew: Crew,
    capacity: usize,
    /// Submitters in order of arrival, and so of ascending key.
    waiters: VecDeque<Waiter>,
    /// The first so many waiters own a place.
    granted: usize,
    next_key: u64,
    last_number: u64,
    /// No queued job is to start before this moment; it may be too early.
    earliest: Nanos,
    pub(super) paused: bool,
    pub(super) closed: bool,
    pub(super) counts: Counts,
}

/// Where a waiter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Granted,
    Waiting,
}

/// A job has its place.
#[derive(Debug)]
pub(super) struct Admitted<J, T> {
    pub(super) number: u64,
    pub(super) rouse: Option<Rouse>,
    /// The job that gave way.
    pub(super) displaced: Option<Entry<J, T>>,
}

impl<J, T> Queue<J, T> {
    pub(super) fn new(capacity: usize, crew: Crew) -> Self {
        Self {
            lines: Lines::with_capacity(capacity.min(QUEUE_PREALLOCATED)),
            deals: Deals::default(),
            crew,
            capacity,
            waiters: VecDeque::new(),
            granted: 0,
            next_key: 0,
            last_number: 0,
            earliest: NEVER,
            paused: false,
            closed: false,
            counts: Counts::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len() + self.deals.jobs()
    }

    /// Submitters that still wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiters.len() - self.granted
    }

    /// Places that are neither taken nor granted. There may be more while jobs are dealt: see
    /// [`recount`](Self::recount).
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.capacity - self.lines.len() - self.granted - self.deals.places()
    }

    /// As [`room`](Self::room), and exact.
    pub(super) fn recount(&mut self) -> usize {
        self.deals.recount();
        self.room()
    }

    /// Takes back what was dealt, so that all is as if nothing ever were.
    #[inline]
    pub(super) fn recall(&mut self) {
        if self.deals.are_out() {
            self.deals.recall(&mut self.lines, &mut self.crew);
        }
    }

    /// Puts a job into a place the caller made sure of; gives it its number, and a time if it is one to be sampled.
    #[inline(always)]
    pub(super) fn push(&mut self, mut entry: Entry<J, T>, now: impl FnOnce() -> Nanos) -> (u64, Option<Rouse>) {
        debug_assert!(self.room() > 0, "a push without a place");
        if !entry.is_plain() {
            self.recall();
        }
        self.last_number += 1;
        let number = self.last_number;
        entry.number = number;
        if number.is_multiple_of(SAMPLE_EVERY) {
            entry.tag.get_or_insert_default().sampled = now();
        }
        if let Some(tag) = &entry.tag {
            self.earliest = self.earliest.min(tag.start_by);
        }
        self.lines.push(entry);
        (number, self.rouse())
    }

    /// Queues the job, if necessary in the place of another, or says why not.
    pub(super) fn admit(
        &mut self,
        entry: Entry<J, T>,
        overflow: Overflow,
        now: impl FnOnce() -> Nanos,
    ) -> Result<Admitted<J, T>, SubmitError<Entry<J, T>>> {
        if self.closed {
            return Err(SubmitError::Closed(entry));
        }
        let mut displaced = None;
        if self.room() == 0 {
            displaced = match overflow {
                Overflow::Wait | Overflow::Reject | Overflow::CallerRuns => None,
                Overflow::DropOldest => self.lines.pop_oldest(),
                Overflow::DropLowest => self.lines.pop_below(entry.level()),
            };
            if displaced.is_none() {
                return Err(SubmitError::Full(entry));
            }
            self.counts.displaced += 1;
        }
        let (number, rouse) = self.push(entry, now);
        Ok(Admitted { number, rouse, displaced })
    }

    /// Whether a look for jobs that came too late could make room at this moment.
    pub(super) fn may_be_late(&self) -> bool {
        self.room() == 0 && self.earliest != NEVER
    }

    /// Takes out every job whose time to start has passed. O(jobs), and at most once in vain for each job that was
    /// started in time.
    pub(super) fn take_late(&mut self, now: Nanos) -> Vec<Entry<J, T>> {
        if now < self.earliest {
            return Vec::new();
        }
        let late = self.lines.extract(|entry| entry.start_by() <= now);
        self.earliest = self.lines.iter().map(Entry::start_by).min().unwrap_or(NEVER);
        self.counts.expired += late.len() as u64;
        late
    }

    /// Takes the job whose turn it is, with a slot for it, unless there is none or the pool is paused. Its place is free
    /// now, to be [granted](Self::grant), and if more jobs are queued the next worker is [due](Self::rouse).
    #[inline]
    pub(super) fn pick(&mut self, worker: usize) -> Option<Entry<J, T>> {
        self.deals.settle(worker);
        if self.paused || !self.crew.has_slot() {
            return None;
        }
        self.deals.recall_stuck(&mut self.lines, &mut self.crew);
        if self.lines.is_empty() {
            self.recall();
        }
        let entry = self.lines.pop()?;
        self.crew.begin(worker, entry.number);
        Some(entry)
    }

    /// Deals jobs to a worker that has just picked one, unless they could start sooner elsewhere, or somebody waits for
    /// their places. To be called after [`grant`](Self::grant) and [`rouse`](Self::rouse).
    #[inline]
    pub(super) fn deal(&mut self, worker: usize, current: u64) {
        // After `rouse` nobody can be called while jobs are left, and whoever picked one found nobody who waits for a slot.
        debug_assert!(self.lines.is_empty() || !self.crew.can_call(), "a job is dealt that could start elsewhere");
        if self.waiting() == 0 {
            self.deals.deal(worker, current, self.crew.live(), &mut self.lines);
        }
    }

    /// Takes one job by its number, if it has not started.
    pub(super) fn remove(&mut self, number: u64) -> Option<Entry<J, T>> {
        self.lines.remove(number)
    }

    /// Takes all jobs at once, oldest first; for a pool that ends.
    pub(super) fn take_all(&mut self) -> Vec<Entry<J, T>> {
        self.lines.take_all()
    }

    /// Refuses new jobs from now on; returns everyone who has to learn of it.
    #[must_use = "the wakers are woken after the lock is released"]
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.closed = true;
        let mut wakers = self.crew.wake_all();
        wakers.extend(self.waiters.iter_mut().filter_map(|waiter| waiter.waker.take()));
        wakers
    }

    /// The worker that is to look for work, if there is work it could take.
    #[inline]
    pub(super) fn rouse(&mut self) -> Option<Rouse> {
        // With nobody idle and all workers there, which is how it is under load, this is all.
        if !self.crew.can_call() || self.paused {
            return None;
        }
        if self.lines.is_empty() {
            self.recall();
        }
        if self.lines.is_empty() { None } else { self.crew.call() }
    }

    /// Joins the line of submitters; the key names the new waiter.
    pub(super) fn wait(&mut self, waker: &mut Option<Waker>) -> u64 {
        debug_assert!(!self.deals.are_out(), "a worker that was dealt to does not look for who waits");
        let key = self.next_key;
        self.next_key += 1;
        self.waiters.push_back(Waiter { key, waker: waker.take() });
        key
    }

    /// Where the waiter stands; while it waits, `waker` is the one to wake. What is left in it is to be dropped after the
    /// lock is released.
    pub(super) fn standing(&mut self, key: u64, waker: &mut Option<Waker>) -> Standing {
        let position = self.position(key);
        if position < self.granted {
            return Standing::Granted;
        }
        std::mem::swap(&mut self.waiters[position].waker, waker);
        Standing::Waiting
    }

    /// Leaves the line. A granted place is free again afterwards: the caller fills it, or lets [`grant`](Self::grant)
    /// pass it on.
    #[must_use = "the waker is dropped after the lock is released"]
    pub(super) fn leave(&mut self, key: u64) -> Option<Waker> {
        let position = self.position(key);
        self.granted -= usize::from(position < self.granted);
        self.waiters.remove(position)?.waker
    }

    /// Gives one free place to the first waiter without one.
    #[must_use = "the waker is woken after the lock is released"]
    #[inline]
    pub(super) fn grant(&mut self) -> Option<Waker> {
        if self.waiters.is_empty() || self.room() == 0 {
            return None;
        }
        let waiter = self.waiters.get_mut(self.granted)?;
        self.granted += 1;
        // None if it was called already, by the end of the pool.
        waiter.waker.take()
    }

    fn position(&self, key: u64) -> usize {
        self.waiters.binary_search_by_key(&key, |waiter| waiter.key).expect("a waiter stays in line until it leaves")
    }

    /// The numbers of the jobs in the line, in its order.
    #[cfg(test)]
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.lines.iter().map(Queued::number).collect()
    }

    /// What must hold between any two calls of the lock.
    #[cfg(test)]
    pub(super) fn check(&self) {
        self.crew.check();
        self.deals.check();
        assert!(self.lines.len() + self.granted + self.deals.places() <= self.capacity, "more places than there are");
        assert!(
            !self.deals.are_out() || self.waiting() == 0 || self.closed,
            "jobs are dealt, and somebody waits for a place"
        );
        assert!(self.deals.jobs() == 0 || !self.crew.can_call(), "a job is dealt to one worker, and another is idle");
        assert!(self.deals.jobs() == 0 || self.crew.returning() == 0, "jobs are dealt, and somebody waits for a slot");
        assert!(self.deals.jobs() == 0 || !self.paused, "jobs are dealt in a pause");
        assert!(self.granted <= self.waiters.len(), "a place granted to nobody");
        assert!(self.room() == 0 || self.waiting() == 0 || self.closed, "room, and somebody waits for it");
    }
}
