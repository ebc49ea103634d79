//! The models behind the pictures, at a small size: what the documentation says of them holds.

#[path = "../examples/jitter/model.rs"]
mod jitter;
#[path = "../examples/overload/model.rs"]
mod overload;

use jitter::STRATEGIES;
use overload::{CLIENTS, Clients};

/// Full jitter needs the fewest calls, decorrelated is done soonest of those that wait, and waits without jitter help nobody.
#[test]
fn jitter_halves_the_calls_and_no_jitter_takes_ten_times_as_long() {
    let [none, plain, equal, full, decorrelated] = STRATEGIES.map(|(_, jitter)| jitter::mean(40, jitter, 20));
    for (calls, most) in [(full.calls, 0.7), (equal.calls, 0.7), (decorrelated.calls, 0.7)] {
        assert!(calls < most * none.calls, "{calls} of {}", none.calls);
    }
    assert!(plain.calls > 0.8 * none.calls && full.calls < 1.05 * equal.calls);
    assert!(decorrelated.millis < full.millis && full.millis < equal.millis && equal.millis * 5.0 < plain.millis);
}

/// Retries without a budget keep the server down after its incident; with a budget it recovers, and mishaps are still mended.
#[test]
fn a_retry_storm_outlives_its_cause_unless_there_is_a_budget() {
    const SECONDS: u64 = 22;
    let good = |clients: Clients, seconds: std::ops::Range<usize>| -> u32 {
        overload::run(clients, SECONDS, 7).good[seconds].iter().sum()
    };
    let [(_, no_retry), (_, retry), (_, budget)] = CLIENTS;
    assert_eq!(good(retry, 18..22), 0, "the storm goes on");
    let (without, with) = (good(no_retry, 18..22), good(budget, 18..22));
    assert!(with > 2500 && without > 2400, "recovered: {with}, {without}");
    assert!(good(budget, 2..10) > good(no_retry, 2..10), "retries mend mishaps");
}

/// The same seed gives the same figures.
#[test]
fn experiments_replay() {
    let run = || overload::run(Clients::Budget, 3, 5);
    assert_eq!(run().good, run().good);
    assert_eq!(run().sent, run().sent);
}
