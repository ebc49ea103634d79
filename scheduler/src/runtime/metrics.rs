//! What a runtime did and does, in numbers.

use std::time::Duration;

use super::Shared;
use crate::sync::{AtomicU64, Ordering};
use crate::watch::{MachineMetrics, MachineState, machines};

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
    /// Threads that poll a task.
    pub running_threads: usize,
    /// Threads whose task is in [`blocking`](crate::blocking), or waits in a nested `block_on`.
    pub blocking_threads: usize,
    /// Threads that lost their turn in a poll that goes on: it blocked without saying so, or used its CPU for long.
    pub detached_threads: usize,
    /// Threads that wait for sockets and timers.
    pub driving_threads: usize,
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
    /// Tasks in a poll.
    pub running_tasks: usize,
    /// Tasks in a queue. The other live tasks sleep.
    pub queued_tasks: usize,
    /// Polls that panicked.
    pub panics: u64,
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
    /// Tasks given to `tokio::spawn`, most likely by a library, that have not ended. Turns of the reactor run them, one
    /// thread at a time.
    pub foreign_tasks: usize,
    /// The time that turns of the reactor spent on them, and on their own bookkeeping. I/O and timers wait meanwhile.
    pub foreign_time: Duration,
    /// Tasks in the queue for what comes from outside.
    pub injector_depth: usize,
    /// Looks of the monitor: each takes some 12 us of CPU time, the wake-up included.
    pub monitor_rounds: u64,
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

    pub(crate) fn of(shared: &Shared) -> Self {
        let census = shared.roster.census();
        // In this order: a task that is counted as completed is counted as spawned, too.
        let completed = shared.completed();
        let spawned = shared.spawned();
        let machines = machines::of(shared);
        let count = |state| machines::in_state(&machines, state);
        let sum = |of: fn(&MachineMetrics) -> u64| machines.iter().map(of).sum();
        let injector_depth = shared.injector.len();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            procs: shared.roster.procs(),
            resizes: read(&shared.resizes),
            idle_procs: census.idle_procs,
            threads: census.threads,
            running_threads: count(MachineState::Running),
            blocking_threads: count(MachineState::Blocking),
            detached_threads: count(MachineState::Detached),
            driving_threads: count(MachineState::Driving),
            parked_threads: census.parked,
            waiting_threads: census.waiting,
            searching_threads: census.searching,
            thread_cap_hits: census.capped,
            live_tasks: spawned.saturating_sub(completed) as usize,
            spawned,
            running_tasks: shared.machines().filter(|machine| machine.activity().in_poll()).count(),
            queued_tasks: injector_depth + machines.iter().map(|machine| machine.queue_depth).sum::<usize>(),
            panics: sum(|machine| machine.panics),
            polls: sum(|machine| machine.polls),
            searches: sum(|machine| machine.searches),
            steals: sum(|machine| machine.steals),
            parks: sum(|machine| machine.parks),
            reactor_turns: shared.reactor.turns(),
            foreign_tasks: shared.reactor.foreign_tasks(),
            foreign_time: shared.reactor.foreign_time(),
            injector_depth,
            monitor_rounds: read(&shared.monitor_rounds),
            retaken_marked: read(&shared.retakes.marked),
            retaken_blocked: read(&shared.retakes.blocked),
            retaken_burning: read(&shared.retakes.burning),
        }
    }
}
