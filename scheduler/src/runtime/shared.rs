//! What all machines of a runtime share.

use std::io;
use std::panic::Location;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use crossbeam_deque::{Injector, Steal};

use super::Options;
use super::home::{Home, Outside};
use super::stranded::Stranded;
use crate::cpus::Cpus;
use crate::machine::{self, Holders, Machine};
use crate::monitor::Stuck;
use crate::reactor::Reactor;
use crate::roster::{MachineId, Permit, Roster, Wakeup};
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, fence, lock};
use crate::task::{Header, JoinHandle, Origin, Slab, Task};
use crate::watch::{self, What};
use crate::watchdog::Watchdog;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) roster: Roster,
    pub(crate) reactor: Reactor,
    /// Tasks made ready outside of the machines, or left by machines without a permit.
    pub(crate) injector: Injector<Task>,
    /// The tasks that were spawned from outside; those of the machines are with these.
    pub(crate) outside: Outside,
    /// Tasks ended by the end of the runtime.
    drained: AtomicU64,
    /// Machines without a permit in whose queues tasks lie.
    pub(crate) stranded: Stranded,
    pub(crate) threads: Threads,
    pub(crate) cpus: Cpus,
    pub(crate) retakes: Retakes,
    pub(crate) resizes: AtomicU64,
    pub(crate) monitor_rounds: AtomicU64,
    pub(crate) watch: watch::Hub,
    pub(crate) watchdog: Watchdog,
    /// By index, made at first use and kept as long as the runtime.
    machines: Box<[OnceLock<Arc<Machine>>]>,
    holders: Holders,
    stopping: AtomicBool,
    /// Held while somebody looks at all tasks, or ends those of a slab.
    visiting: Mutex<()>,
    /// All tasks have been ended; what is still queued, or is yet to be, is nothing.
    ended: AtomicBool,
    /// For the threads that it starts.
    me: Weak<Shared>,
}

