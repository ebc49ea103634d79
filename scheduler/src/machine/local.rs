//! The part of a machine that only its own thread touches, and the way of a task into its queue.
//!
//! Cost of making a task ready on a machine: one plain store into an empty `runnext`; or a push to the queue (two
//! stores) and two loads that see whether a machine is to be woken. No read-modify-write, no fence.

use std::cell::Cell;
use std::sync::Arc;

use crossbeam_deque::Worker;

use super::Machine;
use crate::current;
use crate::roster::Permit;
use crate::runtime::{Owner, Shared};
use crate::task::{Submit, Task};

/// Whether this thread is inside the reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turning {
    No,
    /// For a look, with a permit.
    Brief,
    /// As the driver, without a permit, until something is ready.
    Drive,
}

/// A machine's private side, reachable through `current::local` while its thread runs.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) machine: Arc<Machine>,
    /// The owner token that tasks spawned here share.
    pub(crate) owner: Owner,
    pub(super) queue: Worker<Task>,
    /// Inside the reactor: what I/O and timers wake goes to the own queue.
    pub(super) turning: Cell<Turning>,
    /// This machine was woken, or began, to search.
    pub(super) searching: Cell<bool>,
    /// `runnext` picks in a row.
    pub(super) chain: Cell<u32>,
    /// Polls until the next look around.
    pub(super) countdown: Cell<u32>,
    /// Spreads this machine's tasks over the registry.
    spawned: Cell<usize>,
    /// State of the xorshift that picks steal victims.
    pub(super) random: Cell<u32>,
}

impl Local {
    pub(super) fn new(machine: Arc<Machine>, owner: Owner, queue: Worker<Task>) -> Self {
        let seed = 0x9E37_79B9 ^ (machine.id + 1);
        Self {
            machine,
            owner,
            queue,
            turning: Cell::new(Turning::No),
            searching: Cell::new(false),
            chain: Cell::new(0),
            countdown: Cell::new(crate::limits::INJECTOR_INTERVAL),
            spawned: Cell::new(0),
            random: Cell::new(seed),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.owner.shared()
    }

    /// A number that differs from spawn to spawn.
    pub(crate) fn spawn_hint(&self) -> usize {
        self.spawned.set(self.spawned.get().wrapping_add(1));
        self.spawned.get()
    }

    /// Queues a task that became ready: next in line if nobody is, else behind the others.
    pub(crate) fn ready(&self, task: Task) {
        if self.turning.get() != Turning::No {
            return self.ready_in_turn(task);
        }
        if self.machine.permit().is_none() {
            return self.shared().inject(task);
        }
        if let Err(task) = self.machine.thieves.next.put(task) {
            self.push(task);
        }
    }

    /// Queues a task that has just run: behind the others. Nobody is woken for it if it is alone.
    fn again(&self, task: Task) {
        if self.machine.permit().is_none() {
            return self.shared().inject(task);
        }
        let alone = self.queue.is_empty();
        self.queue.push(task);
        if !alone {
            self.shared().notify();
        }
    }

    /// The reactor woke a task. It stays here; the driver comes out of the reactor to run it.
    fn ready_in_turn(&self, task: Task) {
        let first = self.queue.is_empty();
        self.queue.push(task);
        if first && self.turning.get() == Turning::Drive {
            self.shared().reactor.end_drive();
        }
    }

    fn push(&self, task: Task) {
        self.queue.push(task);
        self.shared().notify();
    }

    /// Moves the whole queue to the injector: this machine has no permit.
    pub(super) fn flush(&self) {
        let shared = self.shared();
        let mut any = false;
        while let Some(task) = self.machine.thieves.next.take().or_else(|| self.queue.pop()) {
            shared.injector.push(task);
            any = true;
        }
        if any {
            shared.notify_fenced();
        }
    }

    /// The machine has `permit` from now on.
    pub(super) fn gain(&self, permit: Permit) {
        self.shared().hold(permit, &self.machine);
    }

    /// A number below `bound`, uniform enough to pick a victim (xorshift32, multiply-shift).
    pub(super) fn below(&self, bound: usize) -> usize {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        ((u64::from(x) * bound as u64) >> 32) as usize
    }
}

/// Where a task goes from the calling thread.
#[derive(Debug)]
pub(crate) enum Route {
    /// This thread is a machine of the task's runtime.
    Here,
    /// It is not.
    Outside(Owner),
}

impl Route {
    fn submit(self, task: Task, here: impl FnOnce(&Local, Task)) {
        match self {
            Self::Outside(owner) => owner.shared().inject(task),
            Self::Here => current::machine(|local| here(local.expect("`Here` was found on this thread"), task)),
        }
    }
}

impl Submit for Route {
    fn ready(self, task: Task) {
        self.submit(task, Local::ready);
    }

    fn again(self, task: Task) {
        self.submit(task, Local::again);
    }
}
