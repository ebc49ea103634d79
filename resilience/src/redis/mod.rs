//! One token bucket per key for many processes, kept in Redis.
//!
//! **The bucket** is one atomic script (`bucket.lua`) in whole numbers and on the server's clock: callers' clocks do not
//! matter, and nothing is charged unless all that was needed is there. It holds what `RateLimiter` promises: in any window of
//! length `w`, at most `burst + rate * w` per key are granted, by the time of the server, to a microsecond.
//!
//! **Leases.** With [`lease`](RedisBuilder::lease) a process takes more tokens than it needs and spends them without asking for
//! at most `time`, counted from before the request was sent. So what is spent in a window was granted in it or at most `time`
//! before: at most `burst + rate * (w + time)` in any window, *whatever the number of processes*. What is not spent in time is
//! forfeited: it is lost, never minted.
//!
//! **When Redis does not answer** within `timeout`, the caller's choice holds ([`OnFailure`]): refuse, allow, or a limiter of
//! this process's own. For `probe_after` nobody asks Redis again but one. A request that was given up may have been granted:
//! then its tokens are lost, never counted twice.
//!
//! Rejected: buckets in floating seconds (they drift, and lose what two calls in a microsecond should see); charging and then
//! looking (`INCR` first: refused calls are charged, envoyproxy/ratelimit#185); a local limit as *silent* answer to a
//! failure (N processes let through N times the limit, and nobody knows: JhaSourav07/commitpulse#6138).

mod answer;
mod builder;
mod share;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use redis::{Script, aio::ConnectionLike};

pub use self::{
    answer::{Decision, NotAllowed, Source},
    builder::{InvalidRedisLimiter, OnFailure, RedisBuilder},
};

use self::{builder::Bucket, share::Shares};
use crate::{
    Clock, KeyedRateLimiter, TokioClock,
    ambient::{obeying, time_left},
    limiter::saturating_nanos,
    line::{before, deadline_in, within},
};

/// What the script answers.
type Reply = (u64, u64, i64, u64);

/// What is done while Redis does not answer.
enum Fallback<C: Clock> {
    Refuse,
    Allow,
    Local(Box<KeyedRateLimiter<str, C>>),
}

/// A token bucket per key, shared by all processes that use the same Redis, prefix and limit.
///
/// # Examples
/// ```no_run
/// use tidemill_resilience::{OnFailure, Rate, RedisRateLimiter};
///
/// # async fn example(connection: redis::aio::MultiplexedConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RedisRateLimiter::builder(connection)
///     .rate(Rate::per_minute(600))
///     .burst(50)
///     .on_failure(OnFailure::Local { rate: Rate::per_minute(60), burst: 5 })
///     .build()?;
/// match limiter.try_acquire("customer 7", 1).await {
///     Ok(decision) => println!("X-RateLimit-Remaining: {}", decision.remaining),
///     Err(refused) => println!("Retry-After: {:?}", refused.retry_after()),
/// }
/// # Ok(())
/// # }
/// ```
pub struct RedisRateLimiter<R, C: Clock = TokioClock> {
    connection: R,
    script: Script,
    prefix: String,
    bucket: Bucket,
    shares: Shares,
    fallback: Fallback<C>,
    timeout: Duration,
    probe_after: Duration,
    /// No earlier than this does anyone ask Redis again; zero while it answers.
    closed_until: AtomicU64,
    failures: AtomicU64,
    clock: C,
    origin: C::Instant,
}

impl<R: ConnectionLike + Clone> RedisRateLimiter<R> {
    /// Options for a limiter that asks by clones of `connection`. Only [`rate`](RedisBuilder::rate) is required.
    pub fn builder(connection: R) -> RedisBuilder<R> {
        RedisBuilder::new(connection)
    }
}

impl<R: ConnectionLike + Clone, C: Clock> RedisRateLimiter<R, C> {
    /// Takes `n` of the key's tokens now, or none. One round trip to Redis, unless a lease holds as many.
    ///
    /// *Cancel safe*, but a request that was sent may be charged all the same.
    ///
    /// # Errors
    /// [`NotAllowed`] says why.
    pub async fn try_acquire(&self, key: &str, n: u64) -> Result<Decision, NotAllowed> {
        self.check_burst(n)?;
        if let Some(left) = self.shares.spend(key, n, self.nanos()) {
            return Ok(self.decision(Source::Lease, left, None));
        }
        let sent = self.nanos();
        if self.is_closed(sent) {
            return self.without_redis(key, n);
        }
        let wanted = n.max(self.shares.size());
        match self.ask(key, n, wanted).await {
            Some((0, remaining, retry, reset)) if n > 0 => {
                let retry_after = Duration::from_micros(u64::try_from(retry).unwrap_or(0));
                Err(NotAllowed::Limited { retry_after, remaining, reset_after: Duration::from_micros(reset) })
            }
            Some((granted, remaining, _, reset)) => {
                self.shares.keep(key, granted.saturating_sub(n), sent);
                Ok(self.decision(Source::Redis, remaining, Some(Duration::from_micros(reset))))
            }
            None => self.without_redis(key, n),
        }
    }

