//! The part of a machine that only its own thread touches, and the way of a task into its queue.
//!
//! Cost of making a task ready on a machine: one plain store into an empty `runnext`; or a push to the queue (two
//! stores) and two loads that see whether a machine is to be woken. No read-modify-write, no fence.

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use super::pace::Pace;
use super::{Belongings, Machine, Queue};
use crate::current;
use crate::roster::Permit;
use crate::runtime::{Home, Shared};
use crate::task::{self, Claims, JoinHandle, Origin, Slab, Submit, Task};
use crate::watch::Own;

/// What this thread does, as far as it matters for a task that becomes ready by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It polls a task, or nothing.
    Poll,
    /// It wakes the one who waits for the end of a task. That one goes behind the others: as a rule it waits for several,
    /// of which the next is in the queue, and would wait again at once.
    Join,
    /// It is inside the reactor for a look, with a permit.
    Turn,
    /// It is inside the reactor as the driver, without a permit, until something is ready.
    Drive,
}

/// A machine's private side, reachable through `current::local` while its thread runs.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) machine: Arc<Machine>,
    shared: Arc<Shared>,
    pub(super) queue: Queue<Task>,
    /// Of the machine's slab.
    claims: Claims,
    pub(super) doing: Cell<Doing>,
    /// This machine was woken, or began, to search.
    pub(super) searching: Cell<bool>,
    /// `runnext` picks in a row.
    pub(super) chain: Cell<u32>,
    /// Where the last pick from outside looked first.
    pub(super) stranded_first: Cell<bool>,
    /// Picks until the next look around.
    pub(super) countdown: Cell<u32>,
    pub(super) pace: Cell<Pace>,
    /// State of the xorshift that picks steal victims.
    pub(super) random: Cell<u32>,
    pub(crate) watch: Own,
}

impl Local {
    pub(super) fn new(machine: Arc<Machine>, shared: Arc<Shared>, belongings: Belongings) -> Self {
        let Belongings { queue, claims } = belongings;
        let seed = 0x9E37_79B9 ^ (machine.id + 1);
        Self {
            machine,
            shared,
            queue,
            claims,
            doing: Cell::new(Doing::Poll),
            searching: Cell::new(false),
            chain: Cell::new(0),
            stranded_first: Cell::new(false),
            countdown: Cell::new(Pace::new().picks()),
            pace: Cell::new(Pace::new()),
            random: Cell::new(seed),
            watch: Own::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Makes a task; none to queue if the runtime has ended.
    pub(crate) fn task<F>(&self, future: F, site: &'static Location<'static>) -> (Option<Task>, JoinHandle<F::Output>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let origin = Origin { site, born: self.shared.watch.coarse() };
        task::spawn(future, &self.machine.tasks, &self.claims, origin)
    }

    /// The claims of `slab`, if it is this machine's.
    pub(crate) fn claims_of(&self, slab: &Slab<Home>) -> Option<&Claims> {
        ptr::eq(slab, &raw const self.machine.tasks).then_some(&self.claims)
    }

    /// Ends the tasks of this machine, which spawns no more.
    pub(super) fn end_tasks(&self) {
        self.machine.tasks.close();
        self.shared.drain(&self.machine.tasks);
    }

    /// What the next thread that has this machine needs.
    pub(super) fn into_belongings(self) -> (Arc<Machine>, Belongings) {
        let Self { machine, queue, claims, .. } = self;
        (machine, Belongings { queue, claims })
    }

    /// Queues a task that became ready: next in line if nobody is, else behind the others.
    pub(crate) fn ready(&self, task: Task) {
        self.watch.made_ready(&task, &self.shared().watch);
        match self.doing.get() {
            Doing::Poll => {}
            Doing::Join => return self.again(task),
            Doing::Turn | Doing::Drive => return self.ready_in_turn(task),
        }
        if self.machine.permit().is_none() {
            return self.shared().inject(task);
        }
        if let Err(task) = self.machine.thieves.next.put(task) {
            self.push(task);
        }
    }

    /// Queues a task that has just run, or that joins one: behind the others. Nobody is woken for it if it is alone.
    fn again(&self, task: Task) {
        self.watch.made_ready(&task, &self.shared().watch);
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
        if first && self.doing.get() == Doing::Drive {
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
        self.shared.watch.tick();
        self.shared().hold(permit, &self.machine);
    }

    /// Wakes the one who waits for the end of a task.
    pub(crate) fn wake_joiner(&self, waker: &Waker) {
        /// Also if the waker panics.
        struct Done<'a>(&'a Cell<Doing>);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.set(Doing::Poll);
            }
        }
        self.doing.set(Doing::Join);
        let _done = Done(&self.doing);
        waker.wake_by_ref();
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
    Outside(Arc<Shared>),
}

impl Route {
    fn submit(self, task: Task, here: impl FnOnce(&Local, Task)) {
        match self {
            Self::Outside(shared) => shared.inject(task),
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
