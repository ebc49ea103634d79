//! Amazon's model of optimistic concurrency: clients read a record and write it back, and a write fails if another came between.
//!
//! Each message takes 10 ms, give or take 2 (normally distributed); a failed client waits as its strategy says and begins with a read.
//! A call is a write that reached the server. The waits are those of the library, seeded.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use fastrand::Rng;
use tidemill_resilience::{Jitter, Retry, RetryBuilder, Waits};

/// Nanoseconds of a message, and their standard deviation.
const NET: (f64, f64) = (10e6, 2e6);

/// How clients wait: a name, and a policy; none for clients that do not wait.
pub(crate) const STRATEGIES: [(&str, Option<Jitter>); 5] = [
    ("no waits", None),
    ("no jitter", Some(Jitter::None)),
    ("equal", Some(Jitter::Equal)),
    ("full", Some(Jitter::Full)),
    ("decorrelated", Some(Jitter::Decorrelated)),
];

/// From 5 ms to 2 s.
const BACKOFF: RetryBuilder = Retry::exponential(Duration::from_millis(5)).max_delay(Duration::from_secs(2));

/// What it took until every client had written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) calls: f64,
    pub(crate) millis: f64,
}

/// What reaches whom.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Message {
    Read,
    /// The client hears of this version.
    Version(u64),
    /// A write on top of this version.
    Write(u64),
    Written(bool),
}

/// The mean of `runs` runs of `clients` clients.
pub(crate) fn mean(clients: u32, jitter: Option<Jitter>, runs: u64) -> Cost {
    let total = (0..runs)
        .map(|seed| run(clients, jitter, seed))
        .fold(Cost::default(), |sum, one| Cost { calls: sum.calls + one.calls, millis: sum.millis + one.millis });
    Cost { calls: total.calls / runs as f64, millis: total.millis / runs as f64 }
}

fn run(clients: u32, jitter: Option<Jitter>, seed: u64) -> Cost {
    let mut random = Rng::with_seed(seed);
    let waits = |client: u32| {
        let policy = BACKOFF.jitter(jitter?).seed(seed << 32 | u64::from(client)).build();
        Some(policy.expect("the policy is sound").waits())
    };
    let mut backoff: BTreeMap<u32, Option<Waits>> = (0..clients).map(|client| (client, waits(client))).collect();
    let mut events: BinaryHeap<_> =
        (0..clients).map(|client| Reverse((message(&mut random), client, Message::Read))).collect();
    let (mut version, mut calls, mut end) = (0, 0, 0);
    while let Some(Reverse((now, client, event))) = events.pop() {
        let (after, next) = match event {
            Message::Read => (0, Message::Version(version)),
            Message::Version(seen) => (0, Message::Write(seen)),
            Message::Write(seen) => {
                calls += 1;
                let fits = seen == version;
                version += u64::from(fits);
                (0, Message::Written(fits))
            }
            Message::Written(true) => {
                end = now;
                continue;
            }
            Message::Written(false) => {
                let wait = backoff.get_mut(&client).and_then(Option::as_mut).and_then(Iterator::next);
                (nanos(wait.unwrap_or_default()), Message::Read)
            }
        };
        events.push(Reverse((now + after + message(&mut random), client, next)));
    }
    Cost { calls: f64::from(calls), millis: end as f64 / 1e6 }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a wait is at most two seconds")
}

/// How long a message takes (Box and Muller's way to a normal distribution).
fn message(random: &mut Rng) -> u64 {
    let (u, v) = (1.0 - random.f64(), random.f64());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    (NET.0 + NET.1 * normal).max(0.0) as u64
}
