//! Who holds jobs that were dealt ahead of their turn, and how far that may disturb the order.
//!
//! **Who.** Only while every worker is busy, nobody waits for a place, nobody waits for a slot, no priority or tenant is in use, the
//! pool is not paused, and the job timed last was short; and never more than half of a worker's share of the line. Whoever changes
//! one of these recalls the hands first: every caller of `Shared::lock` finds all jobs in the line, and so need not know of hands.
//! A worker that finds the line empty recalls them too before it sleeps, so no job waits in a hand while somebody is idle.
//!
//! **Places.** A job in a hand counts as queued. The count the queue keeps (`places`) is too high once the worker has taken some; a
//! newcomer that finds no place has it counted again before it believes that.
//!
//! **Order.** Jobs are dealt from the front of the line, so what is dealt is older than what is in the line. A worker takes its
//! own jobs in order, but workers overtake each other, and one may be stuck. Before anything is taken from the line, hands are
//! recalled whose oldest job would be overtaken by more than [`OVERTAKE`] others; it goes back to the front and is next. Hence no
//! job starts before one that was queued `OVERTAKE` places ahead of it, and with one worker none starts before an older one.

use std::sync::Arc;

use super::{
    crew::Crew,
    hand::Hand,
    lines::{Lines, Queued},
};
use crate::limits::{DEAL_HANDS, DEAL_MOST, OVERTAKE};

/// The hands of all workers, as the queue's mutex guards them.
#[derive(Debug)]
pub(super) struct Deals<E> {
    /// By the numbers of the workers.
    hands: Vec<Arc<Hand<E>>>,
    /// Those that may hold jobs.
    out: Vec<Dealt>,
    /// The places that their jobs are counted with: too many rather than too few.
    places: usize,
    /// Leaves as many jobs in the line for each worker as one is dealt; not so in the model, whose lines are short.
    pub(super) leaves: bool,
    /// Jobs that were dealt since the beginning, for the model.
    #[cfg(test)]
    pub(super) ever: u64,
}

/// What was dealt to one worker and not recalled since.
#[derive(Clone, Copy, Debug)]
struct Dealt {
    worker: usize,
    /// The number of the first job.
    first: u64,
    /// The places that its jobs are counted with.
    places: usize,
}

impl<E> Default for Deals<E> {
    fn default() -> Self {
        Self {
            hands: Vec::new(),
            out: Vec::new(),
            places: 0,
            leaves: true,
            #[cfg(test)]
            ever: 0,
        }
    }
}

impl<E: Queued> Deals<E> {
    /// The hand of the worker with that number.
    pub(super) fn hand(&mut self, worker: usize) -> Arc<Hand<E>> {
        if self.hands.len() <= worker {
            self.hands.resize_with(worker + 1, Arc::default);
        }
        Arc::clone(&self.hands[worker])
    }

    /// Whether anybody may hold jobs.
    #[inline]
    pub(super) fn are_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// The places that jobs in hands are counted with; at least as many as they take.
    #[inline]
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// How many jobs are in hands.
    pub(super) fn jobs(&self) -> usize {
        self.out.iter().map(|dealt| self.hands[dealt.worker].left()).sum()
    }

    /// Counts the places again.
    pub(super) fn recount(&mut self) {
        for dealt in &mut self.out {
            dealt.places = self.hands[dealt.worker].left();
        }
        self.places = self.out.iter().map(|dealt| dealt.places).sum();
    }

    /// The worker has used up its hand.
    #[inline]
    pub(super) fn settle(&mut self, worker: usize) {
        if let Some(index) = self.out.iter().position(|dealt| dealt.worker == worker) {
            self.places -= self.out.swap_remove(index).places;
        }
    }

    /// Deals jobs to a worker that has just taken one, and whose hand is empty.
    pub(super) fn deal(&mut self, worker: usize, current: u64, live: usize, lines: &mut Lines<E>) {
        if self.out.len() >= DEAL_HANDS {
            return;
        }
        let Some(line) = lines.plain() else { return };
        let Some(first) = line.front().map(Queued::number) else { return };
        let due = if self.leaves { line.len() / (2 * live) } else { line.len() };
        let count = due.min(DEAL_MOST).min(OVERTAKE / (2 * live));
        if count == 0 {
            return;
        }
        let places = self.hands[worker].deal(current, line.drain(..count));
        self.out.push(Dealt { worker, first, places });
        self.places += places;
        #[cfg(test)]
        {
            self.ever += places as u64;
        }
    }

    /// Puts every job back to the front of the line, and tells the crew what the workers are at.
    #[inline(never)]
    pub(super) fn recall(&mut self, lines: &mut Lines<E>, crew: &mut Crew) {
        self.recall_those(|_| true, lines, crew);
    }

