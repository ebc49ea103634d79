//! How long and how hard: every number of the job. In all it takes about a minute on two cores.

use std::time::Duration;

/// Keep-alive connections of the clients, all local.
pub(crate) const CONNECTIONS: usize = 64;
/// A client gives up on an answer after this long, from its planned send time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Fills caches and pools, and lets the store grow its first pages.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);
/// Every connection always busy: finds the capacity, and the cost of an order at capacity.
pub(crate) const SATURATION: Duration = Duration::from_secs(4);
/// Open loop at a rate both variants can serve, for the latencies: at 500 orders/s still 2,000 samples, of which
/// a p99.9 needs a thousand at the least.
pub(crate) const STEADY: Duration = Duration::from_secs(4);
/// One step of the ladder; short, because overload only fills queues.
pub(crate) const RUNG: Duration = Duration::from_secs(1);
/// Under the profiler.
pub(crate) const PROFILE_SECONDS: u64 = 3;

/// The steady rate, as a share of a variant's capacity: loaded, but with room for bursts.
pub(crate) const STEADY_LOAD: f64 = 0.7;
/// The steps of the ladder, as shares of the variant's own capacity, up to twice what it can do.
pub(crate) const LADDER: [f64; 4] = [0.4, 0.8, 1.0, 2.0];

/// The generator shares two cores with the server and may be pushed aside: a steady phase in which it was
/// late itself says nothing and is repeated, this often in all.
pub(crate) const ATTEMPTS: u32 = 2;

/// Time the pipeline gets to bring all accepted orders to their end.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);
/// How often the drain is looked at.
pub(crate) const DRAIN_POLL: Duration = Duration::from_millis(50);
/// Time a server gets to end after SIGTERM.
pub(crate) const STOP: Duration = Duration::from_secs(10);

/// The payment provider of the job: mostly well, now and then each thing that happens to real ones.
pub(crate) const FAULTS: &str = "error_500=0.01,throttled_429=0.01,timeout=0.002,slow=0.02,declined=0.02";
/// Every run meets the same faults, as far as its requests come in the same order.
pub(crate) const SEED: u64 = 20_260;
