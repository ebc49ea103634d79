//! The client: one call per charge or per batch, each an exchange behind limit, time-out and retry.
//!
//! A call reads: wait for the rate limiter, send the request with the charge's own key, read the
//! answer; on a time-out, a lost connection, a 5xx, a 429 or an answer that makes no sense, wait and
//! send the *same* request again until the attempts or the time are used up. What is then still open
//! is [`PaymentError::Unknown`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};

use crate::{
    BatchError, Builder, Cause, Charge, Outcome, PaymentError,
    batch::Batch,
    limits,
    policy::{Failure, Policy},
    pool::Pool,
    wire,
};

/// The client of a payment provider. Clones share connections, limit and counters.
///
/// ```
/// use orders_payment::{Charge, Gateway, Outcome, simulator::Simulator};
///
/// let runtime = tidemill::Runtime::new()?;
/// runtime.block_on(async {
///     let provider = Simulator::builder().bind("127.0.0.1:0".parse()?).await?;
///     let gateway = Gateway::builder(provider.url()).limit(1000, 10).attempts(3).build()?;
///     let first = gateway.charge(Charge::for_order(42, 1999)).await?;
///     assert!(matches!(first, Outcome::Charged { .. }));
///     // Asked again, the provider repeats its first answer.
///     assert_eq!(gateway.charge(Charge::for_order(42, 1999)).await?, first);
///     assert_eq!(provider.ledger().charges().len(), 1);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: Pool,
    policy: Policy,
    counters: Counters,
}

/// Plain event counts: nothing else is published through them, hence relaxed throughout.
#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    requests: AtomicU64,
    unknown: AtomicU64,
}

/// What a [`Gateway`] has done since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of [`Gateway::charge`] and [`Gateway::charge_batch`].
    pub calls: u64,
    /// Requests sent for them, repeats included.
    pub requests: u64,
    /// Charges that ended as [`PaymentError::Unknown`].
    pub unknown: u64,
}

impl Gateway {
    /// Settings for the provider at `url`, which has the form `http://host:port`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    pub(crate) fn new(pool: Pool, policy: Policy) -> Self {
        Self { inner: Arc::new(Inner { pool, policy, counters: Counters::default() }) }
    }

    /// Takes one payment: one request per attempt.
    ///
    /// Cancel safe in that nothing breaks; but like a time-out, a dropped call leaves the payment
    /// unknown. Must be polled on a tidemill runtime, which runs the connections.
    ///
    /// # Errors
    /// [`PaymentError::Unknown`] or, on a 4xx to the first request, [`PaymentError::Refused`].
    pub async fn charge(&self, charge: Charge) -> Result<Outcome, PaymentError> {
        count(&self.inner.counters.calls, 1);
        let Charge { key, order, amount_cents } = &charge;
        let request = wire::SingleRequest { order: *order, amount_cents: *amount_cents };
        let body = Bytes::from(wire::to_json(&request));
        let attempt = || async {
            let answer = self.exchange(wire::SINGLE_PATH, Some(key), body.clone()).await?;
            let read = serde_json::from_slice(&answer);
            read.map_err(|error| Failure::from(Cause::Malformed(error.to_string())))
        };
        let outcome = self.inner.policy.run(attempt).await;
        outcome.inspect_err(|error| self.count_unknown(error))
    }

    /// Takes up to [`limits::BATCH`] payments with one request per attempt; each keeps its own key, so
    /// a charge may be retried in another batch or alone. The answers come in the order of `charges`.
    ///
    /// Costs one token of the rate limit per request, however many charges it carries.
    ///
    /// # Errors
    /// [`BatchError`] if the batch cannot be sent at all; inside, what [`charge`](Self::charge) says.
    pub async fn charge_batch(&self, charges: &[Charge]) -> Result<Vec<Result<Outcome, PaymentError>>, BatchError> {
        let batch = Batch::new(charges)?;
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        count(&self.inner.counters.calls, 1);
        let attempt = || async {
            let body = Bytes::from(batch.next_body());
            let answer = self.exchange(wire::BATCH_PATH, None, body).await?;
            batch.absorb(&answer).map_err(Failure::from)
        };
        let ended = self.inner.policy.run(attempt).await;
        let answers = batch.finish(&ended);
        answers.iter().filter_map(|a| a.as_ref().err()).for_each(|e| self.count_unknown(e));
        Ok(answers)
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        let Counters { calls, requests, unknown } = &self.inner.counters;
        let [calls, requests, unknown] = [calls, requests, unknown].map(|c| c.load(Ordering::Relaxed));
        Stats { calls, requests, unknown }
    }

    /// One attempt: the body of a 200, or why there is none.
    async fn exchange(&self, path: &str, key: Option<&str>, body: Bytes) -> Result<Bytes, Failure> {
        let request = request(path, key, body)?;
        count(&self.inner.counters.requests, 1);
        let answer = self.inner.pool.exchange(request).await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body());
        }
        Err(Failure { retry_after: retry_after(answer.headers()), cause: status_cause(&answer) })
    }

    fn count_unknown(&self, error: &PaymentError) {
        if matches!(error, PaymentError::Unknown { .. }) {
            count(&self.inner.counters.unknown, 1);
        }
    }
}

fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn request(path: &str, key: Option<&str>, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
    let mut request = Request::post(path).header(CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        request = request.header(wire::KEY_HEADER, key);
    }
    // Only the key comes from outside: it is answered as the provider would answer it.
    let refused = |_| Cause::Status { code: 400, message: "key is not a header value".into() };
    request.body(Full::new(body)).map_err(refused).map_err(Failure::from)
}

fn status_cause(answer: &Response<Bytes>) -> Cause {
    let text = String::from_utf8_lossy(answer.body());
    let message = wire::cut(&text, limits::MESSAGE_BYTES).to_owned();
    Cause::Status { code: answer.status().as_u16(), message }
}

/// What the provider asks us to wait: milliseconds if it says them, else the standard whole seconds.
/// The date form of `Retry-After` is not read; the back-off is used instead.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let millis = number(wire::RETRY_AFTER_MS).map(Duration::from_millis);
    millis.or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_finer_unit_of_retry_after_wins() {
        type Row<'a> = (&'a [(&'static str, &'a str)], Option<Duration>);
        let table: [Row<'_>; 5] = [
            (&[], None),
            (&[("retry-after", "2")], Some(Duration::from_secs(2))),
            (&[("retry-after", "1"), ("retry-after-ms", "15")], Some(Duration::from_millis(15))),
            (&[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")], None),
            (&[("retry-after", "-1")], None),
        ];
        for (pairs, expected) in table {
            let pairs = pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
            assert_eq!(retry_after(&pairs.collect()), expected);
        }
    }

    #[test]
    fn a_key_that_cannot_be_a_header_is_refused_without_a_request() {
        let failure = request("/charges", Some("a\nb"), Bytes::new()).unwrap_err();
        assert!(matches!(failure.cause, Cause::Status { code: 400, .. }));
    }
}
