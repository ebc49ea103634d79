//! The monitor (Go's sysmon): a thread without a permit that looks after the others.
//!
//! Each round, between naps of 20 us to 1 ms, it
//! 1. sees to the reactor, if nobody was inside for 10 ms (`deputy.rs`);
//! 2. wakes a machine, if a permit is idle while a task waits for more than its machine's next pick;
//! 3. takes the permit from every machine that is stuck in a poll, if other work waits;
//! 4. once a second, reads the CPU limit again and lets the runtime grow or shrink.
//!
//! A machine is stuck if two rounds see it in the same poll and
//! - it is in a region marked by [`blocking`](crate::blocking): at once;
//! - its thread has used no CPU for `blocked_after` (1 ms), and sleeps: it is *blocked* in the kernel;
//! - the poll has used the CPU for a `slice` (10 ms): it is *burning*. It keeps its permit while other machines turn over;
//!   only its queue is made theirs, a little each round.
//!
//! A thread that has had neither sleep nor CPU is none of these: the computer is crowded, and one more thread would
//! not help.
//!
//! The nap starts at 20 us and doubles after 50 rounds without a finding; while every permit is idle it is the longest.
//! After two of these, and if a driver is in the reactor, the monitor sleeps until a permit is taken. And if every permit is in use
//! when the nap has become the longest, it sleeps until a machine does not come round (`watchdog.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_cgroup::Watcher;

use crate::current;
use crate::deputy::Deputy;
use crate::limits::{
    DRIVER_GAP, MONITOR_IDLE_NAPS, MONITOR_NAP_MAX, MONITOR_NAP_MIN, MONITOR_QUIET_NAPS, RELIEF_BATCH, RESIZE_INTERVAL,
    STARVED_AFTER,
};
use crate::machine::{Activity, Machine};
use crate::roster::{MachineId, Permit};
use crate::runtime::{Handle, Options, Shared, procs};
use crate::sync::{Ordering, thread};
use crate::vitals::nap_precisely;
use crate::watch::{Trace, What};

/// Why a permit was retaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// In a marked region.
    Marked,
    /// In the kernel, unmarked.
    Blocked,
    /// On the CPU, past its slice.
    Burning,
}

/// A machine that was seen in a poll.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    machine: MachineId,
    activity: Activity,
    /// When its CPU clock was read first, and what it said.
    cpu: Option<(Instant, Duration)>,
}

#[derive(Debug)]
pub(crate) struct Monitor {
    shared: Arc<Shared>,
    /// The CPU limit, if the runtime follows it.
    watcher: Option<Watcher>,
    /// When it was read last.
    sized: Instant,
    /// Goes into the reactor in its stead, once that was needed.
    deputy: Option<Deputy>,
    /// The last sighting for each permit.
    sightings: Vec<Option<Sighting>>,
    /// The lines of `TIDEMILL_SCHEDTRACE`, if they are wanted.
    trace: Option<Trace>,
    /// Machines whose permit was retaken, with the poll it was retaken from.
    stranded: Vec<(MachineId, Activity)>,
    /// Since when work has waited for a thread that may not be started.
    starved: Option<Instant>,
    /// That has been said.
    warned: bool,
    nap: Duration,
    quiet: u32,
    idle: u32,
}

/// Starts the monitor of a runtime.
pub(crate) fn start(shared: &Arc<Shared>, watcher: Option<Watcher>) -> std::io::Result<()> {
    let mut monitor = Monitor::new(Arc::clone(shared), watcher);
    let name = format!("{}-monitor", shared.options.thread_name);
    thread::Builder::new().name(name).spawn(move || monitor.run()).map(drop)
}

impl Monitor {
    fn new(shared: Arc<Shared>, watcher: Option<Watcher>) -> Self {
        let sightings = vec![None; shared.permits()];
        let trace = shared.options.trace.map(|every| Trace::new(every, Instant::now()));
        Self {
            shared,
            watcher,
            sized: Instant::now(),
            deputy: None,
            sightings,
            trace,
            stranded: Vec::new(),
            starved: None,
            warned: false,
            nap: MONITOR_NAP_MIN,
            quiet: 0,
            idle: 0,
        }
    }

    fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let _reactor = shared.reactor.enter();
        // It takes turns in the reactor, where tasks of tokio's may spawn.
        let _handle = current::enter(Handle::new(Arc::clone(&shared)));
        nap_precisely();
        shared.cpus.keep();
        while !shared.is_stopping() {
            let found = self.round(Instant::now());
            self.pace(found);
            self.sleep();
        }
    }

    /// One look at everything; whether there was something to do.
    fn round(&mut self, now: Instant) -> bool {
        self.shared.watch.tick();
        self.shared.monitor_rounds.fetch_add(1, Ordering::Relaxed);
        let drove = self.see_to_the_reactor();
        self.recheck_stranded();
        let woke = self.sweep(now);
        let retook = self.retake_stuck(now);
        self.resize(now);
        if let Some(trace) = &mut self.trace {
            trace.turn(&self.shared, now);
        }
        drove | woke | retook
    }

    fn pace(&mut self, found: bool) {
        let all_idle = self.shared.roster.idle() == self.shared.roster.procs() && self.stranded.is_empty();
        self.idle = if all_idle { self.idle + 1 } else { 0 };
        self.quiet = if found { 0 } else { self.quiet + 1 };
        self.nap = match self.quiet {
            0 => MONITOR_NAP_MIN,
            _ if all_idle => MONITOR_NAP_MAX,
            quiet if quiet > MONITOR_QUIET_NAPS => (self.nap * 2).min(MONITOR_NAP_MAX),
            _ => self.nap,
        };
    }

    fn sleep(&mut self) {
        if self.all_turn_over() && self.sleep_on_watch() {
            return;
        }
        let roster = &self.shared.roster;
        if self.idle < MONITOR_IDLE_NAPS || self.nap < MONITOR_NAP_MAX || !roster.monitor_may_sleep() {
            return nap(self.nap);
        }
        while roster.monitor_asleep() && !self.shared.is_stopping() {
            match &mut self.trace {
                None => thread::park(),
                Some(trace) => trace.park(&self.shared),
            }
        }
        (self.idle, self.quiet, self.nap) = (0, 1, MONITOR_NAP_MIN);
    }

    /// Every permit is in use, and nothing was stuck for a while.
    fn all_turn_over(&self) -> bool {
        let undisturbed = self.trace.is_none() && self.stranded.is_empty() && self.starved.is_none();
        undisturbed && self.nap == MONITOR_NAP_MAX && self.shared.roster.idle() == 0 && !self.shared.is_stopping()
    }

    /// Sleeps until a machine does not come round, or the limit is to be read again; `false` if that is not possible here.
    fn sleep_on_watch(&self) -> bool {
        let Shared { watchdog, reactor, .. } = &*self.shared;
        let most = RESIZE_INTERVAL.saturating_sub(self.sized.elapsed());
        watchdog.sleep(reactor.now(), most, |permit| self.shared.holder(permit).is_some())
    }

    /// Nobody was in the reactor for long: sends a machine if one is free, else goes itself.
    fn see_to_the_reactor(&mut self) -> bool {
        let Shared { reactor, roster, .. } = &*self.shared;
        if reactor.is_busy() || reactor.since_turn_ns() < DRIVER_GAP.as_nanos() as u64 {
            return false;
        }
        if roster.idle() == 0 || roster.has_driver() {
            self.turn();
            return false;
        }
        self.shared.wake_one()
    }

    /// A turn of the reactor, which must not hold the monitor up.
    fn turn(&mut self) {
        let shared = &self.shared;
        if self.deputy.is_none() && shared.reactor.foreign_tasks() != 0 {
            self.deputy = Deputy::start(shared).ok();
        }
        match &self.deputy {
            Some(deputy) => deputy.turn(),
            None => shared.reactor.turn(),
        }
    }

    /// An idle permit beside a task that waits: wakes a machine. It catches what a fence-less push may have missed, and the
    /// next task of a machine that stays in its poll.
    fn sweep(&mut self, now: Instant) -> bool {
        let shared = &self.shared;
        let wanted = shared.roster.wants_wake() && self.sees_waiting();
        let woke = wanted && shared.wake_one();
        self.starved = self.starved.take().filter(|_| wanted && !woke);
        if wanted && !woke {
            self.starve(now);
        }
        woke
    }

    /// Does a task wait for more than its machine's next pick? The one that is next, in the slot or alone in the queue, does
    /// so only if the machine is where it was a round ago.
    fn sees_waiting(&self) -> bool {
        let shared = &self.shared;
        let on_a_machine = self.sightings.iter().enumerate().any(|(permit, seen)| {
            shared.holder(permit).is_some_and(|machine| {
                let stays = || seen.is_some_and(|s| s.machine == machine.id && s.activity == machine.activity());
                match machine.thieves.queue.len() {
                    0 => !machine.thieves.next.is_empty() && stays(),
                    1 => stays(),
                    _ => true,
                }
            })
        });
        on_a_machine || shared.has_outside_work()
    }

    /// A permit is idle, work waits, and no thread may be started.
    fn starve(&mut self, now: Instant) {
        let since = *self.starved.get_or_insert(now);
        let Options { max_threads, thread_name, .. } = &self.shared.options;
        if now - since >= STARVED_AFTER && !std::mem::replace(&mut self.warned, true) {
            eprintln!(
                "tidemill: runtime {thread_name:?}: all {max_threads} threads are blocked, and tasks wait. They go on \
                 when a thread returns. If none can, because each waits for a task that waits, this is for ever: raise \
                 Builder::max_threads, or use .await instead of block_on."
            );
        }
    }

    /// A push that raced with a retake may lie in a queue that was empty, and forgotten, before. Until the end of that
    /// poll: the machine may enter a region in it, behind the push, and wait there for what it has pushed.
    fn recheck_stranded(&mut self) {
        let shared = &self.shared;
        self.stranded.retain(|&(id, activity)| {
            shared.known(id).is_some_and(|machine| {
                let stuck = machine.permit().is_none() && machine.activity().tick == activity.tick;
                if stuck && (machine.has_queued() || !machine.thieves.next.is_empty()) {
                    shared.stranded.add(id);
                }
                stuck
            })
        });
    }

    /// Follows the CPU limit.
    fn resize(&mut self, now: Instant) {
        if now - self.sized < RESIZE_INTERVAL {
            return;
        }
        self.sized = now;
        if let Some(limit) = self.watcher.as_mut().and_then(Watcher::poll) {
            self.shared.resize(procs(&limit));
            self.shared.watch.note(What::Resize { procs: self.shared.roster.procs() as u32 });
        }
    }

    fn retake_stuck(&mut self, now: Instant) -> bool {
        let looks: Vec<Look> = (0..self.sightings.len()).map(|permit| self.look_at(permit, now)).collect();
        let some_move = looks.contains(&Look::Moves);
        let mut retook = false;
        for (permit, look) in looks.into_iter().enumerate() {
            match look {
                Look::Stuck(Stuck::Burning) if some_move => self.relieve(permit),
                Look::Stuck(stuck) => retook |= self.retake(permit, stuck),
                Look::Moves | Look::Stays => {}
            }
        }
        retook
    }

    /// Compares the holder of `permit` with the last sighting, and keeps the new one for the next round.
    fn look_at(&mut self, permit: usize, now: Instant) -> Look {
        let Some(machine) = self.shared.holder(permit) else {
            self.sightings[permit] = None;
            return Look::Moves;
        };
        let activity = machine.activity();
        let seen = &mut self.sightings[permit];
        if let Some(seen) = seen.as_mut().filter(|seen| seen.machine == machine.id && seen.activity == activity) {
            let stuck = seen.verdict(machine, now, &self.shared.options);
            return stuck.map_or(Look::Stays, Look::Stuck);
        }
        // With long naps the clock is read at the first sighting, so that the second can judge by it.
        let clock = activity.in_poll() && self.nap == MONITOR_NAP_MAX;
        let cpu = if clock { machine.cpu_time().map(|t| (now, t)) } else { None };
        *seen = activity.in_poll().then_some(Sighting { machine: machine.id, activity, cpu });
        Look::Moves
    }

    /// Takes the permit from a stuck machine, if other work waits.
    fn retake(&mut self, permit: usize, stuck: Stuck) -> bool {
        let shared = &self.shared;
        let Some(machine) = shared.holder(permit).filter(|_| shared.work_waits()) else { return false };
        if !shared.retake(machine, permit as Permit) {
            return false;
        }
        self.sightings[permit] = None;
        self.stranded.push((machine.id, machine.activity()));
        shared.retaken(machine, permit as Permit, stuck);
        true
    }

    /// A machine burns while others turn over: one thread more would only crowd the CPUs. The first tasks of its queue
    /// move to where the others look, for they may never be short of work of their own, and so never steal.
    fn relieve(&self, permit: usize) {
        if let Some(machine) = self.shared.holder(permit) {
            self.shared.relieve(machine, RELIEF_BATCH);
            self.shared.watch.note(What::Relieve { machine: machine.id });
        }
    }
}

