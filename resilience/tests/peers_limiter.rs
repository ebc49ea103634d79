//! What went wrong in other limiters, done to ours. A name begins with the project and the number of the issue.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tidemill_resilience::{
    AllOf, Clock, FixedWindow, KeyedRateLimiter, ManualClock, Metered, Rate, RateLimiter, Refused, SlidingLog,
    SlidingWindow, WarmUp,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Limiter = Arc<RateLimiter<ManualClock>>;
type Wait = Pin<Box<dyn Future<Output = Result<(), Refused>>>>;

fn limiter(rate: Rate, burst: u64) -> (Limiter, ManualClock) {
    let clock = ManualClock::new();
    (Arc::new(RateLimiter::builder().rate(rate).burst(burst).clock(clock.clone()).build().unwrap()), clock)
}

fn wait(limiter: &Limiter, n: u64) -> Wait {
    let limiter = Arc::clone(limiter);
    Box::pin(async move { limiter.acquire(n).await })
}

fn poll(wait: &mut Wait) -> Poll<Result<(), Refused>> {
    wait.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn take_all(take: impl Fn() -> bool) -> usize {
    (0..100_000).take_while(|_| take()).count()
}

/// Callers that read the clock before they got the lock saw time go back, and the limit passed 5000-fold.
#[test]
fn go_71360_time_that_goes_back_between_callers_mints_nothing() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10);
    let mut taken = 0;
    for turn in 0..10_000 {
        clock.set(if turn % 2 == 0 { 20 * MS } else { 15 * MS });
        taken += take_all(|| limiter.try_acquire(1).is_ok());
    }
    assert_eq!(taken, 10);
}

/// A rate or burst of zero, a call for more than the burst, refused calls: each changed the state there.
#[test]
fn go_43858_47221_68541_52584_failed_calls_change_nothing() {
    let (limiter, clock) = limiter(Rate::per_second(10), 5);
    assert_eq!(take_all(|| limiter.try_acquire(1).is_ok()), 5);
    for _ in 0..99 {
        clock.advance(MS);
        assert!(limiter.try_acquire(1).is_err() && limiter.try_acquire(6).is_err());
        assert!(limiter.change(Rate::per_second(0), 5).is_err() && limiter.change(Rate::per_second(1), 0).is_err());
        assert!(limiter.try_acquire(0).is_ok());
    }
    clock.advance(MS);
    assert_eq!(limiter.available(), 1, "on time to the millisecond");
}

/// A waiter that was woken, found nothing and waited again went through without a permit.
#[test]
fn tower_resilience_363_a_second_wait_takes_its_permit_as_well() {
    let (limiter, clock) = limiter(Rate::per_second(10), 1);
    limiter.try_acquire(1).unwrap();
    let mut waits: Vec<_> = (0..20).map(|_| wait(&limiter, 1)).collect();
    for step in 1..=20 {
        // Everybody looks every 50 ms, whoever's turn it is.
        let before = waits.len();
        waits.retain_mut(|wait| poll(wait).is_pending());
        assert_eq!(before - waits.len(), usize::from(step > 1 && step % 2 == 1), "in step {step}");
        clock.advance(50 * MS);
    }
}

/// Dropped waiters wrote a stale count back: tokens were lost, and in the end nobody got any.
#[test]
fn leaky_bucket_39_dropped_waiters_neither_wedge_it_nor_lose_tokens() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10);
    for round in 0..1_000 {
        take_all(|| limiter.try_acquire(1).is_ok());
        let mut waits: Vec<_> = (0..5).map(|_| wait(&limiter, 3)).collect();
        assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
        clock.advance(MS * (round % 7));
        waits.iter_mut().skip(2).for_each(|wait| drop(poll(wait)));
        drop(waits);
        clock.advance(10 * MS);
        assert_eq!(limiter.available(), 10, "in round {round}");
    }
}

#[tokio::test]
async fn leaky_bucket_34_waiters_are_bounded_and_refused_early() {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().rate(Rate::per_second(10)).max_waiters(2);
    let limiter = Arc::new(builder.clock(clock).build().unwrap());
    limiter.try_acquire(1).unwrap();
    let mut waits = [wait(&limiter, 1), wait(&limiter, 1), wait(&limiter, 1)];
    assert!(poll(&mut waits[0]).is_pending() && poll(&mut waits[1]).is_pending());
    assert_eq!(poll(&mut waits[2]), Poll::Ready(Err(Refused::QueueFull { waiters: 2 })));
    let refused = limiter.acquire_within(1, 299 * MS).await;
    assert_eq!(refused, Err(Refused::Later { retry_after: 300 * MS }));
}

#[test]
fn leaky_bucket_20_try_acquire_does_not_pass_the_queue() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10);
    limiter.try_acquire(10).unwrap();
    let mut first = wait(&limiter, 10);
    assert!(poll(&mut first).is_pending());
    clock.advance(9 * MS);
    assert!(limiter.try_acquire(1).is_err());
    clock.advance(MS);
    assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
}

