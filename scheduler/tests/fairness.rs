//! The bounds of the section "Fairness" in the README, counted in polls on one machine, under loads that never end.
//!
//! With one permit the order of the polls is the scheduler's alone, unless the computer takes so long over one of them
//! that the monitor steps in; so each bound has a few attempts.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::runtime;
use tidemill_scheduler::{Handle, JoinHandle, Runtime, spawn, yield_now};
use tokio::sync::Notify;

/// See `src/limits.rs`.
const INJECTOR_INTERVAL: usize = 61;
const RUNNEXT_CHAIN: usize = 3;
const INJECTOR_BATCH: usize = 32;
const TURN_GAP: Duration = Duration::from_micros(100);

/// Polls of others until a task is picked that has `ahead` others before it in its machine's queue.
fn queue_bound(ahead: usize) -> usize {
    let picks = (RUNNEXT_CHAIN + 1) * (ahead + 1);
    // On a crowded computer polls take long, and every third pick may look outside first.
    picks + picks / 2 + 1
}

/// The same for the injector.
fn injector_bound(ahead: usize) -> usize {
    INJECTOR_INTERVAL * (ahead + 1)
}

/// Counts the polls of a load, and ends it.
#[derive(Default)]
struct Meter {
    polls: AtomicUsize,
    end: AtomicBool,
    due: Mutex<Option<Instant>>,
    /// The count at the first poll after `due`.
    due_at: AtomicUsize,
}

impl Meter {
    /// The count at the first poll after this long is what lateness is counted from.
    fn due_in(&self, time: Duration) {
        *self.due.lock().unwrap() = Some(Instant::now() + time);
    }

    /// One poll of the load; `false`: it is to end.
    fn count(&self) -> bool {
        let polls = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
        let mut due = self.due.lock().unwrap();
        if due.is_some_and(|due| Instant::now() >= due) {
            *due = None;
            self.due_at.store(polls, Ordering::SeqCst);
        }
        !self.end.load(Ordering::SeqCst)
    }

    fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }
}

/// Tasks that keep a machine busy until the meter says that it is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// They yield.
    Yields,
    /// They wake themselves.
    SelfWakes,
    /// Pairs that wake each other, so that one of them is always in the slot.
    PingPong,
    /// Each spawns the next, into the slot, and ends.
    Chains,
    /// Each wakes all.
    WakeAll,
    /// Each puts the next into the injector, and ends.
    Injected,
}

impl Load {
    const ALL: [Self; 6] = [Self::Yields, Self::SelfWakes, Self::PingPong, Self::Chains, Self::WakeAll, Self::Injected];
    /// Tasks of one load that may lie in one queue.
    const TASKS: usize = 16;

    fn start(self, meter: &Arc<Meter>) {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let pair = Arc::new([const { Notify::const_new() }; Self::TASKS]);
        for i in 0..Self::TASKS {
            let meter = Arc::clone(meter);
            match self {
                Self::Yields => drop(spawn(yields(meter))),
                Self::SelfWakes => drop(spawn(wakes(meter, None))),
                Self::WakeAll => drop(spawn(wakes(meter, Some(Arc::clone(&wakers))))),
                Self::PingPong => drop(spawn(ping(meter, Arc::clone(&pair), i))),
                Self::Chains => chain(meter, |next| drop(spawn(next))),
                Self::Injected => chain(meter, |next| drop(Handle::current().spawn(next))),
            }
        }
    }
}

async fn yields(meter: Arc<Meter>) {
    while meter.count() {
        yield_now().await;
    }
}

