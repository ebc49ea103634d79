//! Who runs, who searches, who rests: the permits and the threads that have none.
//!
//! A **permit** (Go's P without its queue) is the right to poll tasks; there are as many as the runtime has `procs`. A
//! machine holds one while it runs or searches, and gives it up to rest: as the *driver*, inside the reactor's
//! `epoll_wait`, or *parked* on its own futex. A machine that comes back from a blocking call in the middle of a poll
//! and finds no permit *waits* in a queue of its own.
//!
//! # The wake-up protocol
//!
//! A wake-up costs 5 to 30 us, a task 0.1 us; so at most one machine is woken per burst of work, and it is woken
//! *searching*: it looks through all queues, and if it finds something it wakes the next one. Who submits while a
//! machine searches wakes nobody.
//!
//! ```text
//! submit:  1. push the task           rest:  1. stop searching, release the permit (idle += 1)
//!          2. fence                          2. fence
//!          3. anyone searching? done         3. look into every queue; work? take a permit again
//!             no permit idle? done           4. sleep
//!          4. claim `searching`: 0 -> 1
//!          5. wake one machine with an idle permit
//! ```
//!
//! Either the submitter's fence comes first in the order of all fences, then the resting machine's look finds the
//! task; or the machine's comes first, then the submitter sees no searcher and an idle permit, and wakes. Go lost work
//! here twice, when the look was left out for machines that had not been searching, and when a look found work but no
//! permit was idle. Here *every* machine looks before it sleeps, and if no permit is idle then each is held by a
//! machine that will look in its turn.
//!
//! A machine that pushes to its *own* queue leaves step 2 out. If the stale read misses an idle permit, the task is
//! still run by the pusher itself, or stolen after its permit is retaken; what is lost is parallelism until the next
//! push or the monitor's sweep, at most two milliseconds later. That fence would cost more than the push.
//!
//! # Size
//!
//! The number of permits changes while the runtime runs, and nothing stops for it. Growing puts permits among the idle
//! ones. Shrinking withdraws idle ones at once, and of those in use the next that are given up; a machine looks for
//! that after at most 61 polls.
//!
//! # Locks
//!
//! One mutex guards the lists; the counters beside it are copies to be read without it. It is taken only when a
//! machine starts or ends a rest, never per task. Nothing else is locked under it.

mod lists;

pub(crate) use lists::{Census, Whereabouts};
use lists::{Driver, Lists};

use crate::sync::{AtomicUsize, Mutex, Ordering, fence, lock, thread};

/// A machine's index.
pub(crate) type MachineId = u32;

/// A permit's number.
pub(crate) type Permit = u32;

/// A machine to be woken, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wakeup {
    /// A parked machine, which becomes a searcher.
    Parked(MachineId, Permit),
    /// The driver, which leaves the reactor and becomes a searcher.
    Driver(MachineId, Permit),
    /// A thread has to be started; it becomes a searcher.
    Start(MachineId, Permit),
    /// A machine that waits for a permit in the middle of a poll.
    Waiting(MachineId, Permit),
}

/// How a machine rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Inside the reactor.
    Driver,
    /// On its own futex.
    Parked,
}

/// What a machine that wants to leave its rest finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Leave {
    /// It has left, with a permit.
    Permit(Permit),
    /// It has left, but no permit is idle.
    Without,
    /// Somebody else is waking it: a permit is about to be handed to it.
    Handed,
}

#[derive(Debug)]
pub(crate) struct Roster {
    /// How many permits there are to be.
    procs: AtomicUsize,
    /// How many more there are: to be withdrawn when they are given up.
    surplus: AtomicUsize,
    /// Copy of `lists.permits.len()`.
    idle: AtomicUsize,
    /// Machines that search, or were woken to.
    searching: AtomicUsize,
    /// Copy of `lists.waiting.len()`.
    waiting: AtomicUsize,
    lists: Mutex<Lists>,
}

