//! The life of a machine's thread: find a task, poll it; nothing to find, rest.

use std::io;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::local::Doing;
use super::{Local, Machine, count};
use crate::current;
use crate::roster::{Leave, MachineId, Permit, Role};
use crate::runtime::Shared;
use crate::sync::thread;
use crate::task::Task;
use crate::watch::Span;

/// Starts a thread for machine `id`, which begins with `permit`, as a searcher.
///
/// # Errors
/// The system's, if it has no thread to give.
pub(crate) fn start(shared: &Arc<Shared>, id: MachineId, permit: Permit) -> io::Result<()> {
    let machine = shared.machine(id);
    let own = Arc::clone(shared);
    shared.threads.started();
    let by_stranger = current::home(|local| local.is_none());
    let spawned = thread::Builder::new().name(shared.options.thread_name.clone()).spawn(move || {
        if by_stranger {
            own.cpus.take_over();
        }
        let exit = Exit(Arc::clone(&own), id);
        run(machine, own, permit);
        drop(exit);
    });
    if spawned.is_err() {
        shared.threads.ended();
    }
    spawned.map(drop)
}

/// Reports the end of a machine's thread, also if it unwinds.
struct Exit(Arc<Shared>, MachineId);

impl Drop for Exit {
    fn drop(&mut self) {
        self.0.roster.ended(self.1);
        self.0.threads.ended();
    }
}

fn run(machine: Arc<Machine>, shared: Arc<Shared>, permit: Permit) {
    let reactor = Arc::clone(&shared);
    let _reactor = reactor.reactor.enter();
    let belongings = machine.occupy().expect("a machine's index is used by one thread at a time");
    let local = Local::new(machine, shared, belongings);
    local.gain(permit);
    local.searching.set(true);
    local.begin_watch();
    current::with_machine(&local, || {
        local.work();
        local.leave();
    });
    let (machine, belongings) = local.into_belongings();
    machine.vacate(belongings);
}

impl Local {
    /// Until the runtime stops, or the machine has had nothing to do for long.
    fn work(&self) {
        loop {
            match self.next() {
                Some(task) => self.poll(task),
                None if self.rest() => {}
                None => return,
            }
        }
    }

    /// The next task; none if there is none, or no permit to poll it.
    fn next(&self) -> Option<Task> {
        let outside_first = self.look_around();
        if self.has_permit() { self.find(outside_first) } else { None }
    }

    fn has_permit(&self) -> bool {
        self.machine.permit().is_some()
    }

    /// Polls a task once. Three plain stores and a few loads beside what the task itself costs.
    fn poll(&self, task: Task) {
        if self.searching.take() && self.shared().roster.found() {
            self.shared().notify();
        }
        // `|`, not `||`: one branch for both, and both are at hand.
        if self.watch.is_on() | task.is_stamped() {
            return self.poll_watched(task);
        }
        task.polled_at(self.shared().watch.coarse());
        self.poll_plainly(task);
    }

    #[inline]
    pub(crate) fn poll_plainly(&self, task: Task) {
        self.machine.step_tick();
        // What the future throws stops in the cell. This is for what is left: a destructor of a waker that panics while
        // the cell is freed. It has been reported by the panic hook, and the machine goes on.
        // The payload is leaked, for it may panic in its turn.
        let _ = catch_unwind(AssertUnwindSafe(|| task.run())).map_err(ManuallyDrop::new);
        self.machine.step_tick();
    }

    /// Looks around at every 61st pick, or, if polls are long, every quarter of a millisecond: gives the permit up if there
    /// are too many, or to a machine that waits for one; gives the reactor a turn if it is due; and says whether the
    /// injector goes first.
    pub(super) fn look_around(&self) -> bool {
        let left = self.countdown.get() - 1;
        if left != 0 {
            self.countdown.set(left);
            return false;
        }
        let now = self.shared().reactor.now();
        let pace = self.pace.get();
        self.pace.set(pace.next(now));
        self.countdown.set(self.pace.get().picks());
        self.watch.looked_around();
        self.came_round(now);
        let roster = &self.shared().roster;
        if roster.is_oversized() {
            self.give_permit_back();
        } else if roster.anyone_waits() {
            self.pass_permit_on();
        }
        self.brief_turn(now);
        pace.outside_first()
    }

    /// Tells the monitor, if it sleeps, that this machine is not stuck, and does for it what else it does every millisecond.
    fn came_round(&self, now: u64) {
        let Shared { watchdog, watch, .. } = &**self.shared();
        if watchdog.is_on() && self.machine.permit().is_some_and(|permit| watchdog.came_round(permit, now)) {
            watch.tick();
        }
    }

    /// Gives the permit up; if no other machine was faster, it is withdrawn.
    fn give_permit_back(&self) {
        let shared = self.shared();
        let wakeup = shared.give_up(&self.machine).and_then(|permit| shared.roster.give_back(permit));
        if let Some(wakeup) = wakeup {
            shared.deliver(wakeup);
        }
    }

