//! An adaptive limit against modelled servers, in virtual time: calls queue at `workers` of them, each takes `service`.

#![allow(clippy::unwrap_used)]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tidemill_resilience::{
    AdaptiveLimit, AdaptivePermit, Aimd, Clock, Gradient2, InvalidAdaptive, LimitAlgorithm, LimitReached,
    LimitWindow as Window, ManualClock, Vegas,
};

const MS: Duration = Duration::from_millis(1);

/// A server with a queue, and clients that always want more than there is.
struct World {
    clock: ManualClock,
    workers: Vec<Duration>,
    service: Duration,
    /// A call that would wait longer than this at the server is dropped by it, at that time.
    patience: Duration,
    rng: fastrand::Rng,
}

impl World {
    fn new(workers: usize) -> Self {
        let rng = fastrand::Rng::with_seed(7);
        Self {
            clock: ManualClock::new(),
            workers: vec![Duration::ZERO; workers],
            service: 10 * MS,
            patience: Duration::MAX,
            rng,
        }
    }

    fn limit(&self, algorithm: impl LimitAlgorithm + 'static) -> AdaptiveLimit<ManualClock> {
        let builder = AdaptiveLimit::builder(algorithm).initial(20).range(2, 200).seed(1);
        builder.window(10, 100 * MS).clock(self.clock.clone()).build().unwrap()
    }

    /// When a call that arrives now ends, and whether it was dropped.
    fn serve(&mut self) -> (Duration, bool) {
        let now = self.clock.now();
        let worker = self.workers.iter_mut().min().unwrap();
        let begins = now.max(*worker);
        if begins - now > self.patience {
            return (now + self.patience, true);
        }
        // A tenth more or less than the mean.
        *worker = begins + self.service.mul_f64(0.9 + 0.2 * self.rng.f64());
        (*worker, false)
    }

    /// Runs for `time` with at most `clients` calls wanted at once. The limits seen, one for each call that ended.
    fn run(&mut self, limit: &AdaptiveLimit<ManualClock>, clients: usize, time: Duration) -> Vec<u32> {
        let end = self.clock.now() + time;
        let mut running: BinaryHeap<(Reverse<(Duration, u64)>, bool)> = BinaryHeap::new();
        let mut permits: std::collections::HashMap<u64, AdaptivePermit<'_, ManualClock>> = Default::default();
        let (mut number, mut seen) = (0, Vec::new());
        while self.clock.now() < end {
            while running.len() < clients
                && let Ok(permit) = limit.try_acquire()
            {
                let (at, dropped) = self.serve();
                running.push((Reverse((at, number)), dropped));
                permits.insert(number, permit);
                number += 1;
            }
            let (Reverse((at, number)), dropped) = running.pop().unwrap();
            self.clock.set(at);
            let permit = permits.remove(&number).unwrap();
            if dropped {
                permit.dropped();
            } else {
                permit.success();
            }
            seen.push(limit.limit());
        }
        seen
    }
}

fn mean(limits: &[u32]) -> f64 {
    limits.iter().map(|limit| f64::from(*limit)).sum::<f64>() / limits.len() as f64
}

