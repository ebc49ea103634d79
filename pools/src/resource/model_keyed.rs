//! Every sequence of steps up to a length, against two pools under one common bound: neither bound is ever passed, no waiter is
//! forgotten in any pool, and nothing is left.
//!
//! As in `model.rs` an interleaving is a sequence of steps under locks. What is done between two locks is a step of its own here: a
//! thread that has to settle the bound does so in as many steps as it takes locks, and anything may come between.

use std::{
    panic::{AssertUnwindSafe, Location, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    common::{Common, Next, Seat},
    core::{Core, IdleOrder, Limits},
    entry::Entry,
    holders::{Detail, Who},
    outcome::{Placed, Standing, Todo},
    stats::ResourceStats,
};

const POOLS: usize = 2;

/// The callers, and the pool of each.
const CALLERS: [usize; 4] = [0, 0, 1, 1];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A caller takes a resource or joins the line; in line, it looks.
    Poll(usize),
    /// A caller gives up its wait, or returns what it has.
    Leave(usize),
    Created(usize),
    /// A create failed, and is tried again only if it is still needed.
    Failed(usize),
    /// The runtime of a create is gone.
    Lost(usize),
    Buried(usize),
    /// One of the threads that settle the bound takes its next lock.
    Settle,
    Shrink,
    Grow,
    Expire(usize),
    Forfeit(usize),
    Close(usize),
}

const STEPS: [Step; 23] = {
    use Step::*;
    [
        Poll(0),
        Poll(2),
        Poll(1),
        Poll(3),
        Leave(0),
        Leave(2),
        Leave(1),
        Leave(3),
        Created(0),
        Created(1),
        Buried(0),
        Buried(1),
        Settle,
        Failed(0),
        Failed(1),
        Shrink,
        Grow,
        Expire(0),
        Forfeit(1),
        Close(0),
        Close(1),
        Lost(0),
        Lost(1),
    ]
};

/// Counts rings; relaxed, as all is played on one thread.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[derive(Default)]
struct Caller {
    bell: Arc<Bell>,
    key: Option<u64>,
    in_line: bool,
    heard: usize,
    has: Option<Box<Entry<()>>>,
}

struct Pool {
    core: Core<()>,
    making: usize,
    #[expect(clippy::vec_box, reason = "the pool hands them over boxed")]
    burying: Vec<Box<Entry<()>>>,
    lost: bool,
}

struct World {
    common: Arc<Common>,
    pools: Vec<Pool>,
    callers: [Caller; CALLERS.len()],
    /// Threads that settle the bound, and what one of them has found to be idle for longest.
    settling: usize,
    found: Option<usize>,
    now: Instant,
    max_total: usize,
    was_shrunk: bool,
}

impl World {
    fn new(min_idle: usize, max_total: usize) -> Self {
        let limits = Limits { max: 2, min_idle, at_once: 2, max_waiting: 9, order: IdleOrder::Lifo };
        let common = Arc::new(Common::new(max_total));
        let pool = |_| {
            let core = Core::new(limits, Some(Seat::new(&common)));
            Pool { core, making: 0, burying: Vec::new(), lost: false }
        };
        let pools = (0..POOLS).map(pool).collect();
        let mut world = Self {
            common,
            pools,
            callers: Default::default(),
            settling: 0,
            found: None,
            now: Instant::now(),
            max_total,
            was_shrunk: false,
        };
        for pool in 0..POOLS {
            let todo = world.pools[pool].core.todo(None);
            world.carry_out(pool, todo);
        }
        world
    }

    fn carry_out(&mut self, pool: usize, todo: Todo) {
        todo.wake.into_iter().for_each(Waker::wake);
        self.pools[pool].making += todo.creates;
        self.settling += usize::from(todo.unsettled);
    }

    fn place(&mut self, pool: usize, placed: Option<Placed<()>>, todo: Todo) {
        match placed {
            Some(Placed::Kept(todo)) => self.carry_out(pool, todo),
            Some(Placed::Condemned(entry, todo)) => {
                self.pools[pool].burying.push(entry);
                self.carry_out(pool, todo);
            }
            Some(Placed::Stray(_)) | None => {}
        }
        self.carry_out(pool, todo);
    }

