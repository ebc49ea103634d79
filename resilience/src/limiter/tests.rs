//! The limiter as a whole under a clock that moves only when told: exact decisions, the bound over random histories, order,
//! cancellation, and no waiter left behind.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use proptest::prelude::*;

use super::*;
use crate::ManualClock;

mod change;
mod reserve;

type Limiter = RateLimiter<ManualClock>;

/// A waiter polled by hand, and only when it was woken: a lost wake-up shows as a waiter that never finishes.
struct Waiter<'a> {
    future: Pin<Box<dyn Future<Output = Result<(), Refused>> + 'a>>,
    woken: Arc<Woken>,
    arrival: usize,
    tokens: u64,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

impl<'a> Waiter<'a> {
    fn new(limiter: &'a Limiter, arrival: usize, tokens: u64, timeout: Option<Duration>) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let future: Pin<Box<dyn Future<Output = _>>> = match timeout {
            Some(timeout) => Box::pin(limiter.acquire_within(tokens, timeout)),
            None => Box::pin(limiter.acquire(tokens)),
        };
        Self { future, woken, arrival, tokens }
    }

    fn poll_if_woken(&mut self) -> Poll<Result<(), Refused>> {
        if !self.woken.0.swap(false, SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.woken.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// A limiter, its waiters, and everything it ever let through.
struct World<'a> {
    limiter: &'a Limiter,
    clock: ManualClock,
    waiters: Vec<Waiter<'a>>,
    arrivals: usize,
    /// (time in ns, tokens)
    admitted: Vec<(u128, u64)>,
    granted: Vec<usize>,
}

impl<'a> World<'a> {
    fn new(limiter: &'a Limiter, clock: &ManualClock) -> Self {
        Self { limiter, clock: clock.clone(), waiters: vec![], arrivals: 0, admitted: vec![], granted: vec![] }
    }

    fn admit(&mut self, tokens: u64) {
        self.admitted.push((self.clock.now().as_nanos(), tokens));
    }

    fn try_acquire(&mut self, home: usize, n: u64) -> bool {
        let allowed = self.limiter.try_acquire_at(home % self.limiter.leases.len(), n).is_ok();
        if allowed {
            assert!(self.limiter.waiters() == 0 || n == 0, "a waiter was overtaken");
            self.admit(n);
        }
        allowed
    }

    fn arrive(&mut self, n: u64, timeout: Option<Duration>) {
        self.waiters.push(Waiter::new(self.limiter, self.arrivals, n, timeout));
        self.arrivals += 1;
    }

    /// Polls waiter number `index` if it was woken.
    fn poll(&mut self, index: usize) -> Option<Result<(), Refused>> {
        let Poll::Ready(result) = self.waiters[index].poll_if_woken() else { return None };
        let waiter = self.waiters.remove(index);
        if result.is_ok() {
            self.admit(waiter.tokens);
            self.granted.push(waiter.arrival);
        }
        Some(result)
    }

    /// Polls until nobody is woken.
    fn settle(&mut self) {
        while let Some(index) = self.waiters.iter().position(|waiter| waiter.woken.0.load(SeqCst)) {
            self.poll(index);
        }
    }

    /// Runs the clock from alarm to alarm until nobody waits.
    fn finish(&mut self) {
        self.settle();
        while !self.waiters.is_empty() {
            let due = self.clock.next_due().expect("a waiter is left without an alarm or a wake-up");
            self.clock.set(due);
            self.settle();
        }
    }

    /// In every window: tokens * period <= burst * period + rate * window.
    fn check_bound(&self, tokens: u64, period_ns: u128, burst: u64) {
        for (i, &(from, _)) in self.admitted.iter().enumerate() {
            let mut sum = 0;
            for &(to, n) in &self.admitted[i..] {
                sum += u128::from(n);
                assert!(
                    sum * period_ns <= u128::from(burst) * period_ns + u128::from(tokens) * (to - from),
                    "{sum} tokens between {from} and {to}"
                );
            }
        }
    }
}

fn limiter(rate: Rate, burst: u64, lease: Duration) -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    let limiter =
        RateLimiter::builder().rate(rate).burst(burst).lease_time(lease).clock(clock.clone()).build().unwrap();
    (limiter, clock)
}

