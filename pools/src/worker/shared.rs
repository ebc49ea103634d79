//! What the pool's handle and its workers share: the queue behind its lock, the counters, the news that all have ended.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{
    queue::{Entry, Queue},
    submit::TrySubmitError,
    tally::{self, Ending, Stats, Tally, Totals},
    ticket::JobError,
};

/// Owned by an `Arc` in the pool's handle and in each worker.
#[derive(Debug)]
pub(super) struct Shared<J, T> {
    queue: Mutex<Queue<J, T>>,
    /// One per worker.
    pub(super) tallies: Box<[Tally]>,
    failed_when: Option<fn(&T) -> bool>,
    /// Told when the last worker has ended.
    pub(super) ended: Notify,
}

impl<J, T> Shared<J, T> {
    pub(super) fn new(capacity: usize, workers: usize, failed_when: Option<fn(&T) -> bool>) -> Self {
        Self {
            queue: Mutex::new(Queue::new(capacity, workers)),
            tallies: (0..workers).map(|_| Tally::default()).collect(),
            failed_when,
            ended: Notify::new(),
        }
    }

    /// No user code runs under the lock, so nothing can leave the queue half changed: poison is ignored.
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue<J, T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the job if the pool is open and has room; else gives it back.
    pub(super) fn enter_now(&self, entry: Entry<J, T>) -> Result<(), Entry<J, T>> {
        let mut queue = self.lock();
        if queue.closed || queue.room() == 0 {
            return Err(entry);
        }
        let wake = queue.push(entry);
        drop(queue);
        wake.into_iter().for_each(std::task::Waker::wake);
        Ok(())
    }

    /// As [`enter_now`](Self::enter_now), and says (and counts) why not.
    pub(super) fn try_enter(&self, entry: Entry<J, T>) -> Result<(), TrySubmitError<Entry<J, T>>> {
        self.enter_now(entry).map_err(|entry| {
            let mut queue = self.lock();
            queue.rejected += 1;
            let refusal = if queue.closed { TrySubmitError::Closed } else { TrySubmitError::Full };
            refusal(entry)
        })
    }

    /// Queues as many of the jobs as there is room for, under one lock; the others stay in the iterator.
    pub(super) fn enter_many(&self, entries: &mut impl ExactSizeIterator<Item = Entry<J, T>>) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        let room = queue.room();
        let wake = entries.take(room).fold(None, |wake, entry| queue.push(entry).or(wake));
        drop(queue);
        wake.into_iter().for_each(std::task::Waker::wake);
    }

    /// Takes no new jobs from now on; queued ones still run.
    pub(super) fn close(&self) {
        let wakes = self.lock().close();
        wakes.into_iter().for_each(std::task::Waker::wake);
    }

    /// Closes and empties the queue. The jobs are dropped, or handed out, outside of the lock.
    pub(super) fn close_and_take(&self) -> impl Iterator<Item = Entry<J, T>> + use<J, T> {
        self.close();
        let entries = self.lock().take_all();
        entries.into_iter()
    }

    pub(super) fn totals(&self) -> Totals {
        tally::totals(&self.tallies)
    }

    pub(super) fn stats(&self) -> Stats {
        let totals = self.totals();
        let queue = self.lock();
        Stats::new(totals, queue.len(), queue.waiting(), queue.rejected)
    }

    pub(super) fn ending(&self, outcome: &Result<T, JobError>) -> Ending {
        match (outcome, self.failed_when) {
            (Err(_), _) => Ending::Panicked,
            (Ok(value), Some(failed)) if catch_unwind(AssertUnwindSafe(|| failed(value))).unwrap_or(true) => {
                Ending::Failed
            }
            (Ok(_), _) => Ending::Done,
        }
    }
}
