//! What a call costs, beside the fastest peer and the floor: `cargo run --release --example resilience_speed`,
//! or one part of it with `-- allowed`, `-- refused`, `-- keyed`, `-- retry`, `-- breaker`, `-- breaker-open`, `-- bulkhead`.
//!
//! In each round all contenders run in turn, so that a machine that changes pace changes it for all of them. A line shows
//! the best round, the median round, and the median of the rounds' ratios to the first line.

#[path = "speed/breaker.rs"]
mod breaker;
#[path = "speed/bulkhead.rs"]
mod bulkhead;
#[path = "speed/retry.rs"]
mod retry;

use std::{
    hint::black_box,
    num::NonZeroU32,
    pin::pin,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter as Governor,
    clock::{Clock as _, QuantaClock, QuantaInstant, Reference as _},
};
use tidemill_resilience::{Clock, KeyedRateLimiter, Rate, RateLimiter};

const ROUNDS: usize = 101;
const CALLS: u32 = 100_000;
const PLENTY: u32 = 1_000_000_000;

/// Something to measure: a name and how many threads call it, and the call.
struct Contender<'a> {
    name: &'static str,
    threads: usize,
    call: &'a (dyn Fn(u32) + Sync),
}

impl Contender<'_> {
    /// Nanoseconds per call as one thread sees it.
    fn round(&self) -> f64 {
        let start = Barrier::new(self.threads);
        let each = || {
            start.wait();
            let began = Instant::now();
            (self.call)(CALLS);
            began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(each)).collect();
            let times = threads.into_iter().map(|thread| thread.join().expect("a call does not panic"));
            times.sum::<f64>() / self.threads as f64
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs all contenders in turn and prints each beside the first.
fn compare(title: &str, contenders: &[Contender<'_>]) {
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.round());
        }
    }
    println!("{title:<46} {:>8} {:>8}", "best", "median");
    for (contender, own) in contenders.iter().zip(&times) {
        let ratios = times[0].iter().zip(own).map(|(first, own)| own / first).collect();
        let best = own.iter().copied().fold(f64::INFINITY, f64::min);
        println!("  {:<44} {best:>8.2} {:>8.2} ns  x {:.2}", contender.name, median(own.clone()), median(ratios));
    }
}

/// The clock that governor reads: the processor's own counter instead of the system's clock.
#[derive(Debug)]
struct Counter {
    clock: QuantaClock,
    origin: QuantaInstant,
}

impl Counter {
    fn new() -> Self {
        let clock = QuantaClock::default();
        Self { origin: clock.now(), clock }
    }
}

impl Clock for Counter {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.clock.now().duration_since(self.origin).into()
    }

    async fn sleep_until(&self, at: Duration) {
        tokio::time::sleep(at.saturating_sub(Clock::now(self))).await;
    }
}

/// A loop the compiler cannot fold, around `call`.
fn repeat(call: impl Fn() -> bool + Sync) -> impl Fn(u32) + Sync {
    move |calls| {
        for _ in 0..calls {
            black_box(call());
        }
    }
}

fn ours(rate: Rate, burst: u64) -> RateLimiter {
    RateLimiter::builder().rate(rate).burst(burst).build().expect("the options are sound")
}

fn peer(per_second: u32, burst: u32) -> DefaultDirectRateLimiter {
    let nonzero = |n| NonZeroU32::new(n).expect("not zero");
    Governor::direct(Quota::per_second(nonzero(per_second)).allow_burst(nonzero(burst)))
}

