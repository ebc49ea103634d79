//! The limiter on a real Redis: exact decisions, several processes at once, and a Redis that goes away or does not answer.
//!
//! Processes are this test binary, started again for one test (`redis_limiter_child`) that does nothing without its
//! environment. They write down when each admission began and ended, by the clock that Redis reads as well.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ecosystem::Redis;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client};
use tidemill_resilience::{NotAllowed, OnFailure, Rate, RedisBuilder, RedisRateLimiter, Source};

use crate::everywhere::everywhere;

const CHILDREN: usize = 3;
const RUN: Duration = Duration::from_millis(600);
const PER_SECOND: u64 = 500;
const BURST: u64 = 20;
const SOCKET: &str = "TIDEMILL_TEST_REDIS";
const LEASE_MS: &str = "TIDEMILL_TEST_LEASE_MS";

async fn connect(socket: &Path) -> MultiplexedConnection {
    let client = Client::open(format!("redis+unix://{}", socket.display())).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// A busy machine may take its time: no test but those of failures is about the time-out.
fn limiter(connection: MultiplexedConnection) -> RedisBuilder<MultiplexedConnection> {
    RedisRateLimiter::builder(connection).timeout(Duration::from_secs(60))
}

#[test]
fn the_redis_limiter_decides_exactly_and_charges_nothing_for_a_refusal() {
    let server = Arc::new(Redis::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let mut connection = connect(&server.socket()).await;
            let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
            let limiter = limiter(connection.clone()).rate(Rate::per_day(1)).burst(10).prefix("p:").build().unwrap();
            for left in [7, 4, 1] {
                let decision = limiter.try_acquire("a", 3).await.unwrap();
                assert_eq!((decision.source, decision.limit, decision.remaining), (Source::Redis, 10, left));
            }
            for _ in 0..20 {
                let refused = limiter.try_acquire("a", 3).await.unwrap_err();
                let NotAllowed::Limited { retry_after, remaining: 1, .. } = refused else { panic!("{refused:?}") };
                let days = retry_after.as_secs_f64() / 86_400.0;
                assert!(days <= 2.0 && days > 1.9, "two tokens are lacking: {days} days");
            }
            assert_eq!(limiter.try_acquire("b", 10).await.unwrap().remaining, 0, "another key");
            let ttl: i64 = connection.pttl("p:a").await.unwrap();
            assert!((8 * 86_400_000..=9 * 86_400_000 + 2).contains(&ttl), "it expires when it is full: {ttl} ms");
        }
    });
}

#[test]
fn a_changed_rate_keeps_the_tokens_in_redis() {
    let server = Arc::new(Redis::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let mut connection = connect(&server.socket()).await;
            let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
            let old = limiter(connection.clone()).rate(Rate::per_day(1)).burst(10).build().unwrap();
            let new = limiter(connection).rate(Rate::per_hour(1)).burst(5).build().unwrap();
            assert_eq!(old.try_acquire("a", 7).await.unwrap().remaining, 3);
            assert_eq!(new.try_acquire("a", 1).await.unwrap().remaining, 2);
            assert_eq!(old.try_acquire("b", 1).await.unwrap().remaining, 9);
            assert_eq!(new.try_acquire("b", 1).await.unwrap().remaining, 4, "no more than the new burst");
        }
    });
}

#[test]
fn waiting_for_redis_tokens_takes_as_long_as_they_need() {
    let server = Arc::new(Redis::start().unwrap());
    everywhere(|| {
        let server = Arc::clone(&server);
        async move {
            let mut connection = connect(&server.socket()).await;
            let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
            let limiter = limiter(connection).rate(Rate::per_second(50)).build().unwrap();
            let start = SystemTime::now();
            for _ in 0..4 {
                limiter.acquire_within("a", 1, Duration::MAX).await.unwrap();
            }
            assert!(start.elapsed().unwrap() >= Duration::from_millis(60));
            let hopeless = limiter.acquire_within("a", 1, Duration::ZERO).await;
            assert!(hopeless.is_err() || start.elapsed().unwrap() >= Duration::from_millis(80));
        }
    });
}

