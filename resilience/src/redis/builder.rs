//! The options of a limiter on Redis, checked once.

use std::{error::Error, fmt, sync::atomic::AtomicU64, time::Duration};

use redis::{Script, aio::ConnectionLike};

use super::{Fallback, RedisRateLimiter, share::Shares};
use crate::{Clock, InvalidLimiter, KeyedRateLimiter, Rate, TokioClock, limiter::saturating_nanos};

/// Numbers in a script are exact up to 2^53; sums of two of ours stay below.
const MAX_UNITS: u64 = 1 << 52;

/// A Redis nearby answers in a tenth of a millisecond: this is one that does not.
const TIMEOUT: Duration = Duration::from_millis(100);

/// Long enough that a Redis that is down costs little, short enough that its return is soon seen.
const PROBE_AFTER: Duration = Duration::from_millis(500);

/// What happens to calls while Redis does not answer. There is no default that is right for all: the default refuses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum OnFailure {
    /// Refuse with [`NotAllowed::Unavailable`](super::NotAllowed::Unavailable): the limit holds, the service may not.
    #[default]
    Refuse,
    /// Allow everything: the service goes on, without a limit.
    Allow,
    /// A limit of this process's own for each key. With `N` processes give each an `N`-th, and the sum is the limit.
    Local {
        /// The share of the rate.
        rate: Rate,
        /// The share of the burst.
        burst: u64,
    },
}

/// A rate in the whole numbers of the script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bucket {
    /// Units that a token is worth.
    pub(super) price: u64,
    /// Units that a microsecond brings.
    pub(super) pace: u64,
    pub(super) burst: u64,
}

impl Bucket {
    pub(super) fn new(rate: Rate, burst: u64) -> Result<Self, InvalidLimiter> {
        let (price, pace) = rate.per_micro()?;
        let most = MAX_UNITS / price;
        match burst {
            0 => Err(InvalidLimiter::NoBurst),
            asked if asked > most => Err(InvalidLimiter::Burst { asked, most }),
            _ => Ok(Self { price, pace, burst }),
        }
    }
}

/// Options of a [`RedisRateLimiter`]; made by [`RedisRateLimiter::builder`].
#[must_use]
pub struct RedisBuilder<R, C = TokioClock> {
    connection: R,
    rate: Option<Rate>,
    burst: u64,
    prefix: String,
    lease: (u64, Duration),
    on_failure: OnFailure,
    timeout: Duration,
    probe_after: Duration,
    clock: C,
}

impl<R> RedisBuilder<R> {
    pub(super) fn new(connection: R) -> Self {
        Self {
            connection,
            rate: None,
            burst: 1,
            prefix: "tidemill:limit:".to_owned(),
            lease: (0, Duration::ZERO),
            on_failure: OnFailure::default(),
            timeout: TIMEOUT,
            probe_after: PROBE_AFTER,
            clock: TokioClock,
        }
    }
}

impl<R, C> RedisBuilder<R, C> {
    /// The pace at which each key's tokens come. Required, and the same in all processes; where it differs for a time (a change
    /// that is rolled out) each call refills at its own pace and keeps the tokens.
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The most tokens that a key can save up. Default 1.
    pub fn burst(mut self, burst: u64) -> Self {
        self.burst = burst;
        self
    }

    /// What the keys begin with in Redis. Default `tidemill:limit:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Asks for at least `tokens` at a time, and spends those that are left over for at most `time` without asking.
    ///
    /// It saves round trips, and the bound becomes `burst + rate * (w + time)`. Default: no leases.
    pub fn lease(mut self, tokens: u64, time: Duration) -> Self {
        self.lease = (tokens, time);
        self
    }

    /// What happens while Redis does not answer. Default [`OnFailure::Refuse`].
    pub fn on_failure(mut self, choice: OnFailure) -> Self {
        self.on_failure = choice;
        self
    }

    /// How long to wait for an answer. Default 100 ms.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long nobody asks after a failure; then one does. Default 500 ms.
    pub fn probe_after(mut self, time: Duration) -> Self {
        self.probe_after = time;
        self
    }

    /// The clock for leases, time-outs and waiting; the bucket is on the server's. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> RedisBuilder<R, D> {
        let Self { connection, rate, burst, prefix, lease, on_failure, timeout, probe_after, .. } = self;
        RedisBuilder { connection, rate, burst, prefix, lease, on_failure, timeout, probe_after, clock }
    }
}

impl<R: ConnectionLike + Clone, C: Clock + Clone> RedisBuilder<R, C> {
    /// The limiter. Asks nothing of Redis yet.
    ///
    /// # Errors
    /// [`InvalidRedisLimiter`] names the option at fault.
    pub fn build(self) -> Result<RedisRateLimiter<R, C>, InvalidRedisLimiter> {
        let rate = self.rate.ok_or(InvalidRedisLimiter::Limit(InvalidLimiter::NoRate))?;
        let bucket = Bucket::new(rate, self.burst).map_err(InvalidRedisLimiter::Limit)?;
        let fallback = match self.on_failure {
            OnFailure::Refuse => Fallback::Refuse,
            OnFailure::Allow => Fallback::Allow,
            OnFailure::Local { rate, burst } => {
                let local = KeyedRateLimiter::builder().rate(rate).burst(burst).clock(self.clock.clone()).build();
                Fallback::Local(Box::new(local.map_err(InvalidRedisLimiter::Local)?))
            }
        };
        Ok(RedisRateLimiter {
            connection: self.connection,
            script: Script::new(include_str!("bucket.lua")),
            prefix: self.prefix,
            bucket,
            shares: Shares::new(self.lease.0, saturating_nanos(self.lease.1)),
            fallback,
            timeout: self.timeout,
            probe_after: self.probe_after,
            closed_until: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            origin: self.clock.now(),
            clock: self.clock,
        })
    }
}

impl<R, C> fmt::Debug for RedisBuilder<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("rate", &self.rate)
            .field("burst", &self.burst)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}

/// An option of the limiter makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidRedisLimiter {
    /// The rate or the burst; a burst may be worth at most 2^52 units of the script.
    Limit(InvalidLimiter),
    /// The rate or the burst of [`OnFailure::Local`].
    Local(InvalidLimiter),
}

impl fmt::Display for InvalidRedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(why) => why.fmt(f),
            Self::Local(why) => write!(f, "the limit for when Redis fails: {why}"),
        }
    }
}

impl Error for InvalidRedisLimiter {}
