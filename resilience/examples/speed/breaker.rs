//! The breaker's rows: closed with good calls, and open.

use std::{hint::black_box, time::Duration};

use failsafe::{CircuitBreaker as _, Config, backoff, failure_policy};
use recloser::Recloser;
use tidemill_resilience::CircuitBreaker;

use super::{Contender, compare, repeat};

pub(super) fn closed() {
    let calls = CircuitBreaker::builder().failure_rate(50).build().expect("sound");
    let time = CircuitBreaker::builder().failure_rate(50).last_time(Duration::from_secs(10)).build().expect("sound");
    let slow = CircuitBreaker::builder().slow_rate(50, Duration::from_secs(1)).build().expect("sound");
    let recloser = Recloser::custom().error_rate(0.5).closed_len(100).build();
    let failsafe = failsafe();
    let operation = || black_box(Ok::<u32, ()>(1));
    let bare = repeat(|| operation().is_ok());
    let ours = repeat(|| calls.call_blocking(operation).is_ok());
    let over_time = repeat(|| time.call_blocking(operation).is_ok());
    let timed = repeat(|| slow.call_blocking(operation).is_ok());
    let recloser = repeat(|| recloser.call(operation).is_ok());
    let failsafe = repeat(|| failsafe.call(operation).is_ok());
    for (title, threads) in [("breaker, closed, one thread", 1), ("breaker, closed, two threads on one breaker", 2)] {
        compare(
            title,
            &[
                Contender { name: "tidemill, window of calls", threads, call: &ours },
                Contender { name: "tidemill, window of time", threads, call: &over_time },
                Contender { name: "tidemill, slow calls count", threads, call: &timed },
                Contender { name: "recloser", threads, call: &recloser },
                Contender { name: "failsafe", threads, call: &failsafe },
                Contender { name: "floor: the bare call", threads, call: &bare },
            ],
        );
    }
}

pub(super) fn open() {
    let ours = CircuitBreaker::builder().failures_in_a_row(1).open_for(Duration::from_secs(3600));
    let ours = ours.build().expect("sound");
    ours.trip();
    let recloser = Recloser::custom().closed_len(1).open_wait(Duration::from_secs(3600)).build();
    let failsafe = failsafe();
    for _ in 0..10 {
        black_box((recloser.call(|| Err::<(), ()>(())).is_ok(), failsafe.call(|| Err::<(), ()>(())).is_ok()));
    }
    let ours = repeat(|| ours.try_acquire().is_ok());
    let recloser = repeat(|| recloser.call(|| Ok::<(), ()>(())).is_ok());
    let failsafe = repeat(|| failsafe.call(|| Ok::<(), ()>(())).is_ok());
    compare(
        "breaker, open, one thread",
        &[
            Contender { name: "tidemill", threads: 1, call: &ours },
            Contender { name: "recloser", threads: 1, call: &recloser },
            Contender { name: "failsafe", threads: 1, call: &failsafe },
        ],
    );
}

fn failsafe() -> impl failsafe::CircuitBreaker + Sync {
    let wait = backoff::constant(Duration::from_secs(3600));
    Config::new().failure_policy(failure_policy::consecutive_failures(3, wait)).build()
}