/// One process of many: not a test of its own.
#[test]
fn redis_limiter_child() {
    let Ok(socket) = std::env::var(SOCKET) else { return };
    let lease: u64 = std::env::var(LEASE_MS).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let builder = limiter(connect(Path::new(&socket)).await).rate(Rate::per_second(PER_SECOND)).burst(BURST);
        let limiter = builder.lease(8, Duration::from_millis(lease)).build().unwrap();
        let start = SystemTime::now();
        while start.elapsed().unwrap() < RUN {
            let before = micros();
            if limiter.try_acquire("shared", 1).await.is_ok() {
                println!("admitted {before} {}", micros());
            }
        }
    });
}

fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

/// Admissions of several processes at once: when each began and ended, in microseconds.
fn admissions(server: &Redis, lease: Duration) -> Vec<(u128, u128)> {
    let children: Vec<_> = (0..CHILDREN)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "limiter_redis::redis_limiter_child", "--nocapture"])
                .env(SOCKET, server.socket())
                .env(LEASE_MS, lease.as_millis().to_string())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut all = vec![];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let times = text.lines().filter_map(|line| line.split_once("admitted ")).map(|(_, times)| {
            let (before, after) = times.split_once(' ').unwrap();
            (before.parse().unwrap(), after.parse().unwrap())
        });
        all.extend(times);
    }
    all.sort_by_key(|&(_, after)| after);
    all
}

/// Admissions that lie wholly in a window are some of those in it, so they may not be more than its bound.
fn check_bound(admissions: &[(u128, u128)], lease: Duration) {
    assert!(admissions.len() as u64 > BURST, "the run refilled the bucket");
    for &(from, _) in admissions.iter().step_by(admissions.len().div_ceil(100)) {
        let inside = admissions.iter().filter(|(before, _)| *before >= from);
        for (count, &(_, to)) in (1..).zip(inside) {
            // A microsecond more, by which both clocks may round.
            let window = to - from + lease.as_micros() + 1;
            let bound = u128::from(BURST) * 1_000_000 + u128::from(PER_SECOND) * window;
            assert!(count * 1_000_000 <= bound, "{count} in {window} us");
        }
    }
}

#[test]
fn many_processes_on_one_redis_stay_within_one_bound() {
    let server = Redis::start().unwrap();
    check_bound(&admissions(&server, Duration::ZERO), Duration::ZERO);
}

#[test]
fn many_processes_with_leases_from_redis_stay_within_the_stated_bound() {
    const LEASE: Duration = Duration::from_millis(50);
    let server = Redis::start().unwrap();
    check_bound(&admissions(&server, LEASE), LEASE);
}

#[test]
fn a_redis_that_goes_away_is_answered_for_as_chosen() {
    everywhere(|| async {
        let server = Redis::start().unwrap();
        let local = OnFailure::Local { rate: Rate::per_day(1), burst: 1 };
        let builder = limiter(connect(&server.socket()).await).rate(Rate::per_day(1)).burst(5).on_failure(local);
        let limiter = builder.build().unwrap();
        assert_eq!(limiter.try_acquire("a", 1).await.unwrap().source, Source::Redis);
        drop(server);
        assert_eq!(limiter.try_acquire("a", 1).await.unwrap().source, Source::Local);
        assert!(matches!(limiter.try_acquire("a", 1).await, Err(NotAllowed::Locally(_))));
        assert!(limiter.failures() >= 1);
    });
}

/// A server that takes the connection's greeting and then nothing more.
#[test]
fn a_redis_that_does_not_answer_costs_the_time_out_and_not_more() {
    let folder = std::env::temp_dir().join(format!("tidemill-mute-redis-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("mute.sock");
    let mute = UnixListener::bind(&socket).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        static INFO: std::sync::LazyLock<redis::RedisConnectionInfo> =
            std::sync::LazyLock::new(|| redis::RedisConnectionInfo::default().set_skip_set_lib_name());
        let stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let (connection, driver) = MultiplexedConnection::new(&INFO, stream).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "on plain tokio")]
        tokio::spawn(driver);
        let builder =
            RedisRateLimiter::builder(connection).rate(Rate::per_second(1)).timeout(Duration::from_millis(20));
        let limiter = builder.on_failure(OnFailure::Allow).probe_after(Duration::from_secs(3_600)).build().unwrap();
        for _ in 0..1_000 {
            assert_eq!(limiter.try_acquire("a", 1).await.unwrap().source, Source::Allowed);
        }
        assert_eq!(limiter.failures(), 1, "nobody else waited for it");
    });
    drop(mute);
    std::fs::remove_dir_all(folder).unwrap();
}