    /// Takes the step if it is possible now.
    fn step(&mut self, step: Step) -> bool {
        self.now += Duration::from_secs(1);
        match step {
            Step::Poll(caller) => self.poll(caller),
            Step::Leave(caller) => self.leave(caller),
            Step::Created(pool) | Step::Failed(pool) | Step::Lost(pool) => {
                self.pools[pool].making > 0 && self.step_of_maker(pool, step)
            }
            Step::Buried(pool) => {
                self.pools[pool].burying.pop().is_some() && {
                    let todo = self.pools[pool].core.buried();
                    self.carry_out(pool, todo);
                    true
                }
            }
            Step::Settle => self.settle(),
            Step::Shrink => self.max_total > 1 && self.resize(self.max_total - 1),
            Step::Grow => self.was_shrunk && self.max_total < 2 && self.resize(2),
            Step::Expire(pool) => {
                let (over, todo) = self.pools[pool].core.expire(Some(Duration::from_secs(2)), self.now);
                self.place_all(pool, over, todo)
            }
            Step::Forfeit(pool) => self.forfeit(pool),
            Step::Close(pool) => {
                !self.pools[pool].core.closed && {
                    let (idle, wakers, todo) = self.pools[pool].core.close();
                    wakers.into_iter().for_each(Waker::wake);
                    self.place_all(pool, idle, todo);
                    true
                }
            }
        }
    }

    fn place_all(&mut self, pool: usize, placed: Vec<Placed<()>>, todo: Todo) -> bool {
        let any = !placed.is_empty();
        placed.into_iter().for_each(|placed| self.place(pool, Some(placed), Todo::default()));
        self.carry_out(pool, todo);
        any
    }

    fn step_of_maker(&mut self, pool: usize, step: Step) -> bool {
        let Pool { core, making, lost, .. } = &mut self.pools[pool];
        if matches!(step, Step::Failed(_)) && core.still_needed() {
            return true; // it pauses, and tries again
        }
        *making -= 1;
        let (placed, todo) = match step {
            Step::Created(_) => (Some(core.created((), None, self.now)), Todo::default()),
            Step::Failed(_) => (None, core.give_up_creating()),
            _ => {
                *lost = true;
                (None, core.lose_creating())
            }
        };
        self.place(pool, placed, todo);
        true
    }

    /// One lock of `Members::settle`.
    fn settle(&mut self) -> bool {
        if self.settling == 0 {
            return false;
        }
        if let Some(pool) = self.found.take() {
            let (placed, todo) = self.pools[pool].core.make_room();
            self.place(pool, placed, Todo { unsettled: false, ..todo });
            self.common.search_on();
            return true;
        }
        match self.common.next() {
            Some(Next::Serve(number)) => {
                let pool = number as usize - 1;
                let todo = self.pools[pool].core.todo(None);
                self.carry_out(pool, Todo { unsettled: false, ..todo });
            }
            Some(Next::Search) => {
                let idle = (0..POOLS).filter_map(|pool| Some((self.pools[pool].core.idle_since()?, pool)));
                self.found = idle.min().map(|(_, pool)| pool);
            }
            None => self.settling -= 1,
        }
        true
    }

    fn resize(&mut self, max: usize) -> bool {
        self.was_shrunk |= max < self.max_total;
        self.max_total = max;
        self.common.set_max(max);
        self.settling += 1;
        true
    }

    fn forfeit(&mut self, pool: usize) -> bool {
        let of_pool =
            |(caller, of): (&Caller, &usize)| (*of == pool).then(|| caller.has.as_ref().map(|entry| entry.id));
        let held = self.callers.iter().zip(&CALLERS).find_map(|both| of_pool(both).flatten());
        let todo = held.and_then(|id| self.pools[pool].core.forfeit(id));
        todo.map(|todo| self.carry_out(pool, todo)).is_some()
    }

