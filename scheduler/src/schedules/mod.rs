//! The whole scheduler under shuttle: machines, roster, queues, task cells, monitor, in random interleavings.
//!
//! What is replaced: threads, locks and atomics by shuttle's (`sync.rs`), tokio by a reactor without a kernel
//! (`reactor.rs`), the monitor's clocks by chance (`verdict`), and a few limits by smaller ones (`limits.rs`). All
//! else is what ships. A schedule in which somebody sleeps for ever ends as a deadlock, for no time-out passes.
//!
//! What it does not see: weak memory (every access is sequentially consistent; that is loom's part), what lies within
//! one step of crossbeam's injector, and tokio.

use shuttle::rand::{Rng, thread_rng};

use crate::monitor::Stuck;

/// Chance that shuttle replays.
pub(crate) fn one_in(n: u32) -> bool {
    thread_rng().gen_ratio(1, n)
}

/// What the monitor finds of a poll that it sees twice: it may be wrong at any time, and nothing may break.
pub(crate) fn verdict() -> Option<Stuck> {
    match thread_rng().gen_range(0..6) {
        0 => Some(Stuck::Blocked),
        1 => Some(Stuck::Burning),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
