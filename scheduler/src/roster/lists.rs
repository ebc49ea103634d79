//! The lists of the roster, which its mutex guards: what may be done with them alone.

use std::collections::VecDeque;

use super::{MachineId, Permit};
use crate::sync::Thread;

#[derive(Debug)]
pub(super) struct Lists {
    /// Idle permits.
    pub(super) permits: Vec<Permit>,
    /// Permits that are neither idle nor in use, because the runtime is to be smaller than it could.
    pub(super) withdrawn: Vec<Permit>,
    /// Parked machines; the one that parked last is woken first, its cache is warm.
    pub(super) parked: Vec<MachineId>,
    pub(super) driver: Option<Driver>,
    /// Machines in the middle of a poll, first come first served.
    pub(super) waiting: VecDeque<MachineId>,
    /// Indices of ended machines, to be used again before new ones.
    pub(super) free: Vec<MachineId>,
    pub(super) threads: usize,
    pub(super) max_threads: usize,
    /// Indices ever used.
    pub(super) used: MachineId,
    /// How often a thread was wanted and no further one was allowed.
    pub(super) capped: u64,
    /// The monitor's thread, while it sleeps until a permit is taken.
    pub(super) monitor: Option<Thread>,
    pub(super) stopping: bool,
}

/// The machine in the reactor. It stays listed until it has come out, also when it was called: the next one would
/// answer to the call in its stead, and leave it sleeping in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Driver {
    pub(super) machine: MachineId,
    /// A permit is on its way to it.
    pub(super) called: bool,
}

impl Lists {
    pub(super) fn new(procs: Permit, most: Permit, max_threads: usize) -> Self {
        Self {
            permits: (0..procs).rev().collect(),
            withdrawn: (procs..most).rev().collect(),
            parked: Vec::new(),
            driver: None,
            waiting: VecDeque::new(),
            free: Vec::new(),
            threads: 0,
            max_threads,
            used: 0,
            capped: 0,
            monitor: None,
            stopping: false,
        }
    }

    pub(super) fn census(&self, searching: usize) -> Census {
        Census {
            threads: self.threads,
            parked: self.parked.len(),
            idle_procs: self.permits.len(),
            waiting: self.waiting.len(),
            searching,
            capped: self.capped,
        }
    }

    pub(super) fn whereabouts(&self) -> Whereabouts {
        Whereabouts {
            driver: self.driver.map(|driver| driver.machine),
            parked: self.parked.clone(),
            waiting: self.waiting.iter().copied().collect(),
            ended: self.free.clone(),
        }
    }

    pub(super) fn rests(&self, machine: MachineId) -> bool {
        self.driver == Some(Driver { machine, called: false }) || self.parked.contains(&machine)
    }

    pub(super) fn remove(&mut self, machine: MachineId) {
        self.parked.retain(|&m| m != machine);
        self.driver = self.driver.filter(|driver| driver.machine != machine);
    }

    pub(super) fn wake_monitor(&mut self) {
        if let Some(monitor) = self.monitor.take() {
            monitor.unpark();
        }
    }

    /// An index for a new thread, if one is allowed.
    pub(super) fn start(&mut self) -> Option<MachineId> {
        if self.threads == self.max_threads {
            self.capped += 1;
            return None;
        }
        self.threads += 1;
        Some(self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        }))
    }

    pub(super) fn end(&mut self, machine: MachineId) {
        self.threads -= 1;
        self.free.push(machine);
    }
}

/// Where the machines are that do not run, at one moment.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    pub(crate) driver: Option<MachineId>,
    pub(crate) parked: Vec<MachineId>,
    pub(crate) waiting: Vec<MachineId>,
    pub(crate) ended: Vec<MachineId>,
}

/// The machines by what they do, at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Census {
    pub(crate) threads: usize,
    pub(crate) parked: usize,
    pub(crate) idle_procs: usize,
    pub(crate) waiting: usize,
    pub(crate) searching: usize,
    pub(crate) capped: u64,
}
