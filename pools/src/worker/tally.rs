//! Exact counters that cost a job no read-modify-write.
//!
//! Each worker owns one padded [`Tally`] and is its only writer, so counting is a plain load and store on a line nobody
//! else writes. A shared atomic counter would cost about 10 ns per count alone and several times that under contention.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One worker's counts. Aligned to two cache lines, because the adjacent-line prefetcher pairs them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    started: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
}

/// How a job ended, as far as counting goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Done,
    Failed,
    Panicked,
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
}

impl Totals {
    pub(super) fn finished(&self) -> u64 {
        self.done + self.failed + self.panicked
    }
}

/// Sums the tallies. Endings are read before starts, so that a job which ends meanwhile never makes `started` the
/// smaller number on the machines we run on; [`Stats`] subtracts with saturation all the same.
pub(super) fn totals(tallies: &[Tally]) -> Totals {
    tallies.iter().fold(Totals::default(), |sum, tally| Totals {
        done: sum.done + tally.done.load(Relaxed),
        failed: sum.failed + tally.failed.load(Relaxed),
        panicked: sum.panicked + tally.panicked.load(Relaxed),
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
    /// Jobs that started and have not ended.
    pub running: u64,
    /// Jobs that ended with a result that does not count as a failure.
    pub done: u64,
    /// Jobs whose result `failed_when` calls a failure.
    pub failed: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// Submissions refused: the queue was full (`try_` calls) or the pool closed.
    pub rejected: u64,
}

impl Stats {
    pub(super) fn new(totals: Totals, queued: usize, waiting: usize, rejected: u64) -> Self {
        Self {
            queued,
            waiting,
            running: totals.started.saturating_sub(totals.finished()),
            done: totals.done,
            failed: totals.failed,
            panicked: totals.panicked,
            rejected,
        }
    }
}
