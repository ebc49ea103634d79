//! The threads of a runtime one by one: what each does, and what it has done.

use std::sync::atomic::Ordering;

use crate::machine::Machine;
use crate::roster::Whereabouts;
use crate::runtime::Shared;

/// A thread of a runtime at one moment, from [`Handle::machines`](crate::Handle::machines).
///
/// A thread that is started after another has ended may take over its number, and goes on with its counts.
///
/// ```
/// use tidemill_scheduler::{Runtime, watch::MachineState};
///
/// let rt = Runtime::new()?;
/// for machine in rt.handle().machines() {
///     if machine.state == MachineState::Running {
///         println!("machine {} has {} tasks in its queue", machine.id, machine.queue_depth);
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MachineMetrics {
    /// Its number.
    pub id: u32,
    /// What it does.
    pub state: MachineState,
    /// The permit (Go's P) that it holds, if it may run tasks now.
    pub permit: Option<u32>,
    /// Tasks in its own queue, the one that it would run next included.
    pub queue_depth: usize,
    /// Polls of tasks. Counted modulo 2^31.
    pub polls: u64,
    /// Polls that panicked.
    pub panics: u64,
    /// How often it went to sleep on its own.
    pub parks: u64,
    /// Searches through other threads' queues.
    pub searches: u64,
    /// Searches that found something there.
    pub steals: u64,
    /// Turns of the reactor.
    pub reactor_turns: u64,
}

/// What a thread of a runtime does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MachineState {
    /// It polls a task.
    Running,
    /// Its task is in [`blocking`](crate::blocking), or waits in a nested `block_on`.
    Blocking,
    /// It is still in a poll, but its turn was taken: it blocked without saying so, or used its CPU for long.
    Detached,
    /// It looks for work, or is between two polls.
    Searching,
    /// It came out of a blocking call and waits for its turn.
    Waiting,
    /// It has no work and sleeps.
    Parked,
    /// It has no work and waits for sockets and timers.
    Driving,
    /// Its thread has ended.
    Ended,
}

pub(crate) fn of(shared: &Shared) -> Vec<MachineMetrics> {
    let places = shared.roster.whereabouts();
    shared.machines().map(|machine| metrics(machine, &places)).collect()
}

/// How many of the threads are in `state`.
pub(crate) fn in_state(machines: &[MachineMetrics], state: MachineState) -> usize {
    machines.iter().filter(|machine| machine.state == state).count()
}

fn metrics(machine: &Machine, places: &Whereabouts) -> MachineMetrics {
    let counters = &machine.counters;
    MachineMetrics {
        id: machine.id,
        state: state(machine, places),
        permit: machine.permit(),
        queue_depth: machine.queued() + usize::from(!machine.thieves.next.is_empty()),
        polls: u64::from(machine.polls()),
        panics: machine.watch.panics.load(Ordering::Relaxed),
        parks: counters.parks.load(Ordering::Relaxed),
        searches: counters.searches.load(Ordering::Relaxed),
        steals: counters.steals.load(Ordering::Relaxed),
        reactor_turns: counters.turns.load(Ordering::Relaxed),
    }
}

fn state(machine: &Machine, places: &Whereabouts) -> MachineState {
    let (id, activity) = (machine.id, machine.activity());
    if places.ended.contains(&id) {
        MachineState::Ended
    } else if places.driver == Some(id) {
        MachineState::Driving
    } else if places.parked.contains(&id) {
        MachineState::Parked
    } else if places.waiting.contains(&id) {
        MachineState::Waiting
    } else if activity.in_region() {
        MachineState::Blocking
    } else if !activity.in_poll() {
        MachineState::Searching
    } else if machine.permit().is_some() {
        MachineState::Running
    } else {
        MachineState::Detached
    }
}