fn limiter_allowed() {
    let (large, small) =
        (ours(Rate::per_second(PLENTY.into()), PLENTY.into()), ours(Rate::per_second(PLENTY.into()), 100));
    let governor = peer(PLENTY, PLENTY);
    let word = AtomicU64::new(0);
    let floor = repeat(|| word.fetch_add(1, Relaxed) > 0);
    let ours = repeat(|| large.try_acquire(1).is_ok());
    let ours_small = repeat(|| small.try_acquire(1).is_ok());
    let theirs = repeat(|| governor.check().is_ok());
    let clock = repeat(|| Instant::now() > Instant::now());
    for (title, threads) in [("limiter, allowed, one thread", 1), ("limiter, allowed, two threads on one limiter", 2)] {
        compare(
            title,
            &[
                Contender { name: "tidemill", threads, call: &ours },
                Contender { name: "tidemill, burst 100", threads, call: &ours_small },
                Contender { name: "governor", threads, call: &theirs },
                Contender { name: "floor: one shared fetch_add", threads, call: &floor },
                Contender { name: "floor: two clock reads", threads, call: &clock },
            ],
        );
    }
}

fn limiter_refused() {
    let (limiter, governor) = (ours(Rate::per_day(1), 1), peer(1, 1));
    let counting = RateLimiter::builder().rate(Rate::per_day(1)).clock(Counter::new()).build().expect("sound");
    black_box((limiter.try_acquire(1).is_ok(), counting.try_acquire(1).is_ok(), governor.check().is_ok()));
    let ours = repeat(|| limiter.try_acquire(1).is_ok());
    let ours_counting = repeat(|| counting.try_acquire(1).is_ok());
    let theirs = repeat(|| governor.check().is_ok());
    for (title, threads) in [("limiter, refused, one thread", 1), ("limiter, refused, two threads", 2)] {
        compare(
            title,
            &[
                Contender { name: "tidemill", threads, call: &ours },
                Contender { name: "tidemill, by the processor's counter", threads, call: &ours_counting },
                Contender { name: "governor", threads, call: &theirs },
            ],
        );
    }
}

/// Ten thousand keys in turn, in an order that does not repeat soon.
fn limiter_keyed() {
    const KEYS: u64 = 10_000;
    let keyed = |lease: Duration| {
        let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(PLENTY.into())).burst(PLENTY.into());
        builder.lease_time(lease).max_keys(KEYS as usize).build().expect("the options are sound")
    };
    let (leasing, plain) = (keyed(Duration::from_millis(50)), keyed(Duration::ZERO));
    let nonzero = NonZeroU32::new(PLENTY).expect("not zero");
    let governor = Governor::dashmap(Quota::per_second(nonzero).allow_burst(nonzero));
    let over_keys = |call: &(dyn Fn(&u64) -> bool + Sync), calls: u32| {
        let mut key = 0;
        for _ in 0..calls {
            key = (key + 7_919) % KEYS;
            black_box(call(&key));
        }
    };
    let ours = |calls| over_keys(&|key| leasing.try_acquire(key, 1).is_ok(), calls);
    let ours_plain = |calls| over_keys(&|key| plain.try_acquire(key, 1).is_ok(), calls);
    let theirs = |calls| over_keys(&|key| governor.check_key(key).is_ok(), calls);
    let loop_alone = |calls| over_keys(&|key| *key > 0, calls);
    for (title, threads) in [("keyed limiter, 10,000 keys, one thread", 1), ("keyed limiter, two threads", 2)] {
        compare(
            title,
            &[
                Contender { name: "tidemill", threads, call: &ours },
                Contender { name: "tidemill, without leases", threads, call: &ours_plain },
                Contender { name: "governor, DashMap", threads, call: &theirs },
                Contender { name: "the loop alone", threads, call: &loop_alone },
            ],
        );
    }
}

/// Polls once a future that is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}

fn main() {
    let only = std::env::args().nth(1);
    let parts = [
        ("allowed", limiter_allowed as fn()),
        ("refused", limiter_refused),
        ("keyed", limiter_keyed),
        ("retry", retry::first_try),
        ("breaker", breaker::closed),
        ("breaker-open", breaker::open),
        ("bulkhead", bulkhead::free),
    ];
    for (name, part) in parts {
        if only.as_deref().is_none_or(|only| only == name) {
            part();
        }
    }
}