    fn poll(&mut self, number: usize) -> bool {
        let (now, pool) = (self.now, CALLERS[number]);
        let (caller, core) = (&mut self.callers[number], &mut self.pools[pool].core);
        if caller.has.is_some() {
            return false;
        }
        let waker = Waker::from(Arc::clone(&caller.bell));
        caller.heard = caller.bell.0.load(Relaxed);
        let key = *caller.key.get_or_insert_with(|| core.arrive());
        let who = Who::new(Location::caller(), Detail::Place);
        let standing = if caller.in_line {
            core.look(key, &who, &waker, now, now)
        } else {
            core.take_or_join(key, &who, &waker, now)
        };
        caller.in_line = matches!(standing, Standing::Waiting(_));
        match standing {
            Standing::Got(entry, todo) => {
                caller.has = Some(entry);
                self.carry_out(pool, todo);
            }
            Standing::Waiting(todo) => self.carry_out(pool, todo),
            Standing::Refused | Standing::Closed(_) => caller.key = None,
        }
        true
    }

    fn leave(&mut self, number: usize) -> bool {
        let (caller, pool) = (&mut self.callers[number], CALLERS[number]);
        let Some(key) = caller.key.take() else { return false };
        let core = &mut self.pools[pool].core;
        let (placed, todo) = match caller.has.take() {
            Some(entry) => (Some(core.put(entry, true, None, self.now)), Todo::default()),
            None if std::mem::take(&mut caller.in_line) => core.leave(key),
            None => (None, Todo::default()),
        };
        self.place(pool, placed, todo);
        true
    }

    fn stats(&self) -> Vec<ResourceStats> {
        self.pools.iter().map(|pool| pool.core.stats()).collect()
    }

    /// What must hold between two steps.
    fn check(&self) {
        let (stats, taken) = (self.stats(), self.common.taken());
        let living = |s: &ResourceStats| s.idle + s.in_use + s.checking + s.closing + s.creating;
        assert_eq!(taken.used, stats.iter().map(living).sum(), "a place without a resource, or the reverse: {stats:?}");
        assert_eq!(taken.leaving, stats.iter().map(|s| s.closing).sum());
        assert!(taken.used <= self.max_total || self.was_shrunk, "above the common bound: {stats:?}");
        assert!(stats.iter().all(|s| living(s) <= 2), "above the bound of a key: {stats:?}");
        for (pool, stats) in stats.iter().enumerate() {
            self.check_line(pool, stats);
        }
        if self.settling == 0 {
            self.check_settled(&stats);
        }
    }

    fn check_line(&self, pool: usize, stats: &ResourceStats) {
        let ours = self.callers.iter().zip(CALLERS).filter(|(caller, of)| *of == pool && caller.in_line);
        let unaware = ours.filter(|(caller, _)| caller.bell.0.load(Relaxed) == caller.heard).count();
        let waiting = if self.pools[pool].core.closed { 0 } else { stats.waiting };
        assert_eq!(unaware, waiting, "a waiter was given something and not woken, or woken for nothing");
        assert!(waiting == 0 || stats.idle == 0, "somebody waits beside an idle resource");
    }

    /// What must hold once nobody is on the way to see to it.
    fn check_settled(&self, stats: &[ResourceStats]) {
        let taken = self.common.taken();
        let in_need = |pool: &Pool, s: &ResourceStats| {
            let free = 2 - (s.idle + s.in_use + s.checking + s.closing + s.creating);
            let counts = !pool.core.closed && !pool.lost;
            if counts { s.waiting.saturating_sub(s.creating).min(free) } else { 0 }
        };
        let need: usize = self.pools.iter().zip(stats).map(|(pool, stats)| in_need(pool, stats)).sum();
        assert!(need == 0 || taken.used >= self.max_total, "a place is free and somebody waits: {stats:?}");
        let going = taken.leaving + self.max_total;
        let idle: usize = stats.iter().map(|s| s.idle).sum();
        assert!(idle == 0 || taken.used + need <= going, "something is idle and somebody needs its place: {stats:?}");
    }

