//! What a runtime did and does, in numbers.

use super::Shared;
use crate::machine::Machine;
use crate::sync::{AtomicU64, Ordering};

/// The numbers of a runtime at one moment. Each is exact; together they are not of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Tasks that run at the same time at the most.
    pub procs: usize,
    /// How often that number changed.
    pub resizes: u64,
    /// Of these, how many are not in use.
    pub idle_procs: usize,
    /// Threads, the monitor not counted.
    pub threads: usize,
    /// Threads that sleep without work.
    pub parked_threads: usize,
    /// Threads that came out of a blocking call and wait for their turn.
    pub waiting_threads: usize,
    /// Threads that look for work.
    pub searching_threads: usize,
    /// How often a thread was wanted for waiting work while `max_threads` ran already.
    pub thread_cap_hits: u64,
    /// Tasks that have not ended.
    pub live_tasks: usize,
    /// Tasks ever spawned.
    pub spawned: u64,
    /// Polls of tasks. Counted modulo 2^31 for each thread.
    pub polls: u64,
    /// Searches through other threads' queues.
    pub searches: u64,
    /// Searches that found something there.
    pub steals: u64,
    /// How often a thread went to sleep on its own.
    pub parks: u64,
    /// Turns of the reactor.
    pub reactor_turns: u64,
    /// Tasks in the queue for what comes from outside.
    pub injector_depth: usize,
    /// Turns taken from threads inside [`blocking`](crate::blocking).
    pub retaken_marked: u64,
    /// Turns taken from threads that blocked without saying so.
    pub retaken_blocked: u64,
    /// Turns taken from threads that used their CPU past the slice.
    pub retaken_burning: u64,
}

impl Metrics {
    /// A simulation has one thread and nothing of what happens between threads.
    #[cfg(feature = "testing")]
    pub(super) fn of_simulation(world: &crate::testing::World) -> Self {
        let (live_tasks, spawned, polls) = (world.live_tasks(), world.spawned(), world.polls());
        Self { procs: 1, threads: 1, live_tasks, spawned, polls, ..Self::default() }
    }

    pub(super) fn of(shared: &Shared) -> Self {
        let census = shared.roster.census();
        let sum = |of: fn(&Machine) -> u64| shared.machines().map(of).sum();
        // In this order: a task that is counted as completed is counted as spawned, too.
        let completed = shared.completed();
        let spawned = shared.spawned();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            procs: shared.roster.procs(),
            resizes: read(&shared.resizes),
            idle_procs: census.idle_procs,
            threads: census.threads,
            parked_threads: census.parked,
            waiting_threads: census.waiting,
            searching_threads: census.searching,
            thread_cap_hits: census.capped,
            live_tasks: spawned.saturating_sub(completed) as usize,
            spawned,
            polls: sum(|machine| u64::from(machine.polls())),
            searches: sum(|machine| machine.counters.searches.load(Ordering::Relaxed)),
            steals: sum(|machine| machine.counters.steals.load(Ordering::Relaxed)),
            parks: sum(|machine| machine.counters.parks.load(Ordering::Relaxed)),
            reactor_turns: shared.reactor.turns(),
            injector_depth: shared.injector.len(),
            retaken_marked: read(&shared.retakes.marked),
            retaken_blocked: read(&shared.retakes.blocked),
            retaken_burning: read(&shared.retakes.burning),
        }
    }
}
