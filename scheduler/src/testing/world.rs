//! The inside of a simulation: the runnable tasks, the generator that picks one, and the clock that jumps.
//!
//! The tasks are the scheduler's own (`task/`), with a scheduler that puts them on one list. The loop of
//! [`World::drive`] is: pick a runnable at random and poll it; if there is none, let tokio wait. Its clock is paused, so
//! instead of waiting tokio moves the clock to the next timer and fires it. A timer of our own, a year away, tells that
//! there is no other.
//!
//! Deadlines of contexts are such timers as well: [`World::idle`] drives a clock that shows tokio's time. It is the clock of the
//! context that the program begins in, and so of every context in it.
//!
//! Tasks are polled outside of tokio's `block_on`, as on a machine; so a task may call `block_on`, which is the same
//! loop once more on the same stack.

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tidemill_context::{Context as Ambient, ManualClock};

use super::Stuck;
use super::random::Random;
use crate::sync::lock;
use crate::task::{self, Claimant, Claims, JoinHandle, Origin, Place, Schedule, Slab, Submit, Task};

/// Further away than any timer that a test waits for; tokio's wheel reaches two years.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// One pick out of this many gives tokio's own tasks, and timers that somebody moved the clock past, a turn.
const TURN_INTERVAL: usize = 16;

/// What a simulation and its tasks share.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    max_polls: u64,
    /// The one thread that runs it.
    thread: ThreadId,
    /// The clock. Weak, because tasks of tokio's may keep the world.
    tokio: Weak<tokio::runtime::Runtime>,
    /// Of the contexts.
    deadlines: ManualClock,
    slab: Slab<Ground>,
    claims: Mutex<Claims>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: Random,
    runnable: Vec<Task>,
    schedule: Vec<Number>,
    /// The tasks that have not ended, by their places in the slab.
    numbers: HashMap<Place, Number>,
    /// Where they were spawned.
    sites: BTreeMap<Number, &'static Location<'static>>,
    /// The next number.
    next: Number,
    /// Something became runnable since the last fruitless pick.
    stirred: bool,
    /// The waker of the thread in [`World::idle`].
    idle: Option<Waker>,
    /// Calls of [`World::drive`] on the stack.
    depth: usize,
    /// A nested loop got stuck, and with it everything.
    stuck: Option<Stuck>,
}

/// A task, or the future of a `block_on`, in the order of their beginnings.
type Number = u32;

enum Pick {
    /// The future that the loop is for.
    Root,
    Task(Task),
    Nothing,
}

impl World {
    /// A world, and the clock that drives it, to be kept until its end.
    pub(super) fn new(seed: u64, max_polls: u64) -> (Arc<Self>, Arc<tokio::runtime::Runtime>) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let tokio = Arc::new(tokio.expect("a reactor without I/O asks nothing of the system"));
        let state = State {
            random: Random::new(seed),
            runnable: Vec::new(),
            schedule: Vec::new(),
            numbers: HashMap::new(),
            sites: BTreeMap::new(),
            next: 0,
            stirred: false,
            idle: None,
            depth: 0,
            stuck: None,
        };
        let clock = Arc::downgrade(&tokio);
        let inside = tokio.enter();
        let deadlines = ManualClock::following(|| tokio::time::Instant::now().into_std());
        drop(inside);
        let world = Arc::new_cyclic(|me| {
            let (slab, claims) = Slab::new(Ground(Weak::clone(me)));
            Self {
                seed,
                max_polls,
                thread: thread::current().id(),
                tokio: clock,
                deadlines,
                slab,
                claims: Mutex::new(claims),
                state: Mutex::new(state),
            }
        });
        (world, tokio)
    }

    /// A context that a program begins in: nothing is above it, and its time is the simulation's.
    pub(super) fn context(&self) -> Ambient {
        Ambient::on(&self.deadlines)
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn schedule(&self) -> Vec<Number> {
        self.state().schedule.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn spawn<F>(&self, future: F, site: &'static Location<'static>) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let origin = Origin { site, born: 0 };
        let (task, handle) = task::spawn(future, &self.slab, &self.claims, origin);
        if let Some(task) = task {
            self.state().enter(task.place(), site);
            self.queue(task);
        }
        handle
    }

    /// Runs `future` and everything else until `future` is ready: the simulation itself, or a nested `block_on`.
    pub(super) fn drive<F: Future>(self: &Arc<Self>, future: F) -> Result<F::Output, Stuck> {
        let _depth = Depth::enter(self);
        let alarm = Arc::new(Alarm { world: Arc::clone(self), rung: AtomicBool::new(true) });
        let waker = Waker::from(Arc::clone(&alarm));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let number = self.state().number();
        loop {
            match self.pick(number, &alarm)? {
                // Nested, the thread has the context of whoever called `block_on`; the others have theirs, or none.
                Pick::Task(task) => Ambient::without_current(|| task.run()),
                Pick::Nothing => Ambient::without_current(|| self.idle())?,
                Pick::Root => {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                        return Ok(output);
                    }
                }
            }
        }
    }

    /// [`block_on`](crate::block_on) inside of the simulation.
    ///
    /// # Panics
    /// If everything is stuck: the panic ends the task, and the simulation with it.
    pub(crate) fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        assert!(self.thread == thread::current().id(), "a simulation runs on one thread, and this is another one");
        self.drive(future).unwrap_or_else(|stuck| {
            self.state().stuck = Some(stuck.clone());
            panic!("{stuck}")
        })
    }

    /// Chooses who is polled next, and notes it.
    fn pick(&self, root: Number, alarm: &Alarm) -> Result<Pick, Stuck> {
        let mut state = self.state();
        if let Some(stuck) = &state.stuck {
            return Err(stuck.clone());
        }
        if state.schedule.len() as u64 >= self.max_polls {
            return Err(Stuck::Endless { seed: self.seed, polls: self.max_polls });
        }
        if state.random.below(TURN_INTERVAL) == 0 {
            drop(state);
            Ambient::without_current(|| self.turn());
            state = self.state();
        }
        Ok(state.pick(root, alarm))
    }

    /// Nothing is runnable: the clock jumps from timer to timer until something is.
    fn idle(&self) -> Result<(), Stuck> {
        let stirred = self.tokio().block_on(async {
            let mut never = pin!(tokio::time::sleep(NEVER));
            let mut deadlines = pin!(self.deadlines.drive(|at| tokio::time::sleep_until(at.into())));
            poll_fn(|context| {
                let Poll::Pending = deadlines.as_mut().poll(context);
                match self.state().poll_stirred(context.waker()) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending => never.as_mut().poll(context).map(|()| false),
                }
            })
            .await
        });
        if stirred { Ok(()) } else { Err(self.deadlock()) }
    }

    /// A turn of tokio's that does not wait, and so moves no clock.
    fn turn(&self) {
        let mut polled = false;
        self.tokio().block_on(poll_fn(|context| {
            self.deadlines.advance_to(self.deadlines.instant());
            if mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }));
    }

    fn tokio(&self) -> Arc<tokio::runtime::Runtime> {
        self.tokio.upgrade().expect("the loop runs inside of the simulation, which keeps its clock")
    }

    fn deadlock(&self) -> Stuck {
        let state = self.state();
        Stuck::Deadlock {
            seed: self.seed,
            tasks: state.sites.values().copied().collect(),
            nested: state.depth.saturating_sub(1),
        }
    }

    fn queue(&self, task: Task) {
        let mut state = self.state();
        state.runnable.push(task);
        let idle = state.stir();
        drop(state);
        // Not under the lock: a waker may be anybody's.
        idle.into_iter().for_each(Waker::wake);
    }

    /// Drops every task; one that is spawned later is dropped at once.
    pub(super) fn end(&self) {
        // Under the lock: who has inserted before is drained, who comes later finds it closed.
        self.claims.with(|_| self.slab.close());
        self.slab.drain();
        let queued = mem::take(&mut self.state().runnable);
        drop(queued);
    }

    pub(crate) fn live_tasks(&self) -> usize {
        self.state().sites.len()
    }

    pub(crate) fn spawned(&self) -> u64 {
        self.slab.spawned()
    }

    pub(crate) fn polls(&self) -> u64 {
        self.state().schedule.len() as u64
    }
}