    /// Gives the permit to the first machine that waits, and waits behind it.
    fn pass_permit_on(&self) {
        let shared = self.shared();
        self.stop_searching();
        let Some(permit) = shared.give_up(&self.machine) else { return };
        match shared.roster.next_waiting(permit) {
            Some(wakeup) => {
                // What lies in the own queue would wait as long as this machine does.
                if self.machine.has_queued() || !self.machine.thieves.next.is_empty() {
                    shared.stranded.add(self.machine.id);
                }
                shared.deliver(wakeup);
                self.await_permit();
            }
            None => self.gain(permit),
        }
    }

    /// A zero-timeout turn of the reactor, if nobody drives it and the last one is long ago.
    fn brief_turn(&self, now: u64) {
        let reactor = &self.shared().reactor;
        if !reactor.is_due(now) {
            return;
        }
        self.doing.set(Doing::Turn);
        self.noted(Span::Turn, || reactor.turn());
        self.doing.set(Doing::Poll);
        count(&self.machine.counters.turns);
        self.share();
    }

    /// Wakes a machine if there is more in the queue than this one takes next.
    fn share(&self) {
        if self.queue.len() > 1 {
            self.shared().notify();
        }
    }

    /// Nothing to do, or no permit to do it with. `true`: look again. `false`: the thread ends.
    fn rest(&self) -> bool {
        let shared = self.shared();
        self.stop_searching();
        self.queue.trim();
        let permit = shared.give_up(&self.machine);
        if permit.is_none() {
            self.flush();
        }
        let (role, wakeup) = shared.roster.rest(self.machine.id, permit);
        if let Some(wakeup) = wakeup {
            shared.deliver(wakeup);
        }
        if shared.has_work() && self.resume(shared.roster.leave_for_work(self.machine.id)) {
            self.search_on();
            return true;
        }
        match role {
            None => false,
            Some(Role::Driver) => self.noted(Span::Drive, || self.drive()),
            Some(Role::Parked) => self.noted(Span::Park, || self.park()),
        }
    }

    /// The machine has seen a task: it searches, however many others do. It would come back to its rest again and again
    /// else, for as long as a machine that was woken to search has not begun.
    fn search_on(&self) {
        if !self.searching.replace(true) {
            self.shared().roster.join_search();
        }
    }

    /// Goes on with the permit that an attempt to leave the rest gave, if it did.
    fn resume(&self, leave: Leave) -> bool {
        match leave {
            Leave::Permit(permit) => self.gain(permit),
            Leave::Handed => return self.await_handed(),
            Leave::Without => return false,
        }
        true
    }

    /// Inside the reactor until something is ready, or somebody has work for this machine.
    fn drive(&self) -> bool {
        let shared = self.shared();
        self.doing.set(Doing::Drive);
        shared.reactor.drive();
        self.doing.set(Doing::Poll);
        count(&self.machine.counters.turns);
        if self.resume(shared.roster.leave_reactor(self.machine.id)) {
            self.share();
        }
        // Without a permit all of them are in use; what the reactor brought goes to those who have them.
        !shared.is_stopping()
    }

    /// On the own futex until somebody hands a permit over.
    fn park(&self) -> bool {
        count(&self.machine.counters.parks);
        let shared = self.shared();
        let keep_alive = shared.options.thread_keep_alive;
        let since = Instant::now();
        loop {
            if let Some((permit, searching)) = self.machine.take_handed() {
                return self.take_over(permit, searching);
            }
            if shared.is_stopping() {
                return false;
            }
            thread::park_timeout(keep_alive.saturating_sub(since.elapsed()));
            if since.elapsed() >= keep_alive && shared.roster.retire_parked(self.machine.id) {
                return false;
            }
        }
    }

    /// A permit is on its way to this machine. `false`: the runtime stops first.
    pub(super) fn await_handed(&self) -> bool {
        loop {
            if let Some((permit, searching)) = self.machine.take_handed() {
                return self.take_over(permit, searching);
            }
            if self.shared().is_stopping() {
                return false;
            }
            thread::park();
        }
    }

    /// A machine that searched gives it up, found or not; a search that is never ended would keep all others asleep.
    fn stop_searching(&self) {
        if self.searching.take() {
            self.shared().roster.give_up();
        }
    }

    fn take_over(&self, permit: Permit, searching: bool) -> bool {
        debug_assert!(!self.searching.get(), "a machine that waits does not search");
        self.gain(permit);
        self.searching.set(searching);
        true
    }

    /// The thread ends: what is left goes to the injector (or, after the end of the runtime, away).
    fn leave(&self) {
        self.stop_searching();
        // Only a stopping runtime ends a machine that has a permit: nobody needs it any more.
        self.shared().give_up(&self.machine);
        if self.shared().is_stopping() {
            self.end_tasks();
        }
        self.flush();
    }
}