/// From empty to full, and a little more for roundings.
fn time_to_fill(rate: Rate, burst: u64) -> Duration {
    let grid = rate.grid().unwrap();
    Duration::from_nanos(grid.nanos_at(grid.cost(burst)) + 2)
}

const LEASE: Duration = Duration::from_micros(50);

#[derive(Clone, Debug)]
enum Op {
    Advance(u64),
    Try {
        home: usize,
        n: u64,
    },
    /// A run of single tokens at a steady pace: what earns a lease.
    Burst {
        home: usize,
        count: u64,
        pace: u64,
    },
    Arrive {
        n: u64,
        timeout: Option<u64>,
    },
    Poll(usize),
    Cancel(usize),
}

/// Some of one thread, and some of several.
const HOMES: std::ops::Range<usize> = 0..6;

fn op(burst: u64) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => prop_oneof![0u64..100, 0u64..100_000, 0u64..20_000_000].prop_map(Op::Advance),
        3 => (HOMES, 0..=burst).prop_map(|(home, n)| Op::Try { home, n }),
        3 => (HOMES, 1u64..40, 1u64..2_000).prop_map(|(home, count, pace)| Op::Burst { home, count, pace }),
        2 => (1..=burst, prop::option::of(0u64..5_000_000)).prop_map(|(n, timeout)| Op::Arrive { n, timeout }),
        4 => any::<usize>().prop_map(Op::Poll),
        2 => any::<usize>().prop_map(Op::Cancel),
    ]
}

