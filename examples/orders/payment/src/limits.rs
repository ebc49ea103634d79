//! Every number of the crate, with its reason.

use std::time::Duration;

/// Charges in one batch request. Past some dozens the cost of a request is spread thin enough, and
/// one lost request leaves no more than this many payments unknown.
pub const BATCH: usize = 64;
/// Bytes of an idempotency key: what payment providers commonly accept.
pub const KEY_BYTES: usize = 255;
/// Bytes of a provider's error text that are kept.
pub const MESSAGE_BYTES: usize = 200;
/// Bytes of a body that are read before the peer is called broken. A full batch needs 16 KiB.
pub const BODY_BYTES: usize = 1 << 20;

/// Connections a gateway opens at most.
pub(crate) const CONNECTIONS: usize = 8;
/// Attempts per call: three repeats end a fault that hits every third request in 98.8 % of calls.
pub(crate) const ATTEMPTS: u32 = 4;
/// An open breaker stays open twice as long each time, up to this many times its first: a provider that comes back
/// is noticed soon enough.
pub(crate) const BREAKER_GROWTH: u32 = 8;
/// Time of one attempt.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time of a whole call, waits included: the retries above fit in with room.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// First and longest back-off, both before jitter.
pub(crate) const BACKOFF: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(1));
/// Requests per second and burst if the caller sets none: no provider is known, so only a run-away
/// loop is stopped.
pub(crate) const LIMIT: (u64, u64) = (100_000, 1_000);
