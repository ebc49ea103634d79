//! What the pool's handle, its leases and its tasks share, and how what the core leaves to do is carried out.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use tidemill_clock::SharedClock;
use tidemill_context::{Cause, Context};
use tokio::{sync::Notify, time::Instant};

use super::{
    Validate,
    close::bury,
    common::Seat,
    core::{Core, Limits},
    create::{Place, make},
    entry::Entry,
    error::{CreateError, GetError},
    holders::{Detail, Holder},
    homes::Apart,
    manager::Manager,
    members::Members,
    outcome::{Placed, Todo},
    stats::CloseReason,
};
use crate::Spawner;

/// A user's function that is told of a suspected leak.
pub(super) type OnLeak = Box<dyn Fn(&Holder) + Send + Sync>;

/// The times a pool obeys, and its hook; fixed when it is built.
pub(super) struct Rules {
    pub(super) acquire_timeout: Option<Duration>,
    pub(super) step_timeout: Duration,
    pub(super) validate: Validate,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_life: Option<Duration>,
    pub(super) life_jitter: f64,
    pub(super) keep_alive: Option<Duration>,
    /// The first pause after a failed create, and the longest.
    pub(super) backoff: (Duration, Duration),
    pub(super) leak_after: Option<Duration>,
    pub(super) on_leak: Option<OnLeak>,
    pub(super) detail: Detail,
    pub(super) clock: SharedClock,
}

/// Owned by an `Arc` in the pool's handle, in each lease, and in each task that makes or closes a resource.
pub(super) struct Shared<M: Manager> {
    pub(super) manager: M,
    pub(super) spawner: Spawner,
    pub(super) rules: Rules,
    /// Apart from the rules, which each get only reads.
    core: Apart<Mutex<Core<M::Resource>>>,
    last_create_error: Mutex<Option<Arc<CreateError<M::Error>>>>,
    chance: Mutex<fastrand::Rng>,
    /// The others under the bound of a keyed pool, and our number there.
    members: Option<(Arc<Members<M>>, u64)>,
    /// Told when the pool is closed; ends pauses.
    pub(super) closing: Notify,
    /// Told when the closed pool has nothing left.
    pub(super) over: Notify,
}

impl<M: Manager> Shared<M> {
    pub(super) fn new(
        manager: M,
        spawner: Spawner,
        (limits, rules): (Limits, Rules),
        chance: fastrand::Rng,
        members: Option<Arc<Members<M>>>,
    ) -> Arc<Self> {
        let seat = members.as_ref().map(|members| members.seat());
        let members = members.zip(seat.as_ref().map(Seat::pool));
        let shared = Arc::new(Self {
            manager,
            spawner,
            rules,
            core: Apart(Mutex::new(Core::new(limits, seat))),
            last_create_error: Mutex::new(None),
            chance: Mutex::new(chance),
            members,
            closing: Notify::new(),
            over: Notify::new(),
        });
        if let Some((members, pool)) = &shared.members {
            members.enter(*pool, &shared);
        }
        shared
    }

    /// No user code runs under the lock but the cloning of wakers, so poison means nothing.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core<M::Resource>> {
        self.core.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what a step of the core has left to do. The lock must be free.
    #[inline]
    pub(super) fn carry_out(self: &Arc<Self>, todo: Todo) {
        if !todo.is_nothing() {
            self.carry_out_some(todo);
        }
    }

    #[cold]
    fn carry_out_some(self: &Arc<Self>, todo: Todo) {
        let unsettled = todo.unsettled;
        self.carry_out_here(todo);
        if let (true, Some((members, _))) = (unsettled, &self.members) {
            members.settle();
        }
    }

    fn carry_out_here(self: &Arc<Self>, todo: Todo) {
        drop(todo.spent);
        todo.wake.into_iter().for_each(Waker::wake);
        for _ in 0..todo.creates {
            self.spawn(make(Place::new(Arc::clone(self))));
        }
        if todo.over {
            self.over.notify_waiters();
        }
    }

