//! Rate limiters: one call that is allowed, and one that is refused.

use std::{num::NonZeroU32, time::Duration};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use governor::{DefaultDirectRateLimiter, Quota};
use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};
use tidemill::resilience::{Rate, RateLimiter};

pub(crate) const ROW: Row = Row {
    section: 5,
    name: "limiter",
    measures: "asking a token bucket without waiting: always allowed, and always refused; one thread, and two on one bucket",
    leaves_out: "waiting for a token, keyed limits, and whether the bound is kept (the tests of resilience do that)",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

const PLENTY: u32 = 1_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// What the workload needs from a limiter.
trait Limiter: Sync + 'static {
    /// So many at once, and as many per second.
    fn generous() -> Self;
    /// One per hour.
    fn strict() -> Self;
    fn allows(&self) -> bool;
}

fn benches() -> Vec<Bench> {
    [1, 2].into_iter().flat_map(|threads| [allowed(threads), refused(threads)]).collect()
}

fn allowed(threads: u64) -> Bench {
    let floor = Case::floor("floor: an atomic write", move || {
        let word = AtomicU64::new(0);
        // Relaxed: what it costs does not depend on it here.
        let allows = move || black_box(word.fetch_add(1, Ordering::Relaxed)) < u64::MAX;
        move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(allows())).sum())
    });
    let cases = vec![
        case::<RateLimiter>("tidemill", threads),
        case::<DefaultDirectRateLimiter>("governor", threads),
        case::<ratelimit::Ratelimiter>("ratelimit", threads),
        case::<leaky_bucket::RateLimiter>("leaky-bucket", threads),
        floor,
    ];
    Bench::counted(format!("allowed, {threads} thread(s)"), 500_000, cases)
}

fn case<L: Limiter>(name: &'static str, threads: u64) -> Case {
    Case::new(name, move || {
        let limiter = L::generous();
        move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(limiter.allows())).sum())
    })
}

fn refused(threads: u64) -> Bench {
    let cases = vec![
        strict::<RateLimiter>("tidemill", threads),
        strict::<DefaultDirectRateLimiter>("governor", threads),
        strict::<ratelimit::Ratelimiter>("ratelimit", threads),
        strict::<leaky_bucket::RateLimiter>("leaky-bucket", threads),
    ];
    Bench::counted(format!("refused, {threads} thread(s)"), 500_000, cases)
}

fn strict<L: Limiter>(name: &'static str, threads: u64) -> Case {
    Case::new(name, move || {
        let limiter = L::strict();
        // The only one of this hour.
        black_box(limiter.allows());
        move |ops| Lap::on_threads(threads, ops, |part| (0..part).map(|_| u64::from(!limiter.allows())).sum())
    })
}

impl Limiter for RateLimiter {
    fn generous() -> Self {
        let builder = Self::builder().rate(Rate::per_second(PLENTY.into())).burst(PLENTY.into());
        builder.build().expect("the options are valid")
    }

    fn strict() -> Self {
        Self::builder().rate(Rate::per_day(24)).burst(1).build().expect("the options are valid")
    }

    fn allows(&self) -> bool {
        self.try_acquire(1).is_ok()
    }
}

impl Limiter for DefaultDirectRateLimiter {
    fn generous() -> Self {
        let plenty = NonZeroU32::new(PLENTY).expect("not zero");
        Self::direct(Quota::per_second(plenty).allow_burst(plenty))
    }

    fn strict() -> Self {
        Self::direct(Quota::with_period(HOUR).expect("not zero"))
    }

    fn allows(&self) -> bool {
        self.check().is_ok()
    }
}

impl Limiter for ratelimit::Ratelimiter {
    fn generous() -> Self {
        let (rate, all) = (PLENTY.into(), PLENTY.into());
        Self::builder(rate).max_tokens(all).initial_available(all).build().expect("the options are valid")
    }

    fn strict() -> Self {
        Self::builder(1).period(HOUR).max_tokens(1).initial_available(1).build().expect("the options are valid")
    }

    fn allows(&self) -> bool {
        self.try_wait().is_ok()
    }
}

impl Limiter for leaky_bucket::RateLimiter {
    fn generous() -> Self {
        let all = PLENTY as usize;
        Self::builder().max(all).initial(all).refill(all).interval(Duration::from_secs(1)).build()
    }

    fn strict() -> Self {
        Self::builder().max(1).initial(1).refill(1).interval(HOUR).build()
    }

    fn allows(&self) -> bool {
        self.try_acquire(1)
    }
}
