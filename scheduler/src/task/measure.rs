//! The own cell against `async-task`, on the same queue: what decided for it.
//!
//! `cargo test --release -p tidemill-scheduler --lib -- --ignored --nocapture own_cell`

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{Claims, Origin, Place, Schedule, Slab, Submit, Task, spawn};

const TASKS: u32 = 200_000;
const ROUNDS: usize = 15;

thread_local! {
    static OURS: RefCell<VecDeque<Task>> = const { RefCell::new(VecDeque::new()) };
    static THEIRS: RefCell<VecDeque<async_task::Runnable>> = const { RefCell::new(VecDeque::new()) };
}

struct Local;

thread_local! {
    static CLAIMS: RefCell<Option<Claims>> = const { RefCell::new(None) };
}

struct Queue;

impl Schedule for Local {
    type Route = Queue;
    type Keep = ();

    fn route(&self) -> Queue {
        Queue
    }

    fn keep(&self) {}

    unsafe fn take_kept(&self) {}

    fn retire(slab: &Slab<Self>, place: Place) -> bool {
        CLAIMS.with_borrow(|claims| slab.remove(place, claims.as_ref()))
    }
}

impl Submit for Queue {
    fn ready(self, task: Task) {
        OURS.with_borrow_mut(|queue| queue.push_back(task));
    }

    fn again(self, task: Task) {
        self.ready(task);
    }
}

/// Wakes itself once, then ends.
fn once_around() -> impl Future<Output = u32> + Send + 'static {
    let mut woken = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(1);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

fn take<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the queue ran empty, so every task has ended"),
    }
}

/// With the slab that a runtime needs.
fn own_cell() -> u32 {
    let (slab, claims) = Slab::new(Local);
    CLAIMS.replace(Some(claims));
    let handles: Vec<_> = (0..TASKS)
        .map(|_| {
            let spawned = CLAIMS.with_borrow(|claims| {
                let claims = claims.as_ref().expect("put in above");
                let origin = Origin { site: std::panic::Location::caller(), born: 0 };
                spawn(once_around(), &slab, claims, origin)
            });
            Queue.ready(spawned.0.expect("the slab is open"));
            spawned.1
        })
        .collect();
    while let Some(task) = OURS.with_borrow_mut(VecDeque::pop_front) {
        task.run();
    }
    handles.into_iter().map(|handle| take(handle).expect("no task panics")).sum()
}

/// Bare: no slab, no abort by reference, a panic passes through.
fn async_task_bare() -> u32 {
    let schedule = |task| THEIRS.with_borrow_mut(|queue| queue.push_back(task));
    let handles: Vec<_> = (0..TASKS)
        .map(|_| {
            let (task, handle) = async_task::spawn(once_around(), schedule);
            task.schedule();
            handle
        })
        .collect();
    run_theirs();
    handles.into_iter().map(take).sum()
}

/// With what a runtime needs beside it, as async-executor does it: a table of wakers, left by a guard in the future.
fn async_task_registered() -> u32 {
    struct Registered(Arc<Mutex<Vec<Option<Waker>>>>, usize);
    impl Drop for Registered {
        fn drop(&mut self) {
            self.0.lock().expect("no panic under the lock")[self.1] = None;
        }
    }
    let table: Arc<Mutex<Vec<Option<Waker>>>> = Arc::default();
    let schedule = |task| THEIRS.with_borrow_mut(|queue| queue.push_back(task));
    let handles: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut wakers = table.lock().expect("no panic under the lock");
            let guard = Registered(Arc::clone(&table), wakers.len());
            let future = async move {
                let _guard = guard;
                once_around().await
            };
            let (task, handle) = async_task::spawn(future, schedule);
            wakers.push(Some(task.waker()));
            drop(wakers);
            task.schedule();
            handle
        })
        .collect();
    run_theirs();
    handles.into_iter().map(take).sum()
}

fn run_theirs() {
    while let Some(task) = THEIRS.with_borrow_mut(VecDeque::pop_front) {
        task.run();
    }
}

#[test]
#[ignore = "a measurement; see the head of the file"]
fn own_cell_beside_async_task() {
    type Contender = (&'static str, fn() -> u32);
    let contenders: [Contender; 3] = [
        ("own cell", own_cell),
        ("async-task, bare", async_task_bare),
        ("async-task, registered", async_task_registered),
    ];
    let best = RefCell::new([f64::MAX; 3]);
    for _ in 0..ROUNDS {
        for (i, (_, run)) in contenders.iter().enumerate() {
            let start = Instant::now();
            assert_eq!(run(), TASKS);
            let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(TASKS);
            let mut best = best.borrow_mut();
            best[i] = best[i].min(each);
        }
    }
    for ((name, _), ns) in contenders.iter().zip(best.borrow().iter()) {
        println!("{name:24} {ns:6.1} ns a task: spawn, two polls, a wake, join");
    }
}