    /// Plays on until nothing moves: whoever has one returns it, and everybody who waits must have been served.
    fn finish(mut self) {
        for _ in 0..60 {
            let mut moved = (0..CALLERS.len()).any(|number| self.callers[number].has.is_some() && self.leave(number));
            for number in 0..CALLERS.len() {
                let caller = &self.callers[number];
                moved |= caller.in_line && caller.bell.0.load(Relaxed) > caller.heard && self.poll(number);
            }
            self.settle_all();
            for pool in 0..POOLS {
                while self.step(Step::Buried(pool)) {
                    moved = true;
                }
                moved |= self.step(Step::Created(pool));
            }
            self.settle_all();
            self.check();
            if !moved {
                break;
            }
        }
        let lost = self.pools.iter().any(|pool| pool.lost);
        let forgotten = self.callers.iter().filter(|caller| caller.in_line).count();
        assert!(forgotten == 0 || lost, "{forgotten} callers wait for ever: {:?}", self.stats());
        self.end();
    }

    fn settle_all(&mut self) {
        let steps = (0..200).take_while(|_| self.step(Step::Settle)).count();
        assert!(steps < 200, "it is never settled");
    }

    /// Closes everything, and sees that nothing is left.
    fn end(mut self) {
        for pool in 0..POOLS {
            self.step(Step::Close(pool));
        }
        for number in 0..CALLERS.len() {
            self.leave(number);
        }
        for pool in 0..POOLS {
            while self.pools[pool].making > 0 {
                self.step(Step::Failed(pool));
            }
            while self.step(Step::Buried(pool)) {}
            assert!(self.pools[pool].core.is_over(), "something is left: {:?}", self.stats());
        }
        let taken = self.common.taken();
        assert_eq!((taken.used, taken.leaving, taken.wanted), (0, 0, 0));
    }
}

fn replay(min_idle: usize, max_total: usize, steps: &[Step]) -> Option<World> {
    let mut world = World::new(min_idle, max_total);
    let possible = steps.iter().all(|step| {
        let taken = world.step(*step);
        world.check();
        taken
    });
    possible.then_some(world)
}

/// Goes through every possible sequence that begins with `steps`; returns how many there are.
fn explore(min_idle: usize, max_total: usize, steps: &mut Vec<Step>, left: u32) -> u64 {
    let played = catch_unwind(|| replay(min_idle, max_total, steps).map(World::finish).is_some());
    let Ok(possible) = played else { panic!("after {steps:?}") };
    if !possible || left == 0 {
        return u64::from(possible);
    }
    let mut sequences = 1;
    for step in STEPS {
        steps.push(step);
        sequences += explore(min_idle, max_total, steps, left - 1);
        steps.pop();
    }
    sequences
}

#[test]
fn every_short_sequence_of_steps_keeps_both_bounds_and_forgets_nobody() {
    for (min_idle, max_total, length) in [(0, 1, 4), (0, 2, 5), (1, 1, 4), (1, 2, 4)] {
        let sequences = explore(min_idle, max_total, &mut Vec::new(), length);
        assert!(sequences > 1_000, "only {sequences} sequences of {length} steps were possible");
    }
}

/// Longer than all can be tried: at random, with the seed in the message.
#[test]
fn long_random_sequences_keep_both_bounds_and_forget_nobody() {
    for seed in 0..1_000 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut world = World::new(chance.usize(..2), chance.usize(1..3));
        let mut taken = Vec::new();
        for _ in 0..60 {
            let step = STEPS[chance.usize(..STEPS.len())];
            let seldom = matches!(step, Step::Close(_) | Step::Lost(_) | Step::Shrink);
            if !seldom || chance.u8(..40) == 0 {
                taken.push(step);
                world.step(step);
            }
            let sound = catch_unwind(AssertUnwindSafe(|| world.check()));
            assert!(sound.is_ok(), "seed {seed}: {taken:?}");
        }
        let ended = catch_unwind(AssertUnwindSafe(|| world.finish()));
        assert!(ended.is_ok(), "seed {seed}: {taken:?}");
    }
}
