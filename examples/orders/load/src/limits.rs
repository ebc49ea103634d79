//! Every number of the crate, with its reason.

use std::time::Duration;

/// Lag of the generator, at the 99th percentile, above which a run says nothing about the server.
pub const LAG_LIMIT: Duration = Duration::from_millis(1);

/// Requests of one schedule: 800 MB of planned times, more than an hour at 25,000 a second.
pub(crate) const REQUESTS: f64 = 1e8;

/// Keep-alive connections, requests in flight and time of a request, if the plan names none.
pub(crate) const CONNECTIONS: usize = 64;
pub(crate) const IN_FLIGHT: usize = 4096;
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// Two waits of the pacer closer than this are one: a sleep and its wake-up cost about 10 us of a core
/// that the server may need, so at high rates small groups leave together, at most this late.
pub(crate) const COALESCE: Duration = Duration::from_micros(100);
/// The last stretch of a wait is spun: a sleep ends this much too late ...
pub(crate) const SPIN: Duration = Duration::from_micros(40);
/// ... but at most this share of the mean gap, hence of a core, is given to spinning.
pub(crate) const SPIN_SHARE: f64 = 0.05;
/// What the kernel may add to a sleep of the pacer; its default is 50 us.
pub(crate) const TIMER_SLACK_NS: u32 = 1_000;

/// Latencies are kept in microseconds up to an hour, to three digits.
pub(crate) const HISTOGRAM_MAX_US: u64 = 3_600_000_000;
pub(crate) const HISTOGRAM_DIGITS: u8 = 3;
/// Per second of the run only two digits are kept: 13 KB a second instead of 200.
pub(crate) const SECOND_DIGITS: u8 = 2;

/// Bytes of an answer that are read before the server is called broken.
pub(crate) const ANSWER_BYTES: usize = 1 << 20;
/// Headers of an answer, three times what servers here send: the table is cleared for each parse.
pub(crate) const HEADERS: usize = 32;
/// Room made for each read: a typical answer fits at once.
pub(crate) const READ_BYTES: usize = 4096;

/// How often the progress is told.
pub(crate) const PROGRESS: Duration = Duration::from_secs(1);
