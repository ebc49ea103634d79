//! Programs that must end well under every schedule.
//!
//! `TIDEMILL_SCHEDULES` sets how many schedules each program gets, `SHUTTLE_RANDOM_SEED` other ones. A failure prints a
//! schedule that `shuttle::replay` takes.

use std::env;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::runtime::Options;
use crate::sync::{AtomicUsize, Condvar, Mutex, Ordering, lock, thread};
use crate::{Handle, JoinHandle, Runtime, blocking, spawn, yield_now};

/// Schedules of each kind for each program, unless the environment says otherwise.
const SCHEDULES: usize = 1000;

/// Points at which PCT forces another thread to the front.
const PCT_DEPTH: usize = 3;

fn check(program: fn()) {
    let schedules =
        env::var("TIDEMILL_SCHEDULES").ok().map_or(SCHEDULES, |n| n.parse().expect("a number of schedules"));
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.silence_warnings = true;
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    let seed = env::var("SHUTTLE_RANDOM_SEED").map_or(0, |seed| seed.parse().expect("a seed is a number"));
    Runner::new(RandomScheduler::new_from_seed(seed, schedules), config.clone()).run(program);
    Runner::new(PctScheduler::new_from_seed(seed, PCT_DEPTH, schedules), config).run(program);
}

fn options(procs: usize, most_procs: usize) -> Options {
    let (thread_keep_alive, blocked_after, slice) = (Duration::MAX, Duration::ZERO, Duration::ZERO);
    let thread_name = "model".to_owned();
    Options {
        procs,
        most_procs,
        max_threads: 4,
        thread_name,
        thread_keep_alive,
        blocked_after,
        slice,
        flight_recorder: 0,
        trace: None,
    }
}

/// Machines alone: whatever the monitor would make good must not be needed.
fn unwatched(procs: usize) -> Runtime {
    Runtime::unwatched(options(procs, procs)).expect("a model's system refuses nothing")
}

fn watched(procs: usize, most: usize) -> Runtime {
    Runtime::start(options(procs, most), None).expect("a model's system refuses nothing")
}

/// Without tasks all permits become idle, as many as there are to be, and nobody is left that counts as searching.
fn come_to_rest(rt: Runtime) {
    let handle = rt.handle();
    let roster = &handle.shared().roster;
    while roster.idle() != roster.procs() || roster.census().searching != 0 {
        thread::yield_now();
    }
    drop(rt);
}

fn random(below: usize) -> usize {
    thread_rng().gen_range(0..below)
}

/// Set once; wakes who waits, tasks and threads.
#[derive(Default)]
struct Signal {
    state: Mutex<(bool, Vec<Waker>)>,
    set: Condvar,
}

impl Signal {
    fn set(&self) {
        let mut state = lock(&self.state);
        state.0 = true;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        self.set.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn wait_blocking(&self) {
        let mut state = lock(&self.state);
        while !state.0 {
            state = self.set.wait(state).expect("nobody panics under the lock");
        }
    }
}

struct Wait(Arc<Signal>);

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Cloned and dropped outside of the lock, for that is a step of the schedule.
        let waker = context.waker().clone();
        let mut state = lock(&self.0.state);
        if state.0 {
            return Poll::Ready(());
        }
        state.1.push(waker);
        Poll::Pending
    }
}

/// Waits for something that the reactor brings.
async fn event() {
    let handle = Handle::current();
    let mut asked = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        handle.shared().reactor.event(context.waker().clone());
        Poll::Pending
    })
    .await;
}

/// One of the things that a task does.
async fn step(signal: Arc<Signal>) -> usize {
    match random(5) {
        0 => yield_now().await,
        1 => return spawn(async { 1 }).await.expect("the child neither panics nor is aborted"),
        2 => Wait(signal).await,
        3 => event().await,
        _ => {}
    }
    1
}

/// Spawns tasks from inside and from outside, of which some wait for a foreign thread; all must end.
fn all_end(procs: usize, tasks: usize) {
    let rt = unwatched(procs);
    let signal = Arc::new(Signal::default());
    let setter = thread::spawn({
        let signal = Arc::clone(&signal);
        move || signal.set()
    });
    let inside = rt.spawn({
        let signal = Arc::clone(&signal);
        async move { (0..tasks).map(|_| spawn(step(Arc::clone(&signal)))).collect::<Vec<_>>() }
    });
    let outside: Vec<_> = (0..2).map(|_| rt.spawn(step(Arc::clone(&signal)))).collect();
    let mut ended = 0;
    rt.block_on(async {
        for task in outside.into_iter().chain(inside.await.expect("it does not panic")) {
            ended += task.await.expect("no task panics or is aborted");
        }
    });
    assert_eq!(ended, tasks + 2);
    assert_eq!(rt.metrics().live_tasks, 0, "a task is out of its slab before its handle says so");
    come_to_rest(rt);
    setter.join().expect("no panic");
}