impl Roster {
    /// All permits idle, no threads. There can be up to `most` permits later.
    pub(crate) fn new(procs: usize, most: usize, max_threads: usize) -> Self {
        let lists = Lists::new(procs as Permit, most as Permit, max_threads);
        Self {
            procs: AtomicUsize::new(procs),
            surplus: AtomicUsize::new(0),
            idle: AtomicUsize::new(procs),
            searching: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            lists: Mutex::new(lists),
        }
    }

    pub(crate) fn procs(&self) -> usize {
        self.procs.load(Ordering::Relaxed)
    }

    /// Changes the number of permits. Afterwards the caller wakes a machine if work waits.
    pub(crate) fn resize(&self, procs: usize) {
        let mut lists = lock(&self.lists);
        let before = self.procs() + self.surplus.load(Ordering::Relaxed);
        self.procs.store(procs, Ordering::Relaxed);
        self.surplus.store(before.saturating_sub(procs), Ordering::Relaxed);
        for _ in before..procs {
            let permit = lists.withdrawn.pop();
            lists.permits.extend(permit);
        }
        while self.is_oversized() && !lists.permits.is_empty() {
            let permit = lists.permits.pop().filter(|_| self.withdraws());
            lists.withdrawn.extend(permit);
        }
        self.idle.store(lists.permits.len(), Ordering::Relaxed);
    }

    /// Are there more permits than there are to be? A hint.
    pub(crate) fn is_oversized(&self) -> bool {
        self.surplus.load(Ordering::Relaxed) != 0
    }

    /// Step 3 of a submission without its fence: is there somebody to wake? Two loads.
    pub(crate) fn wants_wake(&self) -> bool {
        self.idle.load(Ordering::Relaxed) != 0 && self.searching.load(Ordering::Relaxed) == 0
    }

    /// Steps 2 and 3 of a submission from outside. The fence pairs with the one in [`rest`](Self::rest).
    pub(crate) fn wants_wake_fenced(&self) -> bool {
        fence(Ordering::SeqCst);
        self.wants_wake()
    }

    /// Steps 4 and 5: whom to wake, if it falls to the caller. Deliver the answer.
    pub(crate) fn claim_wake(&self) -> Option<Wakeup> {
        // AcqRel on success only for the count's own sake; what was pushed is published by the queues.
        self.searching.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        let mut lists = lock(&self.lists);
        let wakeup = self.take_permit(&mut lists).and_then(|permit| self.place(&mut lists, permit));
        drop(lists);
        if wakeup.is_none() {
            self.searching.fetch_sub(1, Ordering::AcqRel);
        }
        wakeup
    }

    /// A permit was retaken from a stuck machine: who goes on with it. None: it is idle now.
    pub(crate) fn hand_off(&self, permit: Permit) -> Option<Wakeup> {
        let mut lists = lock(&self.lists);
        if self.withdrew(&mut lists, permit) {
            return None;
        }
        if let Some(machine) = self.pop_waiting(&mut lists) {
            return Some(Wakeup::Waiting(machine, permit));
        }
        let wakeup = self.place(&mut lists, permit);
        if wakeup.is_some() {
            self.searching.fetch_add(1, Ordering::AcqRel);
        }
        wakeup
    }