#[test]
fn leaky_bucket_30_a_long_idle_time_is_worth_one_burst() {
    let (limiter, clock) = limiter(Rate::per_second(1_000), 10);
    clock.advance(SECOND * 86_400 * 3_650);
    assert_eq!(take_all(|| limiter.try_acquire(1).is_ok()), 10);
}

/// Half as much again as the quota, and one cell more than the burst.
#[test]
fn governor_16_107_249_251_not_one_more_than_the_quota() {
    let (limiter, clock) = limiter(Rate::per_second(20), 20);
    let mut taken = 0;
    for _ in 0..10_000 {
        taken += take_all(|| limiter.try_acquire(1).is_ok());
        clock.advance(MS);
    }
    taken += take_all(|| limiter.try_acquire(1).is_ok());
    assert_eq!(taken, 20 + 200);
}

#[test]
fn governor_39_273_a_changed_quota_keeps_its_state() {
    let (limiter, _) = limiter(Rate::per_second(10), 100);
    limiter.try_acquire(90).unwrap();
    limiter.change(Rate::per_second(1_000), 100).unwrap();
    assert_eq!(limiter.available(), 10);
    limiter.change(Rate::per_second(1), 5).unwrap();
    assert_eq!(limiter.available(), 5);
}

/// A flood of keys was a denial of service by memory; and evicting must not let the flooder off.
#[test]
fn governor_171_a_flood_of_keys_costs_nothing_and_frees_nobody() {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_minute(1)).max_keys(100);
    let limiter = builder.clock(clock).build().unwrap();
    let bytes = limiter.table_bytes();
    let admitted = (0..50_000u64).filter(|i| limiter.try_acquire(&(i % 1_000), 1).is_ok()).count();
    assert!(admitted <= 1_000, "{admitted} of a thousand keys with one token each");
    assert_eq!(limiter.table_bytes(), bytes);
}

/// "Never more than N in any window" is not what a bucket with a burst promises; these do.
#[test]
fn governor_219_never_more_than_the_limit_in_any_window() {
    let clock = ManualClock::new();
    let log = Metered::builder(SlidingLog::of(10, SECOND)).clock(clock.clone()).build().unwrap();
    let parts = Metered::builder(SlidingWindow::of(10, SECOND, 10)).clock(clock.clone()).build().unwrap();
    let mut admitted: [Vec<Duration>; 2] = Default::default();
    for _ in 0..500 {
        for (admitted, taken) in admitted.iter_mut().zip([log.try_acquire(1).is_ok(), parts.try_acquire(1).is_ok()]) {
            admitted.extend(taken.then(|| clock.now()));
        }
        clock.advance(17 * MS);
    }
    for admitted in admitted {
        assert!(admitted.windows(11).all(|window| window[10] - window[0] >= SECOND));
        assert!(admitted.len() > 70, "{}", admitted.len());
    }
}

/// A wait was cancelled because its reservation failed, and the tokens of the reservation were gone.
#[test]
fn cadence_6721_a_failed_or_cancelled_reservation_takes_nothing() {
    let (limiter, clock) = limiter(Rate::per_second(10), 5);
    let held = limiter.try_reserve(4).unwrap();
    for _ in 0..1_000 {
        assert!(limiter.try_reserve(2).is_err());
        drop(wait(&limiter, 2));
        let mut begun = wait(&limiter, 2);
        assert!(poll(&mut begun).is_pending());
    }
    assert_eq!(limiter.available(), 1);
    drop(held);
    assert_eq!(limiter.available(), 5);
    clock.advance(SECOND);
    assert_eq!(limiter.available(), 5);
}

/// A grant and a cancel at the same time: the grant was given to nobody.
#[test]
fn cross_media_measurement_4444_a_grant_that_meets_a_cancel_goes_to_the_next() {
    let (limiter, clock) = limiter(Rate::per_second(10), 1);
    limiter.try_acquire(1).unwrap();
    let (mut first, mut second) = (wait(&limiter, 1), wait(&limiter, 1));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    clock.advance(100 * MS);
    assert_eq!(limiter.waiters(), 2);
    assert!(poll(&mut second).is_pending(), "this look has granted the first, who does not run");
    assert_eq!(limiter.waiters(), 1);
    drop(first);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
}

/// The time of the last refill was rounded forward at each look, and the fractions in between were lost.
#[test]
fn firecracker_3370_looking_often_loses_no_fraction_of_a_token() {
    let (limiter, clock) = limiter(Rate::per_second(3), 3);
    let mut taken = take_all(|| limiter.try_acquire(1).is_ok());
    for _ in 0..100_000 {
        clock.advance(Duration::from_micros(100));
        limiter.available();
        taken += usize::from(limiter.try_acquire(1).is_ok());
    }
    assert_eq!(taken, 3 + 30);
}

