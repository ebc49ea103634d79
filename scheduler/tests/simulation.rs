//! The simulation: seeds decide the order, the clock is virtual, and what is stuck is told.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "that tokio's own tasks are driven as well is under test")]

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tidemill_scheduler::testing::{Outcome, Simulation, Stuck, for_each_seed};
use tidemill_scheduler::{Handle, Procs, Runtime, block_on, blocking, spawn, yield_now};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep, timeout};

const HOUR: Duration = Duration::from_secs(3600);

/// Two tasks that each add one, with an await between load and store.
async fn lost_update() -> u32 {
    let count = Arc::new(AtomicU32::new(0));
    let both = [0, 1].map(|_| {
        let count = Arc::clone(&count);
        spawn(async move {
            let before = count.load(Ordering::SeqCst);
            yield_now().await;
            count.store(before + 1, Ordering::SeqCst);
        })
    });
    for task in both {
        task.await.unwrap();
    }
    count.load(Ordering::SeqCst)
}

#[test]
fn a_lost_update_is_found_by_some_seeds_and_not_by_others_and_replays() {
    let run = |seed| Simulation::new(seed).run(lost_update());
    let (good, bad): (Vec<u64>, Vec<u64>) = (0..20).partition(|&seed| run(seed) == 2);
    assert!(!good.is_empty() && !bad.is_empty(), "good {good:?}, bad {bad:?}");
    for seed in bad {
        assert!((0..5).all(|_| run(seed) == 1), "seed {seed} does not replay");
    }
}

/// A bit of everything that the simulation orders.
async fn mixture() -> u32 {
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            spawn(async move {
                yield_now().await;
                let child = spawn(async move { sleep(Duration::from_millis(n % 3)).await });
                child.await.unwrap();
                tokio::spawn(async {}).await.unwrap();
                u32::from(timeout(Duration::from_millis(5), sleep(Duration::from_millis(n))).await.is_ok())
            })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    sum
}

#[test]
fn the_same_seed_gives_the_same_schedule_and_others_differ() {
    let run = |seed| Simulation::new(seed).try_run(mixture()).unwrap();
    let Outcome { output, schedule, .. } = run(1);
    assert_eq!(output, 6, "sleeps of 0 to 5 ms end before the time-out of 5 ms, or with it");
    assert!((0..=20).all(|task| schedule.contains(&task)), "{schedule:?}");
    assert_eq!(run(1).schedule, schedule);
    assert!((2..12).all(|seed| run(seed).schedule != schedule));
}

#[test]
fn virtual_time_is_exact_and_takes_none() {
    let outcome = Simulation::new(0).try_run(async {
        let start = Instant::now();
        let alarm = spawn(async { sleep(HOUR).await });
        assert!(timeout(HOUR / 2, std::future::pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), HOUR / 2);
        alarm.await.unwrap();
        let mut ticks = interval(HOUR);
        for _ in 0..3 {
            ticks.tick().await;
        }
        start.elapsed()
    });
    let outcome = outcome.unwrap();
    assert_eq!((outcome.output, outcome.elapsed), (3 * HOUR, 3 * HOUR), "the first tick is at once");
}

#[test]
fn a_deadlock_names_who_waits() {
    let line = line!() + 3;
    let stuck = Simulation::new(3).try_run(async {
        let (never, silence) = oneshot::channel::<()>();
        let waits = spawn(silence);
        sleep(HOUR).await;
        let ended = spawn(async {});
        ended.await.unwrap();
        waits.await.unwrap().unwrap();
        drop(never);
    });
    let Err(stuck) = stuck else { panic!("the sender is dropped behind the wait") };
    let Stuck::Deadlock { seed: 3, ref tasks, nested: 0, .. } = stuck else { panic!("{stuck:?}") };
    assert_eq!((tasks.len(), tasks[0].line()), (1, line));
    let text = stuck.to_string();
    assert!(text.starts_with("seed 3: deadlock: the main future, 1 tasks wait"), "{text}");
    assert!(text.contains("tests/simulation.rs"), "{text}");
}