    /// Takes `n` of the key's tokens, waiting until they are there, and obeying the ambient
    /// [`Context`](tidemill_context::Context).
    ///
    /// Between processes there is no line: who asks when tokens have come gets them. *Cancel safe* as
    /// [`try_acquire`](Self::try_acquire) is.
    ///
    /// # Errors
    /// [`NotAllowed`] other than [`Limited`](NotAllowed::Limited), at once; [`Limited`](NotAllowed::Limited) if `timeout`, or the
    /// time that the context has left, cannot suffice.
    pub async fn acquire_within(&self, key: &str, n: u64, timeout: Duration) -> Result<Decision, NotAllowed> {
        let deadline = deadline_in(&self.clock, timeout);
        obeying(async {
            loop {
                let (refused, wait) = match self.try_acquire(key, n).await {
                    Err(refused @ NotAllowed::Limited { retry_after, .. }) => (refused, retry_after),
                    done => return done,
                };
                let in_time = time_left()?.is_none_or(|left| left >= wait);
                let Some(ready) = within(&self.clock, wait, deadline).filter(|_| in_time) else {
                    return Err(refused);
                };
                self.clock.sleep_until(ready).await;
            }
        })
        .await
    }

    /// Calls that Redis did not answer, or answered with an error.
    pub fn failures(&self) -> u64 {
        // Relaxed: a count.
        self.failures.load(Relaxed)
    }

    /// The answer, or `None` after a failure.
    async fn ask(&self, key: &str, needed: u64, wanted: u64) -> Option<Reply> {
        let mut connection = self.connection.clone();
        let Bucket { price, pace, burst } = self.bucket;
        let mut call = self.script.key(format!("{}{key}", self.prefix));
        call.arg(price).arg(pace).arg(burst).arg(needed).arg(wanted.min(burst));
        let mut answer = None;
        let asking = async { answer = call.invoke_async::<Reply>(&mut connection).await.ok() };
        before(&self.clock, deadline_in(&self.clock, self.timeout), asking).await;
        if answer.is_some() {
            // Relaxed, here and below: a caller that reads an old time asks once more, or once less.
            self.closed_until.store(0, Relaxed);
        } else {
            self.failures.fetch_add(1, Relaxed);
            self.close();
        }
        answer
    }

    fn close(&self) {
        let until = self.nanos().saturating_add(saturating_nanos(self.probe_after));
        self.closed_until.store(until, Relaxed);
    }

    /// Whether Redis failed a short time ago. When that time is over, one caller asks again; the others wait for what it finds.
    fn is_closed(&self, now: u64) -> bool {
        let until = self.closed_until.load(Relaxed);
        if until == 0 {
            return false;
        }
        let again = now.saturating_add(saturating_nanos(self.probe_after));
        until > now || self.closed_until.compare_exchange(until, again, Relaxed, Relaxed).is_err()
    }

    fn without_redis(&self, key: &str, n: u64) -> Result<Decision, NotAllowed> {
        match &self.fallback {
            Fallback::Refuse => Err(NotAllowed::Unavailable),
            Fallback::Allow => Ok(self.decision(Source::Allowed, 0, None)),
            Fallback::Local(limiter) => {
                limiter.try_acquire(key, n)?;
                Ok(self.decision(Source::Local, limiter.available(key), None))
            }
        }
    }

    fn decision(&self, source: Source, remaining: u64, reset_after: Option<Duration>) -> Decision {
        Decision { source, limit: self.bucket.burst, remaining, reset_after }
    }

    fn check_burst(&self, n: u64) -> Result<(), NotAllowed> {
        let burst = self.bucket.burst;
        if n > burst { Err(NotAllowed::ExceedsBurst { asked: n, burst }) } else { Ok(()) }
    }

    fn nanos(&self) -> u64 {
        let now = self.clock.now();
        if now > self.origin { saturating_nanos(now - self.origin) } else { 0 }
    }
}

impl<R, C: Clock> fmt::Debug for RedisRateLimiter<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRateLimiter")
            .field("prefix", &self.prefix)
            .field("burst", &self.bucket.burst)
            .field("failures", &self.failures.load(Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