impl State {
    fn number(&mut self) -> Number {
        self.next += 1;
        self.next - 1
    }

    fn enter(&mut self, place: Place, site: &'static Location<'static>) {
        let number = self.number();
        self.numbers.insert(place, number);
        self.sites.insert(number, site);
    }

    fn leave(&mut self, place: Place) {
        let number = self.numbers.remove(&place);
        number.and_then(|number| self.sites.remove(&number));
    }

    fn pick(&mut self, root: Number, alarm: &Alarm) -> Pick {
        // Relaxed, here and in `wake_by_ref`: the lock of the state orders it.
        let rung = alarm.rung.load(Ordering::Relaxed);
        let candidates = self.runnable.len() + usize::from(rung);
        if candidates == 0 {
            self.stirred = false;
            return Pick::Nothing;
        }
        let choice = self.random.below(candidates);
        if choice == self.runnable.len() {
            alarm.rung.store(false, Ordering::Relaxed);
            self.schedule.push(root);
            return Pick::Root;
        }
        let task = self.runnable.swap_remove(choice);
        let number = self.numbers.get(&task.place());
        self.schedule.push(*number.expect("a task is in the list from its spawn to its end"));
        Pick::Task(task)
    }

    fn stir(&mut self) -> Option<Waker> {
        self.stirred = true;
        self.idle.take()
    }

    fn poll_stirred(&mut self, waker: &Waker) -> Poll<()> {
        if self.stirred {
            return Poll::Ready(());
        }
        self.idle = Some(waker.clone());
        Poll::Pending
    }
}

/// Counts a loop for as long as it lives.
struct Depth<'a>(&'a World);

impl<'a> Depth<'a> {
    fn enter(world: &'a World) -> Self {
        world.state().depth += 1;
        Self(world)
    }
}

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        self.0.state().depth -= 1;
    }
}

/// Wakes the future of a loop.
struct Alarm {
    world: Arc<World>,
    rung: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.world.state();
        self.rung.store(true, Ordering::Relaxed);
        let idle = state.stir();
        drop(state);
        idle.into_iter().for_each(Waker::wake);
    }
}

/// The world as its slab knows it, which is a part of it.
#[derive(Debug)]
pub(crate) struct Ground(Weak<World>);

impl Schedule for Ground {
    type Route = Arc<World>;
    type Keep = Arc<World>;

    fn route(&self) -> Arc<World> {
        self.keep()
    }

    fn keep(&self) -> Arc<World> {
        self.0.upgrade().expect("whoever asks has the world, or a count of it")
    }

    unsafe fn take_kept(&self) -> Arc<World> {
        // SAFETY: with the count that the caller knows of.
        unsafe { Arc::from_raw(self.0.as_ptr()) }
    }

    fn retire(slab: &Slab<Self>, place: Place) -> bool {
        slab.scheduler.keep().state().leave(place);
        slab.remove(place, None)
    }
}

impl Submit for Arc<World> {
    fn ready(self, task: Task) {
        self.queue(task);
    }

    fn again(self, task: Task) {
        self.queue(task);
    }
}