#[test]
fn shuttle_all_tasks_end_without_a_monitor() {
    check(|| all_end(2, 4));
}

#[test]
fn shuttle_all_tasks_end_on_three_machines() {
    check(|| all_end(3, 6));
}

/// Counts the tasks that are gone.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn shuttle_an_aborted_task_ends_once() {
    check(|| {
        let rt = unwatched(2);
        let (signal, gone) = (Arc::new(Signal::default()), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (signal, token) = (Arc::clone(&signal), Token(Arc::clone(&gone)));
                rt.spawn(async move {
                    step(signal).await;
                    drop(token);
                })
            })
            .collect();
        let tasks = Arc::new(tasks);
        let aborter = thread::spawn({
            let tasks = Arc::clone(&tasks);
            move || tasks.iter().filter(|_| one_in_two()).for_each(JoinHandle::abort)
        });
        signal.set();
        aborter.join().expect("no panic");
        let tasks = Arc::into_inner(tasks).expect("the aborter has ended");
        let ended = rt.block_on(async {
            let mut ended = 0;
            for task in tasks {
                let output = task.await;
                ended += usize::from(output.is_ok() || output.is_err_and(|error| error.is_cancelled()));
            }
            ended
        });
        drop(rt);
        assert_eq!((ended, gone.load(Ordering::Relaxed)), (4, 4));
    });
}

fn one_in_two() -> bool {
    super::one_in(2)
}

/// With one permit, tasks that block their thread until another task runs: the monitor has to hand the permit on. At the
/// same time it takes permits for no reason, and the runtime shrinks and grows.
fn blocked_tasks_do_not_hold_the_others(procs: usize, most: usize) {
    let rt = watched(procs, most);
    let shared = Arc::clone(rt.handle().shared());
    let sizer = thread::spawn(move || (0..3).for_each(|_| shared.resize(1 + random(most))));
    let signal = Arc::new(Signal::default());
    let blocked: Vec<_> = (0..2)
        .map(|_| {
            let signal = Arc::clone(&signal);
            rt.spawn(async move {
                blocking(|| signal.wait_blocking());
                yield_now().await;
            })
        })
        .collect();
    let on_its_child = rt.spawn(blocks_on_its_child());
    let others: Vec<_> = (0..2).map(|_| rt.spawn(step(Arc::clone(&signal)))).collect();
    let setter = rt.spawn(async move {
        event().await;
        signal.set();
    });
    rt.block_on(async {
        setter.await.expect("no panic");
        on_its_child.await.expect("no panic");
        for task in blocked {
            task.await.expect("no panic");
        }
        for task in others {
            task.await.expect("no panic");
        }
    });
    sizer.join().expect("no panic");
    come_to_rest(rt);
}

/// Pushes to the own queue, and then keeps the thread until somebody else has run what was pushed.
async fn blocks_on_its_child() {
    let signal = Arc::new(Signal::default());
    let child = Arc::clone(&signal);
    let child = spawn(async move { child.set() });
    // Unmarked, or marked.
    if one_in_two() {
        signal.wait_blocking()
    } else {
        blocking(|| signal.wait_blocking())
    }
    child.await.expect("no panic");
}

#[test]
fn shuttle_what_a_blocked_task_has_pushed_is_found() {
    check(|| {
        let rt = watched(1, 1);
        let tasks: Vec<_> = (0..3).map(|_| rt.spawn(blocks_on_its_child())).collect();
        rt.block_on(async {
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        come_to_rest(rt);
    });
}

#[test]
fn shuttle_blocked_tasks_do_not_hold_the_others() {
    check(|| blocked_tasks_do_not_hold_the_others(1, 1));
}

#[test]
fn shuttle_retakes_and_resizes_lose_nothing() {
    check(|| blocked_tasks_do_not_hold_the_others(2, 2));
}

#[test]
fn shuttle_the_end_of_a_runtime_drops_every_task_once() {
    check(|| {
        let gone = Arc::new(AtomicUsize::new(0));
        let rt = if one_in_two() { unwatched(2) } else { watched(2, 2) };
        let never = Arc::new(Signal::default());
        let foreign = thread::spawn({
            let (handle, gone, never) = (rt.handle(), Arc::clone(&gone), Arc::clone(&never));
            move || (0..2).for_each(|_| drop(handle.spawn(lives_on(Token(Arc::clone(&gone)), Arc::clone(&never)))))
        });
        for _ in 0..2 {
            drop(rt.spawn(lives_on(Token(Arc::clone(&gone)), Arc::clone(&never))));
        }
        drop(rt);
        foreign.join().expect("no panic");
        drop(never);
        assert_eq!(gone.load(Ordering::Relaxed), 4);
    });
}

async fn lives_on(_token: Token, never: Arc<Signal>) {
    step(Arc::clone(&never)).await;
    if one_in_two() {
        Wait(never).await;
    }
}
