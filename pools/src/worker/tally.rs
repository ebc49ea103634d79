//! Exact counters that cost a job no read-modify-write.
//!
//! Each worker owns one padded [`Tally`] and is its only writer, so counting is a plain load and store on a line nobody
//! else writes. A shared atomic counter would cost about 10 ns per count alone and several times that under contention.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{desk::Desk, queue::Counts};

/// One worker's counts. Aligned to two cache lines, because the adjacent-line prefetcher pairs them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    started: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    cancelled: AtomicU64,
    timed_out: AtomicU64,
}

/// How a job ended, as far as counting goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Done,
    Failed,
    Panicked,
    Cancelled,
    TimedOut,
}

impl Ending {
    /// Whether a group ends with it.
    pub(super) fn is_failure(self) -> bool {
        !matches!(self, Self::Done)
    }
}

impl Tally {
    pub(super) fn start(&self) {
        bump(&self.started);
    }

    pub(super) fn finish(&self, ending: Ending) {
        bump(match ending {
            Ending::Done => &self.done,
            Ending::Failed => &self.failed,
            Ending::Panicked => &self.panicked,
            Ending::Cancelled => &self.cancelled,
            Ending::TimedOut => &self.timed_out,
        });
    }
}

/// Adds one. Relaxed throughout: the numbers order nothing, and the single writer sees its own stores.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

/// The sum over all workers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) started: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) cancelled: u64,
    pub(super) timed_out: u64,
}

impl Totals {
    pub(super) fn finished(&self) -> u64 {
        self.done + self.failed + self.panicked + self.cancelled + self.timed_out
    }

    pub(super) fn running(&self) -> u64 {
        self.started.saturating_sub(self.finished())
    }
}

/// Sums the tallies. Endings are read before starts, so that a job which ends meanwhile never makes `started` the
/// smaller number on the machines we run on; [`Stats`] subtracts with saturation all the same.
pub(super) fn totals<'d>(desks: impl Iterator<Item = &'d Desk>) -> Totals {
    desks.map(|desk| &desk.tally).fold(Totals::default(), |sum, tally| Totals {
        done: sum.done + tally.done.load(Relaxed),
        failed: sum.failed + tally.failed.load(Relaxed),
        panicked: sum.panicked + tally.panicked.load(Relaxed),
        cancelled: sum.cancelled + tally.cancelled.load(Relaxed),
        timed_out: sum.timed_out + tally.timed_out.load(Relaxed),
        started: sum.started + tally.started.load(Relaxed),
    })
}

/// A moment in the life of a [`WorkerPool`](crate::WorkerPool).
///
/// Every job is counted exactly once; the fields are read one after the other, so between two of them a job may move on.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let pool = tidemill_pools::WorkerPool::builder()
///     .failed_when(Result::is_err)
///     .build(|text: &str| std::future::ready(text.parse::<u32>()))
///     .unwrap();
/// pool.submit_batch(["1", "2", "three"]).await.unwrap().await;
/// let stats = pool.stats();
/// assert_eq!((stats.done, stats.failed, stats.queued), (2, 1, 0));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Jobs that wait for a worker.
    pub queued: usize,
    /// Submitters that wait for a place in the queue.
    pub waiting: usize,
    /// Workers: those that run a job, and idle ones.
    pub workers: usize,
    /// Jobs that started and have not ended.
    pub running: u64,
    /// Of those, the ones that wait for jobs of their own pool and have lent their slot.
    pub lent: usize,
    /// Jobs that ended with a result that does not count as a failure.
    pub done: u64,
    /// Jobs whose result `failed_when` calls a failure.
    pub failed: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// Jobs that were cancelled, in the queue or while they ran.
    pub cancelled: u64,
    /// Jobs that ran for too long and were dropped.
    pub timed_out: u64,
    /// Jobs that were queued and did not start in time.
    pub expired: u64,
    /// Jobs that were queued and gave way to others.
    pub displaced: u64,
    /// Jobs that ran in their submitter's place; not among those above.
    pub caller_ran: u64,
    /// Submissions refused: the queue was full, the pool closed, or there was no time left.
    pub rejected: u64,
}

impl Stats {
    pub(super) fn new(totals: Totals, counts: Counts) -> Self {
        Self {
            running: totals.running(),
            done: totals.done,
            failed: totals.failed,
            panicked: totals.panicked,
            cancelled: totals.cancelled + counts.cancelled,
            timed_out: totals.timed_out,
            expired: counts.expired,
            displaced: counts.displaced,
            caller_ran: counts.caller_ran,
            rejected: counts.rejected,
            ..Self::default()
        }
    }
}
