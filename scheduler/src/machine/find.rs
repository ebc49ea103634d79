//! The search for the next task, in Go's order: own slot, own queue, injector, the others' queues; of these, first those
//! of machines that lost their permit.
//!
//! A task that is runnable is picked after a bounded number of other picks:
//! - in the injector, or in the queue of a machine that lost its permit: every 61st pick looks there first, in turn;
//! - in the own queue: `runnext` goes first at most three times in a row;
//! - in another machine's queue: whenever any machine has nothing of its own.

use std::iter;

use crossbeam_deque::Steal;

use super::{Local, Machine, Thieves, count};
use crate::limits::{INJECTOR_BATCH, RUNNEXT_CHAIN, STEAL_PASSES, STEAL_PAUSE};
use crate::task::Task;
use crate::watch::What;

impl Local {
    /// The next task. `outside_first` on every 61st pick.
    pub(super) fn find(&self, outside_first: bool) -> Option<Task> {
        let outside = if outside_first { self.outside() } else { None };
        let found = outside.or_else(|| self.own()).or_else(|| self.injected());
        found.or_else(|| self.stranded()).or_else(|| self.search())
    }

    /// From the injector or from a stranded machine, in turn.
    fn outside(&self) -> Option<Task> {
        let stranded_first = !self.stranded_first.get();
        self.stranded_first.set(stranded_first);
        if stranded_first {
            self.stranded().or_else(|| self.injected_one())
        } else {
            self.injected_one().or_else(|| self.stranded())
        }
    }

    /// Half of the queue of a machine that lost its permit; the first of it.
    fn stranded(&self) -> Option<Task> {
        let shared = self.shared();
        shared.stranded.take(|id| {
            let Thieves { next, queue } = &shared.known(id)?.thieves;
            next.take().or_else(|| self.queue.steal(queue))
        })
    }

    /// From the own slot or queue.
    fn own(&self) -> Option<Task> {
        if self.chain.get() == RUNNEXT_CHAIN {
            self.chain.set(0);
            return self.queue.pop().or_else(|| self.machine.thieves.next.take());
        }
        if let Some(task) = self.machine.thieves.next.take() {
            self.chain.set(self.chain.get() + 1);
            return Some(task);
        }
        self.chain.set(0);
        self.queue.pop()
    }

    fn injected_one(&self) -> Option<Task> {
        persist(|| self.shared().injector.steal())
    }

    /// A batch from the injector; the first of it.
    fn injected(&self) -> Option<Task> {
        let injector = &self.shared().injector;
        if injector.is_empty() {
            return None;
        }
        for _ in 1..INJECTOR_BATCH {
            let Some(task) = self.injected_one() else { break };
            self.queue.push(task);
        }
        self.queue.pop()
    }

    /// Looks through the others' queues, a few times, unless enough machines do, or no other one runs.
    fn search(&self) -> Option<Task> {
        if self.peers().next().is_none() || !self.searching.get() && !self.shared().roster.begin_search() {
            return None;
        }
        self.searching.set(true);
        count(&self.machine.counters.searches);
        for pass in 1..=STEAL_PASSES {
            let task = self.stolen().or_else(|| self.injected());
            if task.is_some() {
                return task;
            }
            if pass < STEAL_PASSES {
                pause();
            }
        }
        self.stolen_next()
    }

    /// Half of the first queue that is not empty, from a random start; the first of it.
    fn stolen(&self) -> Option<Task> {
        let task = self.peers().find_map(|peer| {
            let queue = &peer.thieves.queue;
            if queue.len() == 0 { None } else { self.queue.steal(queue) }
        })?;
        count(&self.machine.counters.steals);
        self.note(What::Steal { tasks: self.queue.len() as u32 + 1 });
        Some(task)
    }

    /// The slot of a machine that stays in one poll while we watch. The others are about to run theirs.
    fn stolen_next(&self) -> Option<Task> {
        self.peers().filter(|peer| !peer.thieves.next.is_empty()).find_map(|peer| {
            let before = peer.activity();
            pause();
            let stays = before.in_poll() && peer.activity() == before;
            if stays { peer.thieves.next.take() } else { None }
        })
    }

    /// The machines that hold permits, but this one, from a random start.
    fn peers(&self) -> impl Iterator<Item = &Machine> {
        let most = self.shared().permits();
        let start = self.below(most);
        let holders = (0..most).filter_map(move |i| self.shared().holder((start + i) % most));
        holders.filter(|peer| peer.id != self.machine.id)
    }
}

/// A microsecond or so in which a running machine may push something.
fn pause() {
    for _ in 0..STEAL_PAUSE {
        std::hint::spin_loop();
    }
}

/// Steals until it is clear whether there is something.
fn persist(mut steal: impl FnMut() -> Steal<Task>) -> Option<Task> {
    iter::repeat_with(&mut steal).find(|s| !s.is_retry()).and_then(Steal::success)
}