/// Permits retaken, by reason.
#[derive(Debug, Default)]
pub(crate) struct Retakes {
    pub(crate) marked: AtomicU64,
    pub(crate) blocked: AtomicU64,
    pub(crate) burning: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: Options) -> io::Result<Arc<Self>> {
        let reactor = Reactor::new()?;
        Ok(Arc::new_cyclic(|me| Self {
            roster: Roster::new(options.procs, options.most_procs, options.max_threads),
            reactor,
            injector: Injector::new(),
            outside: Outside::new(Home::new(me.as_ptr())),
            drained: AtomicU64::new(0),
            stranded: Stranded::default(),
            threads: Threads::default(),
            cpus: Cpus::default(),
            retakes: Retakes::default(),
            resizes: AtomicU64::new(0),
            monitor_rounds: AtomicU64::new(0),
            watch: watch::Hub::new(options.flight_recorder),
            watchdog: Watchdog::new(options.most_procs),
            machines: (0..options.max_threads).map(|_| OnceLock::new()).collect(),
            holders: Holders::new(options.most_procs),
            stopping: AtomicBool::new(false),
            visiting: Mutex::new(()),
            ended: AtomicBool::new(false),
            me: Weak::clone(me),
            options,
        }))
    }

    /// A machine that has been started.
    pub(crate) fn known(&self, id: MachineId) -> Option<&Machine> {
        self.machines[id as usize].get().map(|machine| &**machine)
    }

    pub(crate) fn machine(&self, id: MachineId) -> Arc<Machine> {
        let home = Home::new(self.me.as_ptr());
        Arc::clone(self.machines[id as usize].get_or_init(|| Arc::new(Machine::new(id, home))))
    }

    /// All machines that were ever started.
    pub(crate) fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter_map(OnceLock::get).map(|machine| &**machine)
    }

    /// Permits that there may ever be.
    pub(crate) fn permits(&self) -> usize {
        self.holders.len()
    }

    /// Changes the number of permits, up to `permits`.
    pub(crate) fn resize(&self, procs: usize) {
        let procs = procs.clamp(1, self.permits());
        if procs != self.roster.procs() {
            self.roster.resize(procs);
            self.resizes.fetch_add(1, Ordering::Relaxed);
            self.notify_fenced();
        }
    }

    /// The machine that holds `permit`, as of late.
    pub(crate) fn holder(&self, permit: usize) -> Option<&Machine> {
        self.known(self.holders.get(permit)?)
    }

    /// `machine` has `permit` from now on.
    pub(crate) fn hold(&self, permit: Permit, machine: &Machine) {
        self.holders.hold(&machine.held, permit, machine.id);
    }

    /// Takes the permit from `machine`, by its own thread; none if the monitor was faster.
    pub(crate) fn give_up(&self, machine: &Machine) -> Option<Permit> {
        self.holders.give_up(&machine.held)
    }

    /// Takes the permit from `machine`, by the monitor; `false` if it does not hold it any more.
    pub(crate) fn retake(&self, machine: &Machine, permit: Permit) -> bool {
        self.holders.retake(&machine.held, permit)
    }

    /// Starts a task from outside of the machines.
    pub(crate) fn spawn_from_outside<F>(&self, future: F, site: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = self.outside.spawn(future, self.origin(site));
        if let Some(task) = task {
            self.inject(task);
        }
        handle
    }

    /// Queues a task from outside of the machines.
    pub(crate) fn inject(&self, task: Task) {
        watch::injected(&task, &self.watch);
        self.injector.push(task);
        self.notify_fenced();
    }

    /// After a push by a machine to its own queue: wakes a machine if that pays.
    pub(crate) fn notify(&self) {
        if self.roster.wants_wake() {
            self.wake_one();
        }
    }

    /// After any other push.
    pub(crate) fn notify_fenced(&self) {
        if self.roster.wants_wake_fenced() {
            self.wake_one();
        }
        // After the fence of the line above, which pairs with the one in `end_tasks`: one of the two empties the injector.
        if self.ended.load(Ordering::Relaxed) {
            self.empty_injector();
        }
    }

    /// At the end: queued tasks are cancelled already, but each keeps this alive, which keeps them.
    #[cold]
    fn empty_injector(&self) {
        while !matches!(self.injector.steal(), Steal::Empty) {}
    }

    /// Wakes a machine to search, unless one searches; whether it did.
    #[cold]
    pub(crate) fn wake_one(&self) -> bool {
        let wakeup = self.roster.claim_wake();
        wakeup.map(|wakeup| self.deliver(wakeup)).is_some()
    }

    /// Does what the roster decided.
    pub(crate) fn deliver(&self, wakeup: Wakeup) {
        match wakeup {
            Wakeup::Parked(id, permit) => self.machine(id).hand(permit, true),
            Wakeup::Waiting(id, permit) => self.machine(id).hand(permit, false),
            Wakeup::Driver(id, permit) => {
                self.machine(id).hand(permit, true);
                self.reactor.end_drive();
            }
            Wakeup::Start(id, permit) => {
                // If the system has no thread to give, the work waits for those that there are.
                let _ = self.start(id, permit);
            }
        }
    }

    /// Starts a thread for machine `id`, or takes its permit back.
    fn start(&self, id: MachineId, permit: Permit) -> io::Result<()> {
        let me = self.me.upgrade().ok_or_else(|| io::Error::other("the runtime is gone"));
        let started = me.and_then(|me| machine::start(&me, id, permit));
        if started.is_err() {
            self.roster.not_started(id, permit);
        }
        started
    }

    /// Starts the first machine, which becomes the driver.
    ///
    /// # Errors
    /// The system's, if it has no thread to give.
    pub(crate) fn start_first(&self) -> io::Result<()> {
        match self.roster.claim_wake() {
            Some(Wakeup::Start(id, permit)) => self.start(id, permit),
            _ => Ok(()),
        }
    }

    /// Is there work in a queue that a searcher would find? Not the `runnext`s, whose owners are about to run them.
    pub(crate) fn has_work(&self) -> bool {
        self.has_outside_work() || self.holding().any(Machine::has_queued)
    }

    /// The same, in the queues that belong to no machine with a permit.
    pub(crate) fn has_outside_work(&self) -> bool {
        !self.injector.is_empty() || self.stranded.any()
    }

    /// Is a `runnext` full?
    pub(crate) fn has_next(&self) -> bool {
        self.holding().any(|machine| !machine.thieves.next.is_empty())
    }

    /// Does anything wait for a permit?
    pub(crate) fn work_waits(&self) -> bool {
        self.has_work() || self.has_next() || self.roster.anyone_waits()
    }

    fn holding(&self) -> impl Iterator<Item = &Machine> {
        (0..self.holders.len()).filter_map(|permit| self.holder(permit))
    }

    /// The monitor took `permit` from `machine`.
    pub(crate) fn retaken(&self, machine: &Machine, permit: Permit, stuck: Stuck) {
        let counter = match stuck {
            Stuck::Marked => &self.retakes.marked,
            Stuck::Blocked => &self.retakes.blocked,
            Stuck::Burning => &self.retakes.burning,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.watch.note(What::Retake { machine: machine.id, reason: stuck.into() });
        self.stranded.add(machine.id);
        match self.roster.hand_off(permit) {
            Some(wakeup) => self.deliver(wakeup),
            None => self.notify_fenced(),
        }
    }

    /// Moves up to `most` tasks of a burning machine's queue to the injector.
    pub(crate) fn relieve(&self, machine: &Machine, most: usize) {
        let mut moved = 0;
        if let Some(task) = machine.thieves.next.take() {
            self.injector.push(task);
            moved = 1;
        }
        moved += machine.thieves.queue.drain(most - moved, |task| self.injector.push(task));
        if moved != 0 {
            self.notify_fenced();
        }
    }

    /// Relaxed: each reader is woken, or unparked through a mutex, after it is set.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Lets all threads come to their end, and no task begin. Runs no code of the user's; `end_tasks` follows.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.outside.close();
        self.machines().for_each(|machine| machine.tasks.close());
        let resting = self.roster.stop();
        self.reactor.end_drive();
        for id in resting {
            self.machine(id).unpark();
        }
        self.retake_all();
    }

    /// Ends every task, but for those inside a poll and those that a machine spawns meanwhile: it ends those itself. And
    /// what libraries gave to the reactor. The destructors may take any time.
    pub(crate) fn end_tasks(&self) {
        self.slabs().for_each(|slab| self.drain(slab));
        // Once more: a machine may have been on its way to a permit.
        self.retake_all();
        self.ended.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.empty_injector();
        self.reactor.close();
    }

    /// Machines look at their permit after each poll; without one they see that the runtime stops.
    fn retake_all(&self) {
        for permit in 0..self.holders.len() {
            if let Some(machine) = self.holder(permit) {
                self.retake(machine, permit as Permit);
            }
        }
    }

    /// Ends the tasks of one slab.
    pub(crate) fn drain(&self, slab: &Slab<Home>) {
        let _no_visit = lock(&self.visiting);
        self.drained.fetch_add(slab.drain(), Ordering::Relaxed);
    }

    fn slabs(&self) -> impl Iterator<Item = &Slab<Home>> {
        self.outside.slabs().chain(self.machines().map(|machine| &machine.tasks))
    }

    /// Shows every live task to `each`. What the machines do meanwhile is not held up.
    pub(crate) fn visit(&self, mut each: impl FnMut(&Header, Origin)) {
        let _alone = lock(&self.visiting);
        let completed = self.slabs().map(|slab| slab.visit(&mut each)).sum();
        self.drained.fetch_add(completed, Ordering::Relaxed);
    }

    /// Of a task that is spawned now, from outside.
    pub(crate) fn origin(&self, site: &'static Location<'static>) -> Origin {
        // While all sleep, nobody keeps the coarse clock.
        if self.roster.idle() == self.roster.procs() {
            self.watch.tick();
        }
        Origin { site, born: self.watch.coarse() }
    }

    /// Tasks ever spawned.
    pub(crate) fn spawned(&self) -> u64 {
        self.slabs().map(Slab::spawned).sum()
    }

    /// Tasks that have ended.
    pub(crate) fn completed(&self) -> u64 {
        let by_machines: u64 = self.machines().map(|machine| machine.counters.completed.load(Ordering::Relaxed)).sum();
        by_machines + self.drained.load(Ordering::Relaxed)
    }
}

/// The threads that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    live: Mutex<usize>,
    ended: Condvar,
}

impl Threads {
    pub(crate) fn started(&self) {
        *lock(&self.live) += 1;
    }

    pub(crate) fn ended(&self) {
        *lock(&self.live) -= 1;
        self.ended.notify_all();
    }

    /// Waits until at most `left` threads live, or `timeout` has passed.
    pub(crate) fn wait_until_at_most(&self, left: usize, timeout: Duration) {
        let since = Instant::now();
        let mut live = lock(&self.live);
        while *live > left {
            // A subtraction, for `since + timeout` may be past the end of time.
            let Some(rest) = timeout.checked_sub(since.elapsed()) else { return };
            live = self.ended.wait_timeout(live, rest).map_or_else(|e| e.into_inner().0, |(live, _)| live);
        }
    }
}