#[test]
fn a_deadlock_in_a_nested_block_on_ends_everything() {
    let stuck = Simulation::new(0).try_run(async {
        spawn(async { block_on(std::future::pending::<()>()) }).await.unwrap();
    });
    assert!(matches!(stuck, Err(Stuck::Deadlock { nested: 1, .. })), "{stuck:?}");
}

#[test]
fn a_loop_that_only_yields_is_not_waited_for() {
    let endless = Simulation::new(0).max_polls(1000).try_run(async {
        loop {
            yield_now().await;
        }
    });
    let Err(stuck) = endless;
    assert_eq!(stuck.to_string(), "seed 0: no end after 1000 polls");
}

#[test]
fn a_failure_names_its_seed() {
    let seeds = panic::catch_unwind(|| for_each_seed(0..20, |_| async { assert_eq!(lost_update().await, 2) }));
    let text = *seeds.unwrap_err().downcast::<String>().unwrap();
    let bad = (0..20).find(|&seed| Simulation::new(seed).run(lost_update()) != 2).unwrap();
    assert!(text.starts_with(&format!("fails with seed {bad} (TIDEMILL_SEED={bad} replays it): assertion")), "{text}");
}

#[test]
fn what_works_on_a_runtime_works_here() {
    for_each_seed(0..20, |_| async {
        let here = thread::current().id();
        let inside = spawn(async move { (thread::current().id(), blocking(|| thread::current().id())) });
        assert_eq!(inside.await.unwrap(), (here, here), "one thread");

        let nested = spawn(async { block_on(async { spawn(async { 1 }).await.unwrap() + 1 }) });
        assert_eq!(nested.await.unwrap(), 2);

        let panics = spawn(async { panic::resume_unwind(Box::new("planned")) });
        assert!(panics.await.unwrap_err().is_panic());

        let aborted = spawn(std::future::pending::<()>());
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());

        let metrics = Handle::current().metrics();
        assert_eq!((metrics.procs, metrics.live_tasks, metrics.spawned), (1, 0, 5));
    });
}

#[test]
fn the_end_drops_what_is_left_and_what_comes_later() {
    let token = Arc::new(());
    let handle = Simulation::new(0).run(async {
        let (asleep, queued, of_tokio) = (Arc::clone(&token), Arc::clone(&token), Arc::clone(&token));
        drop(spawn(async move {
            sleep(HOUR).await;
            drop(asleep);
        }));
        drop(tokio::spawn(async move {
            sleep(HOUR).await;
            drop(of_tokio);
        }));
        sleep(HOUR / 2).await;
        drop(spawn(async move { drop(queued) }));
        Handle::current()
    });
    assert_eq!(Arc::strong_count(&token), 1);
    let late = handle.spawn(std::future::pending::<()>());
    assert!(late.is_finished(), "cancelled at once");
    assert!(Handle::try_current().is_none());
}

#[test]
fn a_simulation_on_a_machine_is_its_own_world() {
    let rt = Runtime::builder().procs(Procs::Fixed(1)).build().unwrap();
    let inside = rt.spawn(async { Simulation::new(1).try_run(lost_update()).map(|outcome| outcome.schedule) });
    let schedule = rt.block_on(inside).unwrap().unwrap();
    assert_eq!(schedule, Simulation::new(1).try_run(lost_update()).unwrap().schedule);
    assert_eq!(rt.metrics().spawned, 1, "the tasks of the simulation are not the runtime's");
}

#[test]
fn another_thread_cannot_drive_a_simulation() {
    Simulation::new(0).run(async {
        let handle = Handle::current();
        let elsewhere = thread::spawn(move || panic::catch_unwind(AssertUnwindSafe(|| handle.block_on(async {}))));
        assert!(elsewhere.join().unwrap().is_err());
    });
}