fn apply(world: &mut World<'_>, op: &Op) {
    let waiting = world.waiters.len();
    match *op {
        Op::Advance(nanos) => world.clock.advance(Duration::from_nanos(nanos)),
        Op::Try { home, n } => {
            world.try_acquire(home, n);
        }
        Op::Burst { home, count, pace } => {
            for _ in 0..count {
                world.clock.advance(Duration::from_nanos(pace));
                world.try_acquire(home, 1);
            }
        }
        Op::Arrive { n, timeout } => world.arrive(n, timeout.map(Duration::from_nanos)),
        Op::Poll(index) if waiting > 0 => {
            world.poll(index % waiting);
        }
        Op::Cancel(index) if waiting > 0 => drop(world.waiters.remove(index % waiting)),
        Op::Poll(_) | Op::Cancel(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bound holds in every window of every history, nobody is left waiting, and no token is lost.
    #[test]
    fn never_over_the_bound(
        (burst, ops) in (1u64..200).prop_flat_map(|burst| (Just(burst), prop::collection::vec(op(burst), 1..120))),
        tokens in prop_oneof![Just(1_000u64), Just(1_000_000), Just(3_000_000), Just(999_999_937), 1u64..1_000_000_000],
    ) {
        let rate = Rate::per_second(tokens);
        let (limiter, clock) = limiter(rate, burst, LEASE);
        let mut world = World::new(&limiter, &clock);
        for op in &ops {
            apply(&mut world, op);
        }
        world.finish();
        world.check_bound(tokens, 1_000_000_000, burst);

        limiter.available(); // settles every lease, so that what was spent is charged before the idle time
        clock.advance(time_to_fill(rate, burst));
        prop_assert_eq!(limiter.available(), burst, "a token was lost");
        prop_assert!(world.try_acquire(0, burst));
    }

    /// Without leases, decisions are those of an ideal bucket kept in exact fractions.
    #[test]
    fn decides_as_an_ideal_bucket(
        interval in 1u64..5_000,
        burst in 1u64..50,
        calls in prop::collection::vec((0u64..20_000, 0u64..60), 1..200),
    ) {
        let (limiter, clock) = limiter(Rate::every(Duration::from_nanos(interval)), burst, Duration::ZERO);
        let mut level = burst * interval; // in tokens * interval, so that one nanosecond is worth one
        for (step, n) in calls {
            clock.advance(Duration::from_nanos(step));
            level = (level + step).min(burst * interval);
            let allowed = n * interval <= level;
            let got = limiter.try_acquire(n);
            prop_assert_eq!(got.is_ok(), allowed);
            match got {
                Ok(()) => level -= n * interval,
                Err(Refused::Later { retry_after }) => {
                    prop_assert_eq!(retry_after, Duration::from_nanos(n * interval - level));
                }
                Err(other) => prop_assert_eq!(other, Refused::ExceedsBurst { asked: n, burst }),
            }
        }
    }
}

#[test]
fn leases_are_given_to_hot_threads_and_taken_back_for_others() {
    let (limiter, clock) = limiter(Rate::per_second(1_000_000), 1_000, LEASE);
    for _ in 0..10 {
        clock.advance(Duration::from_nanos(100));
        limiter.try_acquire_at(0, 1).unwrap();
    }
    assert!(limiter.lock().ledger.any_outstanding(), "home 0 is hot");
    let rest = limiter.available();
    assert!((990..=991).contains(&rest), "{rest}");
    assert!(!limiter.lock().ledger.any_outstanding(), "asking for all settles all");
    for _ in 0..10 {
        clock.advance(Duration::from_nanos(100));
        limiter.try_acquire_at(0, 1).unwrap();
    }
    let other = 1 % limiter.leases.len();
    clock.advance(Duration::from_micros(20));
    limiter.try_acquire_at(other, 990).unwrap();
}

/// leaky-bucket#30: tokens do not pile up past the burst, however long nobody came.
#[test]
fn an_idle_year_is_worth_one_burst() {
    for lease in [Duration::ZERO, LEASE] {
        let (limiter, clock) = limiter(Rate::per_second(1_000), 10, lease);
        for year in 0..3 {
            let taken = (0..1_000).filter(|_| limiter.try_acquire(1).is_ok()).count();
            assert_eq!(taken, 10, "year {year}");
            clock.advance(Duration::from_secs(366 * 86_400));
        }
    }
}

/// golang/go#71360: a clock that steps back gives nothing for the time it lives through twice.
#[test]
fn a_clock_that_steps_back_mints_nothing() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut taken = 0;
    for step in 0..1_000 {
        clock.set(Duration::from_millis(if step % 2 == 0 { 50 } else { 0 }));
        taken += (0..100).filter(|_| limiter.try_acquire(1).is_ok()).count();
    }
    assert_eq!(taken, 10);
}

/// governor#39's neighbour and leaky-bucket#20: a large request is not starved, and small ones do not pass it.
#[test]
fn a_large_request_is_served_before_the_small_ones_behind_it() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(10, None);
    world.settle();
    for _ in 0..5 {
        world.arrive(1, None);
    }
    world.settle();
    clock.advance(Duration::from_millis(9));
    assert!(!world.try_acquire(0, 1), "nine tokens are there, and they are spoken for");
    world.finish();
    assert_eq!(world.granted, [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.admitted[1], (10_000_000, 10));
    assert_eq!(world.admitted[6], (15_000_000, 1));
}

/// tower-resilience#363, leaky-bucket#39: waiters dropped in every state give back what they held, and only that.
#[test]
fn a_dropped_waiter_lets_the_next_one_go_at_its_own_time() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(8, None);
    world.arrive(3, None);
    world.settle();
    assert_eq!(clock.next_due(), Some(Duration::from_millis(8)), "the head's tokens");
    drop(world.waiters.remove(0));
    world.settle();
    assert_eq!(clock.next_due(), Some(Duration::from_millis(3)), "the new head's tokens");
    world.finish();
    assert_eq!(world.admitted[1], (3_000_000, 3));
}

#[test]
fn a_grant_that_is_never_collected_goes_to_the_next() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 2, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 2));
    world.arrive(2, None);
    world.arrive(2, None);
    world.settle();
    clock.advance(Duration::from_millis(2));
    limiter.available(); // a pass: the first waiter is granted and woken, but does not run
    assert_eq!(limiter.waiters(), 1);
    drop(world.waiters.remove(0));
    world.settle();
    assert_eq!(world.admitted[1], (2_000_000, 2), "at once, and not two milliseconds later");
}