    /// Makes what there is room for now. What it leaves unsettled is the caller's to settle.
    pub(super) fn ask_again(self: &Arc<Self>) {
        let todo = self.lock().todo(None);
        self.carry_out_here(todo);
    }

    /// Closes the resource that is idle for longest, if another pool needs its place. The caller settles what is left.
    pub(super) fn make_room(self: &Arc<Self>) {
        let (placed, todo) = self.lock().make_room();
        placed.into_iter().for_each(|placed| self.settle(placed));
        self.carry_out_here(todo);
    }

    /// Starts a task of the pool's own. It is no part of what the caller does, so it does not end with the caller's context.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        Context::without_current(|| self.spawner.spawn(task));
    }

    /// Carries out what became of a resource. The lock must be free.
    pub(super) fn settle(self: &Arc<Self>, placed: Placed<M::Resource>) {
        match placed {
            Placed::Kept(todo) => self.carry_out(todo),
            Placed::Condemned(entry, todo) => {
                bury(self, entry, true);
                self.carry_out(todo);
            }
            Placed::Stray(entry) => bury(self, entry, false),
        }
    }

    /// A user returns a resource.
    pub(super) fn give_back(
        self: &Arc<Self>,
        entry: Box<Entry<M::Resource>>,
        used: bool,
        verdict: Option<CloseReason>,
    ) {
        let verdict = verdict.or_else(|| self.broken(&entry.resource));
        let now = self.now();
        let placed = self.lock().put(entry, used, verdict, now);
        self.settle(placed);
    }

    /// The manager's opinion on return; a manager that panics on it, or a user that does, has spoiled it.
    fn broken(&self, resource: &M::Resource) -> Option<CloseReason> {
        let broken = || self.manager.is_broken(resource);
        let broken = std::thread::panicking() || catch_unwind(AssertUnwindSafe(broken)).unwrap_or(true);
        broken.then_some(CloseReason::Broken)
    }

    pub(super) fn close(self: &Arc<Self>) {
        let (idle, wakers, todo) = self.lock().close();
        wakers.into_iter().for_each(Waker::wake);
        idle.into_iter().for_each(|placed| self.settle(placed));
        self.carry_out(todo);
        self.closing.notify_waiters();
    }

    /// The present on the pool's clock.
    pub(super) fn now(&self) -> Instant {
        self.rules.clock.instant().into()
    }

    /// When a resource made now is to be replaced.
    pub(super) fn end_of_life(&self, now: Instant) -> Option<Instant> {
        let life = self.rules.max_life?;
        let shortened = 1.0 - self.rules.life_jitter * self.chance();
        now.checked_add(life.mul_f64(shortened))
    }

    /// A number from 0 to below 1.
    pub(super) fn chance(&self) -> f64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }

    pub(super) fn note_create_error(&self, error: Option<CreateError<M::Error>>) {
        let count = u64::from(error.is_some());
        let replaced = std::mem::replace(&mut *self.last_error(), error.map(Arc::new));
        drop(replaced); // the user's destructor, outside of the lock
        self.lock().counts.create_failures += count;
    }

    pub(super) fn cancelled(&self, cause: Cause, waited: Duration) -> GetError<M::Error> {
        GetError::Cancelled { cause, waited, last_create_error: self.last_error().clone() }
    }

    /// Why one that does not wait got nothing.
    pub(super) fn in_vain(&self) -> GetError<M::Error> {
        if self.lock().closed { GetError::Closed } else { self.timed_out(Duration::ZERO) }
    }

    pub(super) fn timed_out(&self, waited: Duration) -> GetError<M::Error> {
        self.lock().counts.timeouts += 1;
        GetError::Timeout { waited, last_create_error: self.last_error().clone() }
    }

    fn last_error(&self) -> MutexGuard<'_, Option<Arc<CreateError<M::Error>>>> {
        self.last_create_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Manager> Drop for Shared<M> {
    fn drop(&mut self) {
        if let Some((members, pool)) = &self.members {
            members.leave(*pool);
        }
    }
}
