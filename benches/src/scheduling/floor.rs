//! The least that a step of a workload can cost: the parts that no executor can leave out, on one thread, in a plain loop.
//!
//! A step needs its allocations (a task lives somewhere, and so does a channel between two), its trips through a queue (a task
//! that is to run later waits somewhere), and its read-modify-writes (two threads agree on who comes first). Nothing of
//! that is contended here, nothing misses the cache, and nobody sleeps, so no executor gets there; how far it stays away is the
//! price of everything else. It does not divide by the number of threads.

use std::{
    collections::VecDeque,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::workloads::Workload;

/// Bytes of an allocation: a small task with its header.
const BYTES: usize = 128;

/// What one step cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Floor {
    /// Blocks of 128 bytes, taken and given back.
    blocks: u32,
    /// Trips through a queue.
    trips: u32,
    /// Uncontended read-modify-writes.
    writes: u32,
}

impl Floor {
    pub(crate) fn of(workload: Workload) -> Self {
        let (blocks, trips, writes) = match workload {
            // A task; the joiner and the task agree on who was first.
            Workload::SpawnJoin | Workload::SpawnJoin8 => (1, 1, 1),
            Workload::Yield => (0, 1, 0),
            // A task and two oneshots; the spawn and one wake; two sends.
            Workload::PingPong => (3, 2, 2),
            // A task and its boxed future.
            Workload::Chain => (2, 1, 0),
            Workload::Skynet => (2, 1, 1),
            // Fifty hops, each a wake and a send.
            Workload::Ring => (0, 50, 50),
            // The yield and the wake of the next holder; the lock.
            Workload::Mutex => (0, 2, 1),
        };
        Self { blocks, trips, writes }
    }

    /// The name of the row.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self { blocks: 0, writes: 0, .. } => "floor: queue",
            Self { blocks: 0, .. } => "floor: queue + atomic",
            Self { writes: 0, .. } => "floor: malloc + queue",
            Self { .. } => "floor: malloc + queue + atomic",
        }
    }

    /// Does the parts of `steps` steps.
    pub(crate) fn run(self, steps: u64) {
        let mut queue: VecDeque<usize> = VecDeque::with_capacity(64);
        let word = AtomicU64::new(0);
        for step in 0..steps {
            for _ in 0..self.blocks {
                black_box(Vec::<u8>::with_capacity(BYTES));
            }
            for _ in 0..self.trips {
                queue.push_back(black_box(step as usize));
                black_box(queue.pop_front());
            }
            for _ in 0..self.writes {
                // AcqRel: as any hand-over between two threads would need it; there is no partner here.
                black_box(word.fetch_add(1, Ordering::AcqRel));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_a_floor_that_ends() {
        for workload in Workload::ALL {
            let floor = Floor::of(workload);
            floor.run(3);
            assert!(floor.name().starts_with("floor: ") && floor.trips > 0, "{workload}");
        }
    }
}