    /// The same, of the hands whose jobs would be overtaken by too many if the line went on.
    #[inline]
    pub(super) fn recall_stuck(&mut self, lines: &mut Lines<E>, crew: &mut Crew) {
        if self.out.is_empty() {
            return;
        }
        let Some(next) = lines.plain().and_then(|line| line.front()).map(Queued::number) else { return };
        let stuck = |dealt: &Dealt| next.saturating_sub(dealt.first) >= (OVERTAKE - DEAL_MOST) as u64;
        if self.out.iter().any(stuck) {
            self.recall_those(stuck, lines, crew);
        }
    }

    fn recall_those(&mut self, which: impl Fn(&Dealt) -> bool, lines: &mut Lines<E>, crew: &mut Crew) {
        let Some(line) = lines.plain() else { return };
        let (hands, mut back) = (&self.hands, Vec::new());
        let recalled = self.out.extract_if(.., |dealt| which(dealt));
        let mut several = false;
        for dealt in recalled {
            self.places -= dealt.places;
            let before = line.front().map_or(u64::MAX, Queued::number);
            let current = hands[dealt.worker].recall(|entry| {
                // Hands overlap seldom: those that were dealt first are older.
                if several || entry.number() > before { back.push(entry) } else { line.push_front(entry) }
            });
            several = true;
            crew.works_at(dealt.worker, current);
        }
        back.into_iter().for_each(|entry| {
            let at = line.partition_point(|other| other.number() < entry.number());
            line.insert(at, entry);
        });
    }

    /// What must hold between any two calls of the queue's lock.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.jobs() <= self.places, "more jobs are in hands than places are counted");
        assert_eq!(self.places, self.out.iter().map(|dealt| dealt.places).sum(), "places of hands");
    }
}

#[cfg(test)]
mod tests {
    use super::super::{entry::Entry, queue::Queue};
    use super::*;

    type Jobs = Queue<(), ()>;

    fn push(queue: &mut Jobs, jobs: usize) {
        (0..jobs).for_each(|_| drop(queue.push(Entry::new((), None, None), || 0)));
    }

    /// What the worker starts next.
    fn next(queue: &mut Jobs, worker: usize) -> Option<u64> {
        if let Some(entry) = queue.deals.hand(worker).next() {
            return Some(entry.number);
        }
        queue.crew.end(worker);
        let entry = queue.pick(worker)?;
        queue.deal(worker, entry.number);
        Some(entry.number)
    }

    fn queue(workers: usize, jobs: usize) -> Jobs {
        let mut queue = Queue::new(jobs, Crew::new(workers, workers));
        for _ in 0..workers {
            let (number, _) = queue.crew.hire();
            queue.deals.hand(number);
        }
        push(&mut queue, jobs);
        queue
    }

    #[test]
    fn no_job_starts_before_one_that_was_queued_128_places_ahead() {
        for stuck in [1, 2, 3, 7] {
            let mut queue = queue(stuck + 1, 2_000);
            // These each start one job and stay in it.
            let mut waits: Vec<u64> = (1..=2_000).collect();
            let mut start = |queue: &mut Jobs, worker| {
                let Some(number) = next(queue, worker) else { return false };
                waits.retain(|waits| *waits != number);
                let oldest = waits.first().copied().unwrap_or(number);
                assert!(
                    number < oldest + OVERTAKE as u64,
                    "{number} starts before {oldest}, {stuck} workers are stuck"
                );
                queue.check();
                true
            };
            (1..=stuck).for_each(|worker| assert!(start(&mut queue, worker)));
            assert!(queue.deals.jobs() > 0, "nothing is dealt");
            while start(&mut queue, 0) {}
            assert!(waits.is_empty(), "{waits:?} with {stuck} workers stuck");
        }
    }

    #[test]
    fn one_worker_keeps_the_order() {
        let mut queue = queue(1, 500);
        let order: Vec<u64> = std::iter::from_fn(|| next(&mut queue, 0)).collect();
        assert_eq!(order, (1..=500).collect::<Vec<u64>>());
    }

    #[test]
    fn hands_that_are_recalled_out_of_order_go_back_in_order() {
        let mut queue = queue(3, 600);
        for _ in 0..20 {
            for worker in [0, 2, 1, 1, 1] {
                assert!(next(&mut queue, worker).is_some());
            }
        }
        assert!(queue.deals.jobs() > 0, "nothing is dealt");
        queue.recall();
        let numbers: Vec<u64> = queue.numbers();
        assert_eq!(numbers.len(), 500);
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}
