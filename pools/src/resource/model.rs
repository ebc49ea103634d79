//! Every sequence of steps up to a length, against the core: never above the maximum, nobody forgotten, nothing lost.
//!
//! All state is behind one lock, so an interleaving of threads *is* a sequence of the core's steps; trying all sequences is
//! trying all interleavings. Two callers, up to two resources, and whoever makes, closes and returns them, are played by
//! [`World`]; after each step it checks the invariants of `core.rs` from outside. (loom could add only what the lock itself
//! guarantees.)

use std::{
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    core::{Core, IdleOrder, Limits},
    entry::Entry,
    holders::{Detail, Who},
    outcome::{Placed, Standing, Todo},
    stats::CloseReason,
};

const CALLERS: usize = 2;

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A caller takes a resource or joins the line; in line, it looks.
    Poll(usize),
    /// A caller gives up its wait, or returns what it has.
    Leave(usize),
    /// A caller finds its resource broken, closes it, and comes back with the place it had.
    Retry(usize),
    Created,
    /// A create failed, and is tried again only if it is still needed.
    Failed,
    /// The runtime of a create is gone.
    Lost,
    Buried,
    Shrink,
    Grow,
    Close,
    Expire,
    Forfeit,
}

const STEPS: [Step; 16] = {
    use Step::*;
    [
        Poll(0),
        Poll(1),
        Leave(0),
        Leave(1),
        Retry(0),
        Retry(1),
        Created,
        Failed,
        Lost,
        Buried,
        Shrink,
        Grow,
        Close,
        Expire,
        Forfeit,
        Step::Poll(CALLERS),
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
    /// The key it arrived with, while it wants a resource or has one.
    key: Option<u64>,
    in_line: bool,
    /// Rings it had heard when it last looked.
    heard: usize,
    has: Option<Box<Entry<()>>>,
}

/// The core, and everybody around it.
struct World {
    core: Core<()>,
    callers: [Caller; CALLERS + 1],
    /// Tasks that make a resource, and tasks that close one.
    making: usize,
    #[expect(clippy::vec_box, reason = "the pool hands them over boxed")]
    burying: Vec<Box<Entry<()>>>,
    /// Resources that their holder still has after they were given up.
    forfeited: usize,
    now: Instant,
    max: usize,
    lost: bool,
    came_back: bool,
}

fn who() -> Who {
    Who::new(Location::caller(), Detail::Place)
}

impl World {
    fn new(min_idle: usize, order: IdleOrder) -> Self {
        let limits = Limits { max: 2, min_idle, at_once: 1, max_waiting: 2, order };
        let mut core = Core::new(limits, None);
        let todo = core.todo(None);
        let mut world = Self {
            core,
            callers: Default::default(),
            making: 0,
            burying: Vec::new(),
            forfeited: 0,
            now: Instant::now(),
            max: 2,
            lost: false,
            came_back: false,
        };
        world.carry_out(todo);
        world
    }

    fn carry_out(&mut self, todo: Todo) {
        todo.wake.into_iter().for_each(Waker::wake);
        self.making += todo.creates;
    }

    fn settle(&mut self, placed: Placed<()>) {
        match placed {
            Placed::Kept(todo) => self.carry_out(todo),
            Placed::Condemned(entry, todo) => {
                self.burying.push(entry);
                self.carry_out(todo);
            }
            Placed::Stray(_) => self.forfeited -= 1,
        }
    }

    /// Takes the step if it is possible now.
    fn step(&mut self, step: Step) -> bool {
        self.now += Duration::from_secs(1);
        match step {
            Step::Poll(number) => self.poll(number),
            Step::Leave(number) => self.leave(number),
            Step::Retry(number) => self.retry(number),
            Step::Created | Step::Failed | Step::Lost => self.making > 0 && self.step_of_maker(step),
            Step::Buried => {
                self.burying.pop().is_some() && {
                    let todo = self.core.buried();
                    self.carry_out(todo);
                    true
                }
            }
            Step::Shrink => self.max == 2 && self.resize(1),
            Step::Grow => self.max == 1 && self.resize(2),
            Step::Close => {
                !self.core.closed && {
                    let (idle, wakers, todo) = self.core.close();
                    wakers.into_iter().for_each(Waker::wake);
                    self.settle_all(idle, todo);
                    true
                }
            }
            Step::Expire => {
                let (over, todo) = self.core.expire(Some(Duration::from_secs(2)), self.now);
                let any = !over.is_empty();
                self.settle_all(over, todo);
                any
            }
            Step::Forfeit => {
                let held = self.callers.iter().find_map(|caller| caller.has.as_ref()).map(|entry| entry.id);
                held.and_then(|id| self.core.forfeit(id)).is_some_and(|todo| {
                    self.forfeited += 1;
                    self.carry_out(todo);
                    true
                })
            }
        }
    }

    /// A task that makes a resource succeeds, fails, or is dropped by its runtime.
    fn step_of_maker(&mut self, step: Step) -> bool {
        if step == Step::Failed && self.core.still_needed() {
            return true; // it pauses, and tries again
        }
        self.making -= 1;
        let todo = match step {
            Step::Created => {
                let placed = self.core.created((), None, self.now);
                self.settle(placed);
                return true;
            }
            Step::Failed => self.core.give_up_creating(),
            _ => {
                self.lost = true;
                self.core.lose_creating()
            }
        };
        self.carry_out(todo);
        true
    }

    fn settle_all(&mut self, placed: Vec<Placed<()>>, todo: Todo) {
        placed.into_iter().for_each(|placed| self.settle(placed));
        self.carry_out(todo);
    }

    fn resize(&mut self, max: usize) -> bool {
        self.max = max;
        let min_idle = self.core.limits.min_idle.min(max);
        let (surplus, todo) = self.core.resize(max, min_idle);
        self.settle_all(surplus, todo);
        true
    }

    fn poll(&mut self, number: usize) -> bool {
        let now = self.now;
        let caller = &mut self.callers[number];
        if caller.has.is_some() {
            return false;
        }
        let waker = Waker::from(Arc::clone(&caller.bell));
        caller.heard = caller.bell.0.load(Relaxed);
        let key = *caller.key.get_or_insert_with(|| self.core.arrive());
        let standing = if caller.in_line {
            self.core.look(key, &who(), &waker, now, now)
        } else {
            self.core.take_or_join(key, &who(), &waker, now)
        };
        caller.in_line = matches!(standing, Standing::Waiting(_));
        match standing {
            Standing::Got(entry, todo) => {
                caller.has = Some(entry);
                self.carry_out(todo);
            }
            Standing::Waiting(todo) => self.carry_out(todo),
            Standing::Refused | Standing::Closed(_) => caller.key = None,
        }
        true
    }

    fn leave(&mut self, number: usize) -> bool {
        let caller = &mut self.callers[number];
        let Some(key) = caller.key.take() else { return false };
        let (placed, todo) = match caller.has.take() {
            Some(entry) => (Some(self.core.put(entry, true, None, self.now)), Todo::default()),
            None if std::mem::take(&mut caller.in_line) => self.core.leave(key),
            None => (None, Todo::default()),
        };
        self.carry_out(todo);
        placed.into_iter().for_each(|placed| self.settle(placed));
        true
    }

    fn retry(&mut self, number: usize) -> bool {
        let Some(entry) = self.callers[number].has.take() else { return false };
        let placed = self.core.put(entry, true, Some(CloseReason::Invalid), self.now);
        self.settle(placed);
        self.came_back = true;
        self.poll(number)
    }

    /// What must hold between two steps.
    fn check(&self) {
        let stats = self.core.stats();
        let living = stats.idle + stats.in_use + stats.closing + stats.creating;
        if self.max == 2 {
            assert!(living <= 2, "above the maximum");
        }
        assert_eq!(stats.creating, self.making, "a place without a task, or a task without a place");
        assert_eq!(stats.closing, self.burying.len());
        let asleep: Vec<&Caller> = self.callers.iter().filter(|caller| caller.in_line).collect();
        let unaware = asleep.iter().filter(|caller| caller.bell.0.load(Relaxed) == caller.heard).count();
        if self.core.closed {
            assert_eq!(unaware, 0, "a waiter was not told of the end");
            assert_eq!(stats.idle, 0);
            return;
        }
        assert_eq!(unaware, stats.waiting, "a waiter was given something and not woken, or woken for nothing");
        assert!(stats.waiting == 0 || stats.idle == 0, "somebody waits beside an idle resource");
        let room = living < self.max && stats.creating == 0;
        let enough = stats.waiting == 0 && stats.idle >= self.core.limits.min_idle;
        assert!(enough || !room || self.lost, "somebody waits or too few are idle, and nothing is made");
        self.check_order();
    }

    /// Whoever was given something came before everybody who was not.
    fn check_order(&self) {
        let heard = |caller: &&Caller| caller.bell.0.load(Relaxed) > caller.heard;
        let in_line = || self.callers.iter().filter(|caller| caller.in_line);
        let last_served = in_line().filter(heard).filter_map(|caller| caller.key).max();
        let first_waiting = in_line().filter(|caller| !heard(caller)).filter_map(|caller| caller.key).min();
        if let (Some(served), Some(waiting)) = (last_served, first_waiting) {
            // One that came back with its old key may find a later one served already.
            assert!(served < waiting || self.came_back, "{served} was served before {waiting}");
        }
    }

    /// Lets everything end, and sees that nothing is left.
    fn finish(mut self) {
        if !self.core.closed {
            self.step(Step::Close);
        }
        for number in 0..=CALLERS {
            self.leave(number);
        }
        while self.making > 0 {
            self.step(Step::Failed);
        }
        while !self.burying.is_empty() {
            self.step(Step::Buried);
        }
        assert!(self.core.is_over(), "something is left: {:?}", self.core.stats());
        assert_eq!(self.forfeited, 0);
    }
}

fn replay(min_idle: usize, order: IdleOrder, steps: &[Step]) -> Option<World> {
    let mut world = World::new(min_idle, order);
    let possible = steps.iter().all(|step| {
        let taken = world.step(*step);
        world.check();
        taken
    });
    possible.then_some(world)
}

/// Goes through every possible sequence that begins with `steps`; returns how many there are.
fn explore(min_idle: usize, order: IdleOrder, steps: &mut Vec<Step>, left: u32) -> u64 {
    let failed = std::panic::catch_unwind(|| replay(min_idle, order, steps).map(World::finish).is_some());
    let Ok(possible) = failed else { panic!("after {steps:?}") };
    if !possible || left == 0 {
        return u64::from(possible);
    }
    let mut sequences = 1;
    for step in STEPS {
        steps.push(step);
        sequences += explore(min_idle, order, steps, left - 1);
        steps.pop();
    }
    sequences
}

#[test]
fn every_short_sequence_of_steps_keeps_the_invariants() {
    for (min_idle, order, length) in [(0, IdleOrder::Lifo, 6), (1, IdleOrder::Fifo, 5), (2, IdleOrder::Lifo, 5)] {
        let sequences = explore(min_idle, order, &mut Vec::new(), length);
        assert!(sequences > 1_000, "only {sequences} sequences of {length} steps were possible");
    }
}

/// Longer than all can be tried: at random, with the seed in the message.
#[test]
fn long_random_sequences_keep_the_invariants() {
    for seed in 0..3_000 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let order = if chance.bool() { IdleOrder::Lifo } else { IdleOrder::Fifo };
        let mut world = World::new(chance.usize(..3), order);
        let mut taken = Vec::new();
        for _ in 0..60 {
            let step = STEPS[chance.usize(..STEPS.len())];
            // The end comes seldom, or it would always come early.
            if !matches!(step, Step::Close | Step::Lost) || chance.u8(..40) == 0 {
                taken.push(step);
                world.step(step);
            }
            let sound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.check()));
            assert!(sound.is_ok(), "seed {seed}: {taken:?}");
        }
        world.finish();
    }
}
