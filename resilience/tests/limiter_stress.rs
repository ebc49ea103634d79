//! Real threads on the real clock: the bound holds in every window, and cancelled waiters lose nothing.
//!
//! An admission happens somewhere between the time before the call and the time after it. So the admissions that lie
//! wholly within a window, by their outer times, are some of those in it, and may not be more than its bound.
#![allow(clippy::unwrap_used)]

use std::{
    hint,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tidemill_resilience::{KeyedRateLimiter, Rate, RateLimiter};
use tokio::{runtime, time::timeout};

const THREADS: u64 = 4;
const RUN: Duration = Duration::from_millis(60);

/// Windows checked per run, spread over all starts.
const WINDOWS: usize = 100;

#[derive(Clone, Copy)]
struct Admission {
    before: Duration,
    after: Duration,
    tokens: u64,
}

/// A run of some threads, that lasts until it has admitted more than the bucket held, on however busy a machine.
struct Run {
    epoch: Instant,
    burst: u64,
    admitted: AtomicU64,
}

impl Run {
    fn goes_on(&self) -> bool {
        self.epoch.elapsed() < RUN || self.admitted.load(Relaxed) <= self.burst
    }

    fn admit(&self, before: Duration, tokens: u64) -> Admission {
        self.admitted.fetch_add(tokens, Relaxed);
        Admission { before, after: self.epoch.elapsed(), tokens }
    }
}

/// Runs `work` on every thread and returns what was admitted.
fn hammer(burst: u64, work: impl Fn(u64, &Run) -> Vec<Admission> + Sync) -> Vec<Admission> {
    let run = Run { epoch: Instant::now(), burst, admitted: AtomicU64::new(0) };
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (work, start, run) = (&work, &start, &run);
                scope.spawn(move || {
                    start.wait();
                    work(seed, run)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn check_bound(mut admissions: Vec<Admission>, per_second: u64, burst: u64) {
    admissions.sort_by_key(|admission| admission.after);
    assert!(admissions.iter().map(|admission| admission.tokens).sum::<u64>() > burst, "the run refilled the bucket");
    let step = admissions.len().div_ceil(WINDOWS);
    for from in admissions.iter().step_by(step).map(|admission| admission.before) {
        let mut sum = 0u128;
        for admission in admissions.iter().filter(|admission| admission.before >= from) {
            sum += u128::from(admission.tokens);
            let window = (admission.after - from).as_nanos();
            let bound = u128::from(burst) * 1_000_000_000 + u128::from(per_second) * window;
            assert!(sum * 1_000_000_000 <= bound, "{sum} tokens in {window} ns from {from:?}");
        }
    }
}

/// better-bucket 1.0, golang/go#71360: over the bound under contention. From scarce to plenty, so that refusals, single
/// taking and leases all meet.
#[test]
fn the_bound_holds_under_contention() {
    for (per_second, burst) in [(100_000, 64), (3_000_000, 1_000), (50_000_000, 20_000)] {
        let limiter = RateLimiter::builder().rate(Rate::per_second(per_second)).burst(burst).build().unwrap();
        let admissions = hammer(burst, |seed, run| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut admitted = vec![];
            while run.goes_on() {
                let tokens = if random.u8(..) < 250 { 1 } else { random.u64(1..=burst / 8) };
                let before = run.epoch.elapsed();
                if limiter.try_acquire(tokens).is_ok() {
                    admitted.push(run.admit(before, tokens));
                }
            }
            admitted
        });
        check_bound(admissions, per_second, burst);
    }
}

/// All tokens are there from the start. Two threads spend them from leases, by plain stores, while a third asks what is available and so
/// takes the leases back all the time: as many go out, and not one more. (That the fence is one, a test in `asymmetric` shows.)
fn spend_and_take_back(burst: u64, take: impl Fn() -> bool + Sync, available: impl Fn() -> u64) {
    let (start, began) = (Barrier::new(3), Instant::now());
    let spend = || {
        start.wait();
        let mut taken = 0;
        while take() {
            taken += 1;
        }
        taken
    };
    let (taken, looks) = thread::scope(|scope| {
        let spenders = [scope.spawn(spend), scope.spawn(spend)];
        start.wait();
        let mut looks = 0u64;
        while available() > 0 {
            looks += 1;
            for _ in 0..fastrand::u32(..500) {
                hint::spin_loop();
            }
        }
        (spenders.map(|spender| spender.join().unwrap()).into_iter().sum::<u64>(), looks)
    });
    let left = available();
    let brought = began.elapsed().as_secs() / 60 + 1;
    assert!((burst..=burst + brought).contains(&(taken + left)), "{taken} and {left} left after {looks} looks");
}

const MANY: u64 = 3_000_000;

#[test]
fn what_is_spent_while_a_lease_is_taken_back_is_counted() {
    let limiter = RateLimiter::builder().rate(Rate::per_minute(1)).burst(MANY).build().unwrap();
    spend_and_take_back(MANY, || limiter.try_acquire(1).is_ok(), || limiter.available());
}

#[test]
fn what_is_spent_while_a_lease_of_a_key_is_taken_back_is_counted() {
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_minute(1)).burst(MANY).max_keys(10);
    let limiter = builder.build().unwrap();
    spend_and_take_back(MANY, || limiter.try_acquire(&7, 1).is_ok(), || limiter.available(&7));
}

/// leaky-bucket#39, mobc#63: threads that wait, give up at random and try in between neither pass the bound nor wedge it.
#[test]
fn cancelled_waiters_neither_mint_nor_lose() {
    const PER_SECOND: u64 = 100_000;
    const BURST: u64 = 50;
    let limiter = RateLimiter::builder().rate(Rate::per_second(PER_SECOND)).burst(BURST).build().unwrap();
    let admissions = hammer(BURST, |seed, run| {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut admitted = vec![];
        runtime.block_on(async {
            while run.goes_on() {
                let tokens = random.u64(1..=BURST);
                let patience = Duration::from_micros(random.u64(0..3_000));
                let before = run.epoch.elapsed();
                let allowed = match random.u8(0..3) {
                    0 => limiter.try_acquire(tokens).is_ok(),
                    1 => limiter.acquire_within(tokens, patience).await.is_ok(),
                    _ => timeout(patience, limiter.acquire(tokens)).await.is_ok(),
                };
                if allowed {
                    admitted.push(run.admit(before, tokens));
                }
            }
        });
        admitted
    });
    check_bound(admissions, PER_SECOND, BURST);
    assert_eq!(limiter.waiters(), 0);
    limiter.available(); // settles what is leased
    let full = Instant::now() + Duration::from_micros(10 * BURST);
    while limiter.available() < BURST {
        assert!(Instant::now() < full + Duration::from_secs(5), "tokens were lost: {limiter:?}");
        thread::yield_now();
    }
}

/// The bound of a key under contention, while others push it out of a table of one set again and again.
#[test]
fn the_bound_of_a_key_holds_under_contention_and_eviction() {
    for (per_second, burst) in [(100_000, 64), (20_000_000, 10_000)] {
        let limiter = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(per_second)).burst(burst).max_keys(1);
        let limiter = limiter.build().unwrap();
        let admissions = hammer(burst, |seed, run| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut admitted = vec![];
            while run.goes_on() {
                let (key, tokens) =
                    if random.u8(..) < 200 { (0, 1) } else { (random.u64(0..12), random.u64(1..=burst / 8)) };
                let before = run.epoch.elapsed();
                if limiter.try_acquire(&key, tokens).is_ok() && key == 0 {
                    admitted.push(run.admit(before, tokens));
                }
            }
            admitted
        });
        check_bound(admissions, per_second, burst);
    }
}