async fn wakes(meter: Arc<Meter>, all: Option<Arc<Mutex<Vec<Waker>>>>) {
    let mut known = false;
    poll_fn(|context| {
        if let Some(all) = &all {
            let mut all = all.lock().unwrap();
            if !std::mem::replace(&mut known, true) {
                all.push(context.waker().clone());
            }
            all.iter().for_each(Waker::wake_by_ref);
        }
        context.waker().wake_by_ref();
        if meter.count() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

async fn ping(meter: Arc<Meter>, all: Arc<[Notify; Load::TASKS]>, i: usize) {
    let mut turns = Box::pin(async move {
        loop {
            all[i ^ 1].notify_one();
            all[i].notified().await;
        }
    });
    poll_fn(|context| {
        let _: Poll<()> = turns.as_mut().poll(context);
        if meter.count() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

fn chain(meter: Arc<Meter>, start: fn(Link)) {
    start(Link { meter, start });
}

/// A task that starts the next in its only poll.
struct Link {
    meter: Arc<Meter>,
    start: fn(Self),
}

impl std::future::Future for Link {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        if self.meter.count() {
            chain(Arc::clone(&self.meter), self.start);
        }
        Poll::Ready(())
    }
}

/// Runs `victim` as a task beside `load` on one machine.
fn beside<T, F>(load: Load, victim: impl FnOnce(Arc<Meter>) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let rt = runtime(1);
    let meter = Arc::new(Meter::default());
    let ends = Arc::clone(&meter);
    let outcome = rt.block_on(rt.spawn(async move {
        load.start(&meter);
        victim(meter).await
    }));
    ends.end.store(true, Ordering::SeqCst);
    outcome.unwrap()
}

/// Fails if none of a few attempts stays within `bound`.
fn holds(what: &str, bound: usize, attempt: impl Fn() -> usize) {
    let all: Vec<usize> = (0..5).map(|_| attempt()).take_while(|&polls| polls > bound).collect();
    assert!(all.len() < 5, "{what}: {all:?} polls of others came first, the bound is {bound}");
}

#[test]
fn a_task_in_a_queue_is_picked_in_its_turn_whatever_the_others_do() {
    for load in Load::ALL {
        // A load from the injector comes to the queue in batches.
        let ahead = if load == Load::Injected { INJECTOR_BATCH } else { Load::TASKS };
        holds(&format!("{load:?}"), queue_bound(ahead), || {
            beside(load, async |meter| {
                let mut most = 0;
                for _ in 0..200 {
                    let before = meter.polls();
                    yield_now().await;
                    most = most.max(meter.polls() - before);
                }
                most
            })
        });
    }
}

#[test]
fn a_task_from_outside_is_picked_at_the_latest_after_sixty_one_polls_and_one_more_for_each_before_it() {
    for load in Load::ALL {
        let ahead = if load == Load::Injected { Load::TASKS } else { 0 };
        holds(&format!("{load:?}"), injector_bound(ahead), || {
            beside(load, async |meter| {
                let mut most = 0;
                for _ in 0..50 {
                    let (before, seen) = (meter.polls(), Arc::clone(&meter));
                    let from_outside = Handle::current().spawn(async move { seen.polls() });
                    most = most.max(from_outside.await.unwrap() - before);
                }
                most
            })
        });
    }
}

#[test]
fn a_task_in_the_slot_is_picked_after_two_others() {
    for load in [Load::Yields, Load::SelfWakes] {
        holds(&format!("{load:?}"), 2, || {
            beside(load, async |meter| {
                let mut most = 0;
                // The first task of the load is in the slot.
                yield_now().await;
                for _ in 0..200 {
                    let (before, seen) = (meter.polls(), Arc::clone(&meter));
                    let next = spawn(async move { seen.polls() });
                    most = most.max(next.await.unwrap() - before);
                }
                most
            })
        });
    }
}

/// Polls of the load between the moment that is due by the meter and the victim's.
async fn lateness(meter: &Meter, event: impl Future<Output = ()>) -> usize {
    event.await;
    // Zero: it came before it was due at the latest.
    match meter.due_at.load(Ordering::SeqCst) {
        0 => 0,
        due_at => meter.polls() - due_at,
    }
}

#[test]
fn a_timer_is_served_beside_every_load() {
    for load in Load::ALL {
        let ahead = if load == Load::Injected { INJECTOR_BATCH } else { Load::TASKS };
        holds(&format!("{load:?}"), INJECTOR_INTERVAL + queue_bound(ahead), || {
            beside(load, async |meter| {
                // tokio rounds up to whole milliseconds, at both ends.
                meter.due_in(Duration::from_millis(1 + 2) + TURN_GAP);
                lateness(&meter, tokio::time::sleep(Duration::from_millis(1))).await
            })
        });
    }
}

#[test]
fn a_socket_is_served_beside_every_load() {
    for load in Load::ALL {
        let ahead = if load == Load::Injected { INJECTOR_BATCH } else { Load::TASKS };
        holds(&format!("{load:?}"), INJECTOR_INTERVAL + queue_bound(ahead), || {
            beside(load, async |meter| {
                let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let (address, mut byte) = (socket.local_addr().unwrap(), [0]);
                let receiver = async { assert_eq!(socket.recv(&mut byte).await.unwrap(), 1) };
                let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                // Sent by a later poll, so that the receiver waits for it.
                let sent = Arc::clone(&meter);
                spawn(async move {
                    sender.send_to(&[1], address).unwrap();
                    sent.due_in(TURN_GAP * 2);
                });
                lateness(&meter, receiver).await
            })
        });
    }
}

#[test]
fn on_several_machines_no_kind_of_task_starves() {
    for procs in [1, 2, 4] {
        let rt = runtime(procs);
        let meters: Vec<Arc<Meter>> = Load::ALL.map(|_| Arc::default()).into();
        let all = meters.clone();
        rt.block_on(rt.spawn(async move { Load::ALL.iter().zip(&all).for_each(|(load, meter)| load.start(meter)) }))
            .unwrap();
        let victim: JoinHandle<()> = rt.spawn(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            for _ in 0..50 {
                yield_now().await;
                spawn(async {}).await.unwrap();
                Handle::current().spawn(async {}).await.unwrap();
            }
        });
        rt.block_on(victim).unwrap();
        let before: Vec<usize> = meters.iter().map(|meter| meter.polls()).collect();
        common::eventually("each load goes on", || meters.iter().zip(&before).all(|(m, before)| m.polls() > *before));
        meters.iter().for_each(|meter| meter.end.store(true, Ordering::SeqCst));
    }
}

/// Threads that spawn tasks without end, a bounded number of them at a time; until the flag is set.
fn flood(rt: &Runtime, end: &Arc<AtomicBool>, done: &Arc<AtomicUsize>) -> Vec<thread::JoinHandle<()>> {
    let flooder = |handle: Handle, end: Arc<AtomicBool>, done: Arc<AtomicUsize>| {
        let mut spawned = 0;
        let at_start = done.load(Ordering::SeqCst);
        while !end.load(Ordering::SeqCst) {
            if spawned < done.load(Ordering::SeqCst) - at_start + 1000 {
                let done = Arc::clone(&done);
                handle.spawn(async move { done.fetch_add(1, Ordering::SeqCst) });
                spawned += 1;
            }
        }
    };
    (0..2)
        .map(|_| {
            let (handle, end, done) = (rt.handle(), Arc::clone(end), Arc::clone(done));
            thread::spawn(move || flooder(handle, end, done))
        })
        .collect()
}

#[test]
fn threads_that_spawn_without_end_starve_nobody() {
    for procs in [1, 2] {
        let rt = runtime(procs);
        let (end, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = flood(&rt, &end, &done);
        common::eventually("the flood runs", || done.load(Ordering::SeqCst) > 1000);
        let before = done.load(Ordering::SeqCst);
        let local = rt.spawn(async {
            for _ in 0..200 {
                yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        });
        rt.block_on(local).unwrap();
        common::eventually("nor the flood", || done.load(Ordering::SeqCst) > before);
        end.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