#[test]
fn bucket4j_42_45_76_133_261_limits_change_live_by_a_stated_rule() {
    let (limiter, clock) = limiter(Rate::per_second(1), 10);
    limiter.try_acquire(8).unwrap();
    let mut waiting = wait(&limiter, 6);
    assert!(poll(&mut waiting).is_pending());
    limiter.change(Rate::per_second(1_000), 20).unwrap();
    clock.advance(3 * MS);
    assert!(poll(&mut waiting).is_pending());
    clock.advance(MS);
    assert_eq!(poll(&mut waiting), Poll::Ready(Ok(())), "two tokens were kept, four came at the new rate");
}

/// The chained limiter charged the first limit again for each try at the second (#113314); which one refused was not told.
#[test]
fn dotnet_113314_130114_no_limit_is_charged_for_what_another_refused() {
    let (wide, _) = limiter(Rate::per_day(1), 100);
    let (narrow, _) = limiter(Rate::per_day(1), 1);
    let both = AllOf::builder().limit("wide", Arc::clone(&wide)).limit("narrow", narrow).build();
    both.try_acquire(1).unwrap();
    for _ in 0..50 {
        assert_eq!(both.try_acquire(1).unwrap_err().name, "narrow");
    }
    assert_eq!(wide.available(), 99);
}

/// With the newest first, the wait that was told was that of the oldest.
#[test]
fn dotnet_77991_the_wait_that_is_told_counts_those_ahead() {
    let (limiter, _) = limiter(Rate::per_second(10), 1);
    limiter.try_acquire(1).unwrap();
    let mut ahead = [wait(&limiter, 1), wait(&limiter, 1)];
    assert!(ahead.iter_mut().all(|wait| poll(wait).is_pending()));
    assert_eq!(limiter.try_acquire(1), Err(Refused::Later { retry_after: 300 * MS }));
}

/// Idle partitions stayed for ever.
#[test]
fn dotnet_68776_idle_keys_make_room_by_themselves() {
    let clock = ManualClock::new();
    let builder = KeyedRateLimiter::<u64>::builder().rate(Rate::per_second(1_000)).burst(5).max_keys(8);
    let limiter = builder.clock(clock.clone()).build().unwrap();
    for key in 0..10_000 {
        assert!(limiter.try_acquire(&key, 5).is_ok(), "{key}");
        clock.advance(5 * MS);
    }
}

/// Denied calls were counted (#185), and those denied by one descriptor charged to the others (#440, #443).
#[test]
fn envoy_185_440_443_denied_calls_are_not_counted() {
    let clock = ManualClock::new();
    let window = Metered::builder(FixedWindow::of(10, SECOND)).clock(clock.clone()).build().unwrap();
    window.try_acquire(9).unwrap();
    assert!((0..1_000).all(|_| window.try_acquire(2).is_err()));
    window.try_acquire(1).unwrap();
    clock.advance(SECOND);
    window.try_acquire(10).unwrap();
}

/// The slack that idle time earns grew without end, so that there was no limit at all.
#[test]
fn uber_119_idle_time_earns_no_more_than_the_burst() {
    let (limiter, clock) = limiter(Rate::per_second(100), 10);
    for _ in 0..100 {
        clock.advance(SECOND * 60);
        assert_eq!(take_all(|| limiter.try_acquire(1).is_ok()), 10);
    }
}

/// There was no way to try without waiting (#99), nor to give up (#10, #11, #73).
#[tokio::test]
async fn uber_10_11_73_99_one_can_try_and_give_up() {
    let (limiter, clock) = limiter(Rate::per_second(10), 1);
    limiter.try_acquire(1).unwrap();
    assert!(limiter.try_acquire(1).is_err());
    assert!(limiter.acquire_within(1, 10 * MS).await.is_err());
    drop(wait(&limiter, 1));
    clock.advance(100 * MS);
    limiter.try_acquire(1).unwrap();
}

/// One call for 5000 permits passed at once, and only the next one paid.
#[test]
fn guava_7130_a_large_call_does_not_pass_at_once() {
    let (bucket, clock) = limiter(Rate::per_second(10), 1);
    assert_eq!(bucket.try_acquire(5_000), Err(Refused::ExceedsBurst { asked: 5_000, burst: 1 }));
    let warm_up = Metered::builder(WarmUp::of(Rate::per_second(10), SECOND)).clock(clock).build().unwrap();
    assert_eq!(warm_up.try_acquire(5_000), Err(Refused::ExceedsBurst { asked: 5_000, burst: 1 }));
}

/// Evenly spaced, without a burst (#1707), and a burst of one's choice (#5708, #4014).
#[test]
fn guava_1707_5708_4014_the_burst_is_a_choice() {
    for burst in [1, 7] {
        let (limiter, clock) = limiter(Rate::per_second(10), burst);
        clock.advance(SECOND * 3_600);
        assert_eq!(take_all(|| limiter.try_acquire(1).is_ok()), burst as usize);
        clock.advance(100 * MS);
        assert_eq!(take_all(|| limiter.try_acquire(1).is_ok()), 1);
    }
}
