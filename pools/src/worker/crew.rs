//! Who works: slots, which say how many jobs may make progress, and workers, the tasks that carry the jobs.
//!
//! The two are apart so that a job can wait without holding others up. A worker takes a slot together with a job. If
//! that job waits for its own pool (a ticket, a place in the queue), its worker *lends* the slot: another worker, idle or
//! hired for it, goes on with the queue, and the first takes a slot back before it polls its job again. So at most `max`
//! jobs make progress at any time, and no number of nested waits can hold up the rest.
//!
//! **Who comes first.** Workers that want their slot back stand in `returning`; a slot that comes free goes to them
//! before it goes to the queue. Hence: somebody returns only while every slot is taken (checked in `settle`).
//!
//! **How many workers.** Those whose job waits, and up to `max` others. One is hired when a job is queued, a slot is
//! free, and nobody is idle or on the way: growth waits for no full queue, unlike `ThreadPoolExecutor`'s.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use super::desk::Desk;

/// What the queue's mutex guards about workers and slots.
#[derive(Debug)]
pub(super) struct Crew {
    /// Workers that stay without work.
    min: usize,
    /// Slots.
    max: usize,
    /// Slots taken.
    busy: usize,
    /// Workers whose job has lent its slot.
    lent: usize,
    /// Workers that have not ended.
    live: usize,
    /// Idle workers by number; the last one in is the first one woken, its memory is the warmest.
    idle: Vec<(usize, Waker)>,
    /// A woken or hired worker is under way and will look for work.
    waking: bool,
    returning: VecDeque<usize>,
    posts: Vec<Post>,
    vacant: Vec<usize>,
    /// The runtime drops its tasks: nobody is hired any more.
    doomed: bool,
}

/// What is known of one worker, by its number.
#[derive(Debug)]
struct Post {
    desk: Arc<Desk>,
    place: Place,
    /// The job it took last.
    job: u64,
    /// Whom to wake when a returning worker has its slot.
    waker: Option<Waker>,
}

/// Where a worker is with respect to the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between jobs.
    Off,
    /// Has a slot.
    Holds,
    /// Its job waits; the slot is given away.
    Lent,
    /// Its job could go on, but has no slot yet.
    Returns,
}

/// A worker that is to look for work.
#[derive(Debug)]
#[must_use = "to be acted upon after the lock is released"]
pub(super) enum Rouse {
    Wake(Waker),
    Hire(usize, Arc<Desk>),
}

impl Crew {
    pub(super) fn new(min: usize, max: usize) -> Self {
        Self {
            min,
            max,
            busy: 0,
            lent: 0,
            live: 0,
            idle: Vec::with_capacity(max.min(crate::limits::QUEUE_PREALLOCATED)),
            waking: false,
            returning: VecDeque::new(),
            posts: Vec::new(),
            vacant: Vec::new(),
            doomed: false,
        }
    }

    /// Counts a new worker in and gives it a number and a desk.
    pub(super) fn hire(&mut self) -> (usize, Arc<Desk>) {
        self.live += 1;
        let number = self.vacant.pop().unwrap_or_else(|| {
            let post = Post { desk: Arc::default(), place: Place::Off, job: 0, waker: None };
            self.posts.push(post);
            self.posts.len() - 1
        });
        (number, Arc::clone(&self.posts[number].desk))
    }

    /// The worker ends. It has left its slot and the idle list before.
    pub(super) fn dismiss(&mut self, worker: usize) {
        self.live -= 1;
        self.vacant.push(worker);
    }

    /// Nobody is hired from now on.
    pub(super) fn doom(&mut self) {
        self.doomed = true;
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.doomed
    }

    /// Whether a worker could be called for work, if there were some: not if one is under way or no slot is free.
    #[inline]
    pub(super) fn can_call(&self) -> bool {
        !self.waking && self.has_slot() && (!self.idle.is_empty() || (self.live - self.lent < self.max && !self.doomed))
    }

    /// Calls the worker that is to look for work.
    #[inline(never)]
    pub(super) fn call(&mut self) -> Option<Rouse> {
        let rouse = match self.idle.pop() {
            Some((_, waker)) => Rouse::Wake(waker),
            None if self.live - self.lent < self.max && !self.doomed => {
                let (number, desk) = self.hire();
                Rouse::Hire(number, desk)
            }
            None => return None,
        };
        self.waking = true;
        Some(rouse)
    }

    /// Registers a worker that found nothing to do.
    pub(super) fn sleep(&mut self, worker: usize, waker: Waker) {
        self.idle.push((worker, waker));
    }

    /// A worker that slept, or that was hired, is back: it was called for work, or something else polled its task; then
    /// gives its waker back.
    #[must_use = "the waker is dropped after the lock is released"]
    pub(super) fn arrive(&mut self, worker: usize) -> Option<Waker> {
        let waker = self.forget_idle(worker);
        if waker.is_none() {
            self.waking = false;
        }
        waker
    }

    fn forget_idle(&mut self, worker: usize) -> Option<Waker> {
        let position = self.idle.iter().position(|(number, _)| *number == worker)?;
        Some(self.idle.remove(position).1)
    }

