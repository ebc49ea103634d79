//! When idle objects go back, so that a burst does not pin its memory for ever.
//!
//! **The rule.** Time is cut into windows. An object that lay idle in the depot for a whole window was not needed in it: the
//! *low-water mark*, the fewest that were idle at any moment of the window, counts those objects. At the end of each window
//! half of them (rounded up) are dropped, the oldest first. So a load that comes once per window keeps all it uses, a burst
//! is forgotten by half per window, and of a pool that nobody uses nothing is left after a few. Windows that went by
//! without traffic are made up for at the next. The stack of each thread's magazine obeys the same rule, with its own mark,
//! when its thread returns something.
//!
//! **No thread of its own.** Every 64th return of a thread looks at the clock, and [`trim`](crate::ObjectPool::trim) ends
//! the window by hand. A pool that is left alone altogether keeps what it has until one of the two happens.
//!
//! Rejected: dropping what is idle for so long (a time stamp per object, written at each return); Go's victim cache
//! (it empties the pool by the clock of the collector, needed or not: golang/go#22950).

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Tells the time since some fixed moment.
pub(super) type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// The time since now.
pub(super) fn system_clock() -> Clock {
    let origin = Instant::now();
    Box::new(move || origin.elapsed())
}

/// The windows of one pool; owned by its depot.
pub(super) struct Decay {
    every: Duration,
    clock: Clock,
    /// When the window ends, in nanoseconds. Changed under the depot's lock; relaxed, as the lock orders what depends on
    /// it, and who reads an old value outside of it only looks in vain.
    end: AtomicU64,
}

impl Decay {
    pub(super) fn new(every: Duration, clock: Clock) -> Self {
        let end = AtomicU64::new(nanos(clock() + every));
        Self { every, clock, end }
    }

    pub(super) fn is_due(&self) -> bool {
        nanos((self.clock)()) >= self.end.load(Relaxed)
    }

    /// How many windows have ended, and begins the next. Under the depot's lock.
    pub(super) fn pass(&self) -> u64 {
        let (now, end) = (nanos((self.clock)()), self.end.load(Relaxed));
        if now < end {
            return 0; // another thread was here before
        }
        let every = nanos(self.every).max(1);
        self.end.store(now.saturating_add(every), Relaxed);
        1 + (now - end) / every
    }
}

/// How many of `idle` objects go after so many windows, of which the first ended with the mark at `low` and the others saw
/// no traffic.
pub(super) fn ebb(idle: usize, low: usize, windows: u64) -> usize {
    let (mut left, mut unneeded) = (idle, low.min(idle));
    for _ in 0..windows.min(u64::from(usize::BITS)) {
        left -= unneeded.div_ceil(2);
        unneeded = left;
    }
    idle - left
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::ebb;

    #[test]
    fn what_was_not_needed_goes_by_halves() {
        for (idle, low, windows, gone) in [
            (10, 0, 1, 0),   // all were needed
            (10, 10, 0, 0),  // the window is not over
            (10, 10, 1, 5),  // none was needed
            (10, 4, 1, 2),   // six were needed
            (10, 4, 2, 6),   // two, then half of the eight that lay through the second window
            (10, 10, 4, 10), // 5, 3, 1, 1
            (1, 1, 1, 1),    // the last one, too
            (100, 99, 99, 100),
            (0, 0, 5, 0),
        ] {
            assert_eq!(ebb(idle, low, windows), gone, "{idle} idle, {low} unneeded, {windows} windows");
        }
    }
}