#[test]
fn the_queue_is_bounded() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().rate(Rate::per_second(1)).max_waiters(1).clock(clock.clone()).build().unwrap();
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 1));
    world.arrive(1, None);
    world.settle();
    world.arrive(1, None);
    assert_eq!(world.poll(1), Some(Err(Refused::QueueFull { waiters: 1 })));
}

#[test]
fn a_deadline_that_cannot_suffice_is_refused_at_once_with_the_wait() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 10));
    world.arrive(4, None);
    world.settle();
    world.arrive(3, Some(Duration::from_millis(7)));
    world.arrive(1, Some(Duration::from_nanos(7_999_999)));
    assert_eq!(world.poll(1), None, "exactly enough");
    assert_eq!(world.poll(2), Some(Err(Refused::Later { retry_after: Duration::from_millis(8) })));
    world.finish();
    assert_eq!(world.granted, [0, 1]);
}

/// The estimate was right when given, but the one ahead does not collect: the deadline still holds.
#[test]
fn a_deadline_holds_when_those_ahead_are_slow() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 1, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 1));
    world.arrive(1, None);
    world.arrive(1, Some(Duration::from_millis(3)));
    world.settle();
    clock.set(Duration::from_millis(3));
    limiter.available(); // grants the first, who does not run
    assert!(matches!(world.poll(1), Some(Err(Refused::Later { .. }))));
    world.finish();
    assert_eq!(world.granted, [0]);
}

/// A clock that is read once per turn of an event loop lags behind its timer.
#[test]
fn a_sleep_that_ends_early_does_not_keep_the_thread() {
    #[derive(Debug)]
    struct Eager(ManualClock);
    impl Clock for Eager {
        type Instant = Duration;
        fn now(&self) -> Duration {
            self.0.now()
        }
        async fn sleep_until(&self, _: Duration) {}
    }
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().rate(Rate::per_second(1_000)).clock(Eager(clock.clone())).build().unwrap();
    limiter.try_acquire(1).unwrap();
    let mut wait = Box::pin(limiter.acquire(1));
    let mut poll = || wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    for _ in 0..10 {
        assert_eq!(poll(), Poll::Pending);
    }
    clock.advance(Duration::from_millis(1));
    assert!((0..2).any(|_| poll() == Poll::Ready(Ok(()))));
}

#[test]
fn more_than_the_burst_is_refused_by_every_call() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10, LEASE);
    let refused = Refused::ExceedsBurst { asked: 11, burst: 10 };
    assert_eq!(limiter.try_acquire(11), Err(refused.clone()));
    assert_eq!(refused.retry_after(), None);
    let mut world = World::new(&limiter, &clock);
    world.arrive(11, None);
    assert_eq!(world.poll(0), Some(Err(refused)));
    assert_eq!(limiter.available(), 10);
}

#[test]
fn nothing_is_asked_for_and_nothing_taken() {
    let (limiter, clock) = limiter(Rate::per_second(1), 1, LEASE);
    let mut world = World::new(&limiter, &clock);
    assert!(world.try_acquire(0, 1) && world.try_acquire(0, 0));
    assert_eq!(limiter.available(), 0);
}

#[test]
fn senseless_options_are_named() {
    let rate = Rate::per_day(1);
    let most = (1u64 << 62) / 86_400_000_000_000;
    for (builder, expected) in [
        (RateLimiter::builder(), InvalidLimiter::NoRate),
        (RateLimiter::builder().rate(rate).burst(0), InvalidLimiter::NoBurst),
        (RateLimiter::builder().rate(rate).burst(most + 1), InvalidLimiter::Burst { asked: most + 1, most }),
        (RateLimiter::builder().rate(Rate::per_second(0)), InvalidLimiter::Rate(Rate::per_second(0))),
    ] {
        assert_eq!(builder.build().unwrap_err(), expected);
    }
}