    /// May a machine without work start to search? No more than half of those that are not idle do: more would only
    /// disturb each other.
    pub(crate) fn begin_search(&self) -> bool {
        let busy = self.procs().saturating_sub(self.idle.load(Ordering::Relaxed));
        if 2 * self.searching.load(Ordering::Relaxed) >= busy.max(1) {
            return false;
        }
        self.searching.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// One more machine searches, whatever their number.
    pub(crate) fn join_search(&self) {
        self.searching.fetch_add(1, Ordering::AcqRel);
    }

    /// A searcher found work; `true` if it was the last one and has to see whether the next is to be woken.
    #[must_use]
    pub(crate) fn found(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// A searcher gives up. Followed by [`rest`](Self::rest), whose fence orders it before the last look.
    pub(crate) fn give_up(&self) {
        self.searching.fetch_sub(1, Ordering::AcqRel);
    }

    /// Steps 1 and 2 of a rest: the permit, if the machine still has it, goes to a waiting machine or becomes idle.
    /// Afterwards the machine looks into every queue. None instead of a role: the runtime stops.
    pub(crate) fn rest(&self, machine: MachineId, permit: Option<Permit>) -> (Option<Role>, Option<Wakeup>) {
        let mut lists = lock(&self.lists);
        let wakeup = permit.and_then(|permit| self.release(&mut lists, permit));
        let role = if lists.stopping {
            None
        } else if lists.driver.is_none() {
            lists.driver = Some(Driver { machine, called: false });
            Some(Role::Driver)
        } else {
            lists.parked.push(machine);
            Some(Role::Parked)
        };
        drop(lists);
        // Pairs with the fence of `wants_wake_fenced`.
        fence(Ordering::SeqCst);
        (role, wakeup)
    }

    /// The look found work: leave the rest if a permit is idle. `Without` means: stay, those who hold the permits will
    /// find the work.
    pub(crate) fn leave_for_work(&self, machine: MachineId) -> Leave {
        let mut lists = lock(&self.lists);
        if !lists.rests(machine) {
            lists.remove(machine);
            return Leave::Handed;
        }
        let permit = self.take_permit(&mut lists);
        if permit.is_some() {
            lists.remove(machine);
        }
        permit.map_or(Leave::Without, Leave::Permit)
    }

    /// The driver left the reactor by itself.
    pub(crate) fn leave_reactor(&self, machine: MachineId) -> Leave {
        let mut lists = lock(&self.lists);
        let rests = lists.rests(machine);
        lists.remove(machine);
        if !rests {
            return Leave::Handed;
        }
        self.take_permit(&mut lists).map_or(Leave::Without, Leave::Permit)
    }

    /// A parked machine has had nothing to do for long. `true`: it is off the list and ends.
    #[must_use]
    pub(crate) fn retire_parked(&self, machine: MachineId) -> bool {
        let mut lists = lock(&self.lists);
        let parked = lists.parked.contains(&machine);
        if parked {
            lists.remove(machine);
        }
        parked
    }

    /// A machine in the middle of a poll wants a permit: an idle one at once, or none and it waits in the queue.
    /// `Handed` while the runtime stops: go on without.
    pub(crate) fn want_permit(&self, machine: MachineId) -> Leave {
        let mut lists = lock(&self.lists);
        if let Some(permit) = self.take_permit(&mut lists) {
            return Leave::Permit(permit);
        }
        if lists.stopping {
            return Leave::Handed;
        }
        lists.waiting.push_back(machine);
        self.waiting.store(lists.waiting.len(), Ordering::Relaxed);
        Leave::Without
    }

    /// A permit that is not needed: it is withdrawn, given to a machine that waits, or idle.
    pub(crate) fn give_back(&self, permit: Permit) -> Option<Wakeup> {
        self.release(&mut lock(&self.lists), permit)
    }

    /// Does a machine wait for a permit? A hint.
    pub(crate) fn anyone_waits(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) != 0
    }

    /// The first machine that waits, to be given the caller's permit.
    pub(crate) fn next_waiting(&self, permit: Permit) -> Option<Wakeup> {
        let mut lists = lock(&self.lists);
        self.pop_waiting(&mut lists).map(|machine| Wakeup::Waiting(machine, permit))
    }

    /// A thread was to be started and was not: its permit is idle again.
    pub(crate) fn not_started(&self, machine: MachineId, permit: Permit) {
        let mut lists = lock(&self.lists);
        lists.end(machine);
        self.make_idle(&mut lists, permit);
        drop(lists);
        self.give_up();
    }

    /// A machine's thread ends.
    pub(crate) fn ended(&self, machine: MachineId) {
        lock(&self.lists).end(machine);
    }

    /// No more rests: all machines that rest or wait now, for the caller to wake.
    pub(crate) fn stop(&self) -> Vec<MachineId> {
        let mut lists = lock(&self.lists);
        lists.stopping = true;
        lists.wake_monitor();
        self.waiting.store(0, Ordering::Relaxed);
        let mut all = std::mem::take(&mut lists.parked);
        all.extend(lists.driver.take().map(|driver| driver.machine));
        all.extend(lists.waiting.drain(..));
        all
    }

    /// May the monitor (the calling thread) sleep until a permit is taken? Decided under the lock through which permits
    /// are taken, so that no taker is missed. It is unparked then, or when the runtime stops.
    pub(crate) fn monitor_may_sleep(&self) -> bool {
        let mut lists = lock(&self.lists);
        let idle = lists.permits.len() == self.procs() && lists.driver.is_some() && lists.waiting.is_empty();
        let may = idle && !lists.stopping;
        lists.monitor = may.then(thread::current);
        may
    }

    /// Whether the monitor still has reason to sleep.
    pub(crate) fn monitor_asleep(&self) -> bool {
        lock(&self.lists).monitor.is_some()
    }

    /// Permits not in use.
    pub(crate) fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    pub(crate) fn has_driver(&self) -> bool {
        lock(&self.lists).driver.is_some()
    }

    pub(crate) fn census(&self) -> Census {
        lock(&self.lists).census(self.searching.load(Ordering::Relaxed))
    }

    pub(crate) fn whereabouts(&self) -> Whereabouts {
        lock(&self.lists).whereabouts()
    }

    fn take_permit(&self, lists: &mut Lists) -> Option<Permit> {
        let permit = lists.permits.pop()?;
        self.idle.store(lists.permits.len(), Ordering::Relaxed);
        lists.wake_monitor();
        Some(permit)
    }

    /// Gives `permit` to a waiting machine, or to nobody.
    fn release(&self, lists: &mut Lists, permit: Permit) -> Option<Wakeup> {
        if !self.withdrew(lists, permit) {
            if let Some(machine) = self.pop_waiting(lists) {
                return Some(Wakeup::Waiting(machine, permit));
            }
            self.make_idle(lists, permit);
        }
        None
    }

    fn make_idle(&self, lists: &mut Lists, permit: Permit) {
        lists.permits.push(permit);
        self.idle.store(lists.permits.len(), Ordering::Relaxed);
    }

    /// Withdraws a permit that was given up, if there are too many.
    fn withdrew(&self, lists: &mut Lists, permit: Permit) -> bool {
        let withdraws = self.withdraws();
        if withdraws {
            lists.withdrawn.push(permit);
        }
        withdraws
    }

    /// Is one more to be withdrawn? Counts it. Under the lock, so a load and a store.
    fn withdraws(&self) -> bool {
        let surplus = self.surplus.load(Ordering::Relaxed);
        self.surplus.store(surplus.saturating_sub(1), Ordering::Relaxed);
        surplus != 0
    }

    fn pop_waiting(&self, lists: &mut Lists) -> Option<MachineId> {
        let machine = lists.waiting.pop_front()?;
        self.waiting.store(lists.waiting.len(), Ordering::Relaxed);
        Some(machine)
    }

    /// Finds a machine for `permit`; makes it idle if there is none. The parked come before the driver, for waking the
    /// driver leaves the sockets alone.
    fn place(&self, lists: &mut Lists, permit: Permit) -> Option<Wakeup> {
        if lists.stopping {
            return None;
        }
        if let Some(machine) = lists.parked.pop() {
            return Some(Wakeup::Parked(machine, permit));
        }
        if let Some(driver) = lists.driver.as_mut().filter(|driver| !driver.called) {
            driver.called = true;
            return Some(Wakeup::Driver(driver.machine, permit));
        }
        if let Some(machine) = lists.start() {
            return Some(Wakeup::Start(machine, permit));
        }
        self.make_idle(lists, permit);
        None
    }
}

#[cfg(all(test, not(tidemill_loom)))]
mod tests;

#[cfg(all(test, tidemill_loom))]
mod models;