/// The limit settles at what the server does without a long queue, from below and from above, and follows it.
fn assert_finds(algorithm: &(impl LimitAlgorithm + Clone + 'static), most: f64) {
    for workers in [10, 40] {
        let mut world = World::new(workers);
        let limit = world.limit(algorithm.clone());
        world.run(&limit, 500, Duration::from_secs(30));
        let settled = mean(&world.run(&limit, 500, Duration::from_secs(10)));
        let per_worker = settled / workers as f64;
        assert!(per_worker > 0.9 && per_worker < most, "{algorithm:?}, {workers} workers: {settled}");
    }
}

#[test]
fn gradient_finds_what_the_server_can_do() {
    assert_finds(&Gradient2::default(), 2.5);
}

#[test]
fn vegas_finds_what_the_server_can_do() {
    assert_finds(&Vegas::default(), 2.5);
}

#[test]
fn aimd_finds_where_calls_are_dropped() {
    let mut world = World::new(10);
    world.patience = 20 * MS;
    let limit = world.limit(Aimd::default());
    world.run(&limit, 500, Duration::from_secs(60));
    let settled = mean(&world.run(&limit, 500, Duration::from_secs(20)));
    // Ten at work, and those of 20 ms in line: thirty.
    assert!(settled > 20.0 && settled < 35.0, "{settled}");
}

/// Netflix #176: in a mild overload the long average follows the short one, and the limit climbs without end.
#[test]
fn netflix_176_the_limit_does_not_drift() {
    let mut world = World::new(10);
    let limit = world.limit(Gradient2::default());
    let early = mean(&world.run(&limit, 500, Duration::from_secs(60)));
    world.run(&limit, 500, Duration::from_secs(300));
    let late = mean(&world.run(&limit, 500, Duration::from_secs(60)));
    assert!(late < early * 1.3, "from {early} to {late} in five minutes");
}

#[test]
fn the_limit_follows_a_server_that_becomes_slower_and_recovers() {
    for vegas in [false, true] {
        let mut world = World::new(40);
        let limit = if vegas { world.limit(Vegas::default()) } else { world.limit(Gradient2::default()) };
        world.run(&limit, 500, Duration::from_secs(20));
        let before = mean(&world.run(&limit, 500, Duration::from_secs(5)));
        world.workers.truncate(10);
        world.run(&limit, 500, Duration::from_secs(20));
        let during = mean(&world.run(&limit, 500, Duration::from_secs(5)));
        world.workers.resize(40, Duration::ZERO);
        world.run(&limit, 500, Duration::from_secs(20));
        let after = mean(&world.run(&limit, 500, Duration::from_secs(5)));
        assert!(during < before / 2.0, "vegas {vegas}: {before} to {during}");
        assert!(after > during * 2.0, "vegas {vegas}: {during} to {after}");
    }
}

/// Netflix PR#146: calls that were cancelled must not count as time-outs; here they count as nothing.
#[test]
fn netflix_146_cancelled_calls_change_nothing() {
    let world = World::new(10);
    let limit = world.limit(Aimd::default());
    for _ in 0..500 {
        let permits: Vec<_> = (0..20).map_while(|_| limit.try_acquire().ok()).collect();
        world.clock.advance(3600 * 1000 * MS);
        drop(permits);
        assert_eq!((limit.limit(), limit.in_flight()), (20, 0));
    }
}

/// Netflix PR#125: fast health checks at night make the floor so low that all real traffic looks like a queue.
#[test]
fn netflix_125_low_traffic_does_not_poison_the_floor() {
    let mut world = World::new(40);
    let limit = world.limit(Vegas::default());
    world.service = MS;
    world.run(&limit, 1, Duration::from_secs(60));
    assert_eq!(limit.limit(), 20, "one at a time says nothing about a limit of twenty");
    world.service = 10 * MS;
    world.run(&limit, 500, Duration::from_secs(20));
    let settled = mean(&world.run(&limit, 500, Duration::from_secs(5)));
    assert!(settled > 36.0, "{settled}");
}

/// Netflix PR#134: a server at which everything times out alike looks healthy to a latency ratio.
#[test]
fn netflix_134_constant_time_outs_bring_the_limit_down() {
    let world = World::new(10);
    let limit = world.limit(Gradient2::default());
    for _ in 0..500 {
        let permits: Vec<_> = (0..20).map_while(|_| limit.try_acquire().ok()).collect();
        world.clock.advance(1000 * MS);
        permits.into_iter().for_each(AdaptivePermit::dropped);
    }
    assert_eq!(limit.limit(), 2);
}

#[test]
fn a_share_is_there_the_moment_its_partition_wants_it() {
    let clock = ManualClock::new();
    let builder = AdaptiveLimit::builder(Aimd::default()).initial(10).partition("live", 50).partition("batch", 20);
    let limit = builder.clock(clock).build().unwrap();
    let mut batch: Vec<_> = (0..10).map_while(|_| limit.try_acquire_for("batch").ok()).collect();
    assert_eq!(batch.len(), 5, "its own two, and the three that nobody is guaranteed");
    assert_eq!(limit.try_acquire_for("batch").unwrap_err(), LimitReached::Share);
    assert_eq!(limit.try_acquire_for("unknown").unwrap_err(), LimitReached::Share);
    let live: Vec<_> = (0..10).map_while(|_| limit.try_acquire_for("live").ok()).collect();
    assert_eq!((live.len(), limit.in_flight_for("live"), limit.in_flight()), (5, Some(5), 10));
    batch.truncate(3);
    assert_eq!(limit.try_acquire_for("live").map(drop), Ok(()), "it may use what others leave");
    drop((batch, live));
    assert_eq!((limit.in_flight_for("live"), limit.in_flight_for("batch"), limit.in_flight()), (Some(0), Some(0), 0));
}

#[test]
fn lower_priorities_are_shed_first() {
    let builder = AdaptiveLimit::builder(Aimd::default()).initial(10).shed_below(100, 50).shed_below(200, 80);
    let limit = builder.clock(ManualClock::new()).build().unwrap();
    let take = |priority| std::iter::from_fn(|| limit.try_acquire_at(priority).ok()).take(100).collect::<Vec<_>>();
    let low = take(10);
    let middle = take(150);
    let high = take(255);
    assert_eq!((low.len(), middle.len(), high.len()), (5, 3, 2));
    assert_eq!(limit.try_acquire_at(10).unwrap_err(), LimitReached::Shed { priority: 10 });
}

#[tokio::test(start_paused = true)]
async fn calls_may_wait_in_line() {
    let limit = AdaptiveLimit::builder(Aimd::default()).initial(1).max_waiters(1).max_wait(MS).build().unwrap();
    let held = limit.acquire().await.unwrap();
    assert!(matches!(limit.acquire().await, Err(LimitReached::Full(_))), "timed out");
    held.success();
    assert!(limit.acquire().await.is_ok());
}

#[test]
fn senseless_options_are_named() {
    let builder = || AdaptiveLimit::builder(Aimd::default());
    for (builder, expected) in [
        (builder().range(0, 10), InvalidAdaptive::Range { min: 0, max: 10 }),
        (builder().range(5, 4), InvalidAdaptive::Range { min: 5, max: 4 }),
        (builder().range(30, 40), InvalidAdaptive::Initial { initial: 20, min: 30, max: 40 }),
        (builder().partition("a", 60).partition("b", 50), InvalidAdaptive::Percent(110)),
        (builder().shed_below(1, 101), InvalidAdaptive::Percent(101)),
    ] {
        assert_eq!(builder.build().unwrap_err(), expected);
    }
}

/// An algorithm that keeps what it is told.
#[derive(Debug)]
struct Recording(Arc<Mutex<Vec<Window>>>);

impl LimitAlgorithm for Recording {
    fn next(&mut self, limit: f64, window: &Window) -> f64 {
        self.0.lock().unwrap().push(*window);
        limit
    }
}

/// Windows of thousands of calls are added up by each thread for itself; all of them count, once, and in the right window.
#[test]
fn calls_of_all_threads_add_up_however_many_there_are() {
    const TAKES: Duration = Duration::from_millis(10);
    const HELD: u32 = 10;
    let (clock, windows) = (ManualClock::new(), Arc::default());
    let builder = AdaptiveLimit::builder(Recording(Arc::clone(&windows))).initial(HELD).range(1, HELD).probe_every(0);
    let limit = builder.window(HELD, 100 * MS).clock(clock.clone()).build().unwrap();
    let many = |calls: u32| (0..calls).for_each(|_| limit.try_acquire().unwrap().success());
    for (window, on_each) in [3000, 3000, 2500, 1, 4, 3000, 2200].into_iter().enumerate() {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| many(on_each));
            }
        });
        let held: Vec<_> = (0..HELD).map(|_| limit.try_acquire().unwrap()).collect();
        clock.advance(TAKES);
        held.into_iter().for_each(AdaptivePermit::success);
        clock.advance(100 * MS);
        assert_eq!(windows.lock().unwrap().len(), window, "it lasts until a call ends after its time");
        many(1);
        let seen = windows.lock().unwrap()[window];
        assert_eq!(seen.mean, TAKES * HELD / (2 * on_each + HELD + 1), "window {window}");
        assert_eq!((seen.shortest, seen.in_flight, seen.dropped), (Duration::ZERO, HELD, false), "window {window}");
    }
}