    /// Whether a worker that finds nothing to do should end: as many as there are slots sleep already.
    pub(super) fn is_surplus(&self) -> bool {
        self.idle.len() >= self.max
    }

    /// Whether there are more workers than have to stay.
    pub(super) fn is_above_min(&self) -> bool {
        self.live - self.lent > self.min
    }

    /// Takes a worker that slept for long out of the idle, if it may go; gives its waker back.
    #[must_use = "the waker is dropped after the lock is released"]
    pub(super) fn expire(&mut self, worker: usize) -> Option<Waker> {
        if self.is_above_min() { self.forget_idle(worker) } else { None }
    }

    /// Takes every idle worker out, to be woken; for a pool that closes or shrinks.
    pub(super) fn wake_all(&mut self) -> Vec<Waker> {
        self.idle.drain(..).map(|(_, waker)| waker).collect()
    }

    pub(super) fn has_slot(&self) -> bool {
        self.busy < self.max
    }

    /// Takes a free slot for a job.
    #[inline]
    pub(super) fn begin(&mut self, worker: usize, job: u64) {
        self.busy += 1;
        let post = &mut self.posts[worker];
        (post.place, post.job) = (Place::Holds, job);
    }

    /// The worker goes from job to job by itself, and is at this one now.
    pub(super) fn works_at(&mut self, worker: usize, job: u64) {
        self.posts[worker].job = job;
    }

    /// The worker's job is over, wherever it stood. To be followed by [`settle`](Self::settle).
    #[inline]
    pub(super) fn end(&mut self, worker: usize) {
        match std::mem::replace(&mut self.posts[worker].place, Place::Off) {
            Place::Off => {}
            Place::Holds => self.busy -= 1,
            Place::Lent => self.lent -= 1,
            Place::Returns => self.end_return(worker),
        }
    }

    #[cold]
    fn end_return(&mut self, worker: usize) {
        self.lent -= 1;
        self.returning.retain(|other| *other != worker);
    }

    /// Gives the slot away while the job waits. To be followed by [`settle`](Self::settle). False if the worker has none
    /// or is at another job.
    pub(super) fn lend(&mut self, worker: usize, job: u64) -> bool {
        let post = &mut self.posts[worker];
        let lends = post.place == Place::Holds && post.job == job;
        if lends {
            post.place = Place::Lent;
            self.busy -= 1;
            self.lent += 1;
        }
        lends
    }

    /// Takes a slot back. If none is free, or others wait for one, `waker` is woken when there is; what is left in it is to
    /// be dropped after the lock is released.
    pub(super) fn retake(&mut self, worker: usize, job: u64, waker: &mut Option<Waker>) -> bool {
        let free = self.busy < self.max && self.returning.is_empty();
        let post = &mut self.posts[worker];
        if self.doomed || post.job != job {
            return true;
        }
        match post.place {
            Place::Off | Place::Holds => return true,
            Place::Lent if free => {
                post.place = Place::Holds;
                self.busy += 1;
                self.lent -= 1;
                return true;
            }
            Place::Lent => {
                post.place = Place::Returns;
                self.returning.push_back(worker);
            }
            Place::Returns => {}
        }
        std::mem::swap(&mut post.waker, waker);
        false
    }

    /// Hands a free slot to the first that returns.
    #[must_use = "the waker is woken after the lock is released"]
    #[inline]
    pub(super) fn settle(&mut self) -> Option<Waker> {
        if self.returning.is_empty() || !self.has_slot() { None } else { self.settle_first() }
    }

    #[inline(never)]
    fn settle_first(&mut self) -> Option<Waker> {
        let post = &mut self.posts[self.returning.pop_front()?];
        post.place = Place::Holds;
        self.busy += 1;
        self.lent -= 1;
        post.waker.take()
    }

    /// The desk of the worker that runs the job.
    pub(super) fn desk_of(&self, job: u64) -> Option<Arc<Desk>> {
        let post = self.posts.iter().find(|post| post.job == job && post.place != Place::Off)?;
        Some(Arc::clone(&post.desk))
    }

    pub(super) fn resize(&mut self, min: usize, max: usize) {
        (self.min, self.max) = (min, max);
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.min, self.max)
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn lent(&self) -> usize {
        self.lent
    }

    pub(super) fn desks(&self) -> impl Iterator<Item = &Desk> {
        self.posts.iter().map(|post| &*post.desk)
    }

    /// Slots taken; never more than there are, or than there were before.
    #[cfg(test)]
    pub(super) fn busy(&self) -> usize {
        self.busy
    }

    /// Workers that wait for a slot.
    #[cfg(test)]
    pub(super) fn returning(&self) -> usize {
        self.returning.len()
    }

    /// What must hold between any two calls of the queue's lock.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let at = |place: Place| self.posts.iter().filter(|post| post.place == place).count();
        assert_eq!(self.busy, at(Place::Holds), "slots taken");
        assert_eq!(self.lent, at(Place::Lent) + at(Place::Returns), "slots lent");
        assert_eq!(self.returning.len(), at(Place::Returns), "slots wanted back");
        assert!(self.returning.is_empty() || !self.has_slot(), "a slot is free and somebody waits for it");
    }
}