/// What a round sees of the holder of a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It is not where it was, or the permit is idle: work that waits gets its turn.
    Moves,
    /// In the same poll as a round ago, which proves nothing yet.
    Stays,
    /// Stuck in a poll.
    Stuck(Stuck),
}

#[cfg(not(tidemill_shuttle))]
fn nap(duration: Duration) {
    thread::park_timeout(duration);
}

/// shuttle's clock stands still. Several rounds without a nap between them stand for a thread that has no CPU meanwhile.
#[cfg(tidemill_shuttle)]
fn nap(_duration: Duration) {
    if crate::schedules::one_in(4) {
        thread::yield_now();
    }
}

impl Sighting {
    fn verdict(&mut self, machine: &Machine, now: Instant, options: &Options) -> Option<Stuck> {
        if self.activity.in_region() {
            return Some(Stuck::Marked);
        }
        self.measured(machine, now, options)
    }

    /// shuttle's clock stands still.
    #[cfg(tidemill_shuttle)]
    fn measured(&mut self, _machine: &Machine, _now: Instant, _options: &Options) -> Option<Stuck> {
        crate::schedules::verdict()
    }

    #[cfg(not(tidemill_shuttle))]
    fn measured(&mut self, machine: &Machine, now: Instant, options: &Options) -> Option<Stuck> {
        let used = machine.cpu_time();
        let (at, before) = *self.cpu.get_or_insert((now, used?));
        let (wall, cpu) = (now - at, used?.saturating_sub(before));
        // A quarter, not nothing: the poll may have slept in the middle of its first look.
        if wall >= options.blocked_after && cpu < wall / 4 && machine.sleeps() {
            return Some(Stuck::Blocked);
        }
        (cpu >= options.slice).then_some(Stuck::Burning)
    }
}
