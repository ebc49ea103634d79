//! The workloads, each written once against [`Spawner`] and each ending in a checksum known beforehand.
//!
//! | name | shape | what it leans on |
//! |---|---|---|
//! | `spawn-join` | one task spawns 200 k no-op tasks, then joins them | allocation, queue push, wake of a peer |
//! | `spawn-join-8` | the same from 8 tasks at once | contention of the producers |
//! | `yield` | 200 tasks yield 1000 times each | the bare switch |
//! | `ping-pong` | 100 tasks, 500 times {spawn a peer, exchange two oneshots} | wake of a sleeping task, the one-slot fast path |
//! | `chain` | 20 chains of 10 k tasks, each spawning the next and ending | spawn to run latency, freeing |
//! | `skynet` | a tree with 1 M leaves, ten children per node, boxed futures | stealing, allocation under load |
//! | `ring` | 20 rings of 50 tasks pass a token 100 times round by channels | the channel's library: parity is the floor |
//! | `mutex` | 100 tasks lock one async mutex 1000 times, yielding inside | the mutex' library: parity is the floor |
//!
//! The first six are the scheduler's own; their geometric mean is the headline.

mod chain;
mod mutex;
mod ping_pong;
mod ring;
mod skynet;
mod spawn_join;
mod yields;

use std::fmt;

use crate::{
    executor::{Executor, Spawner},
    scale::Scale,
};

/// One of the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// One task spawns no-op tasks and joins them.
    SpawnJoin,
    /// Eight tasks do so at once.
    SpawnJoin8,
    /// Tasks that only yield.
    Yield,
    /// Spawn a peer and exchange two oneshots, over and over.
    PingPong,
    /// Each task spawns its successor and ends.
    Chain,
    /// A ten-way tree of boxed tasks.
    Skynet,
    /// Tokens passed round rings of channels.
    Ring,
    /// One contended async mutex.
    Mutex,
}

/// How large a workload is: `lanes` tasks work side by side, each doing `steps`. A tree has one lane of `steps` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Tasks that work side by side.
    pub lanes: u64,
    /// What each of them does.
    pub steps: u64,
}

impl Workload {
    /// Every workload, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::SpawnJoin,
        Self::SpawnJoin8,
        Self::Yield,
        Self::PingPong,
        Self::Chain,
        Self::Skynet,
        Self::Ring,
        Self::Mutex,
    ];

    /// The name in tables and in `--only`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpawnJoin => "spawn-join",
            Self::SpawnJoin8 => "spawn-join-8",
            Self::Yield => "yield",
            Self::PingPong => "ping-pong",
            Self::Chain => "chain",
            Self::Skynet => "skynet",
            Self::Ring => "ring",
            Self::Mutex => "mutex",
        }
    }

    /// Whether the scheduler, not a library shared by all contenders, decides the result.
    #[must_use]
    pub const fn scheduler_bound(self) -> bool {
        !matches!(self, Self::Ring | Self::Mutex)
    }

    /// The size at `scale`: all steps, a tenth or a thousandth of them, at least one.
    #[must_use]
    pub fn size(self, scale: Scale) -> Size {
        let (lanes, steps) = match self {
            Self::SpawnJoin => (1, 200_000),
            Self::SpawnJoin8 => (8, 25_000),
            Self::Yield => (200, 1_000),
            Self::PingPong => (100, 500),
            Self::Chain => (20, 10_000),
            Self::Skynet => (1, 1_000_000),
            Self::Ring => (20, 100),
            Self::Mutex => (100, 1_000),
        };
        Size { lanes, steps: scale.pick(steps, steps / 10, steps / 1_000).max(1) }
    }

    /// What a correct run returns.
    #[must_use]
    pub const fn checksum(self, size: Size) -> u64 {
        let Size { lanes, steps } = size;
        match self {
            Self::Skynet => steps * (steps - 1) / 2,
            Self::Ring => lanes * steps * ring::MEMBERS,
            _ => lanes * steps,
        }
    }

    /// Runs the workload on `executor` and returns its checksum.
    pub fn run<E: Executor>(self, executor: &E, size: Size) -> u64 {
        executor.run(move |spawner| self.task(spawner, size))
    }

    async fn task<S: Spawner>(self, spawner: S, size: Size) -> u64 {
        match self {
            Self::SpawnJoin | Self::SpawnJoin8 => spawn_join::run(spawner, size).await,
            Self::Yield => yields::run(spawner, size).await,
            Self::PingPong => ping_pong::run(spawner, size).await,
            Self::Chain => chain::run(spawner, size).await,
            Self::Skynet => skynet::run(spawner, size).await,
            Self::Ring => ring::run(spawner, size).await,
            Self::Mutex => mutex::run(spawner, size).await,
        }
    }
}

/// Spawns `lanes` tasks, the first as `lane(0)`, and adds up what they return.
async fn side_by_side<S, F>(spawner: S, lanes: u64, lane: impl Fn(u64) -> F) -> u64
where
    S: Spawner,
    F: Future<Output = u64> + Send + 'static,
{
    let lanes: Vec<_> = (0..lanes).map(|i| spawner.spawn(lane(i))).collect();
    let mut sum = 0;
    for lane in lanes {
        sum += lane.await;
    }
    sum
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
