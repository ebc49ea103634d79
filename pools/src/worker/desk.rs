//! What one worker writes and others read: its counts, its samples, and the call to drop the job it runs.
//!
//! A desk outlives its worker: the next worker that is hired takes it over and counts on, so there are never more desks
//! than there were workers at one time, and no count is lost.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use super::{histogram::Samples, tally::Tally};

/// One worker's desk.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) tally: Tally,
    /// From submission to start.
    pub(super) waits: Samples,
    /// From start to end.
    pub(super) runs: Samples,
    /// The number of the job that is to be dropped; numbers are never used twice, so a late call hits nobody.
    unwanted: AtomicU64,
    /// The worker's task, once a job of it was suspended. Counted, so that no waker is cloned under the lock: that is user code.
    waker: Mutex<Option<Arc<Waker>>>,
}

impl Desk {
    /// Asks the worker to drop that job, if it runs it still.
    ///
    /// Either this sees the waker, or the worker takes the lock after us and then sees the number: see
    /// [`listen`](Self::listen).
    pub(super) fn cancel(&self, job: u64) {
        // Relaxed: the lock, or the wake, orders it before the load in `is_unwanted`.
        self.unwanted.store(job, Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waker.iter().for_each(|waker| waker.wake_by_ref());
    }

    /// Says whom to wake; to be followed by a look at [`is_unwanted`](Self::is_unwanted).
    pub(super) fn listen(&self, waker: &Arc<Waker>) {
        let waker = Some(Arc::clone(waker));
        let before = std::mem::replace(&mut *self.waker.lock().unwrap_or_else(PoisonError::into_inner), waker);
        drop(before);
    }

    pub(super) fn is_unwanted(&self, job: u64) -> bool {
        // Relaxed: ordered after the store in `cancel` by the lock in `listen`, or by the wake that led here.
        self.unwanted.load(Relaxed) == job
    }
}
