//! The provider's routes: read the request, draw its fault, settle its charges, answer.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tokio::time::sleep;

use super::{
    Faults, Ledger,
    faults::{Fault, When},
    ledger::KeyReused,
};
use crate::{Charge, Outcome, limits, wire};

type Answer = Response<Full<Bytes>>;

/// What every connection of a simulator shares.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) seed: u64,
    pub(super) ledger: Ledger,
    pub(super) faults: Mutex<Faults>,
    /// Numbers the payment requests; relaxed, since only the number itself is used.
    pub(super) requests: AtomicU64,
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(super) struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection reset on purpose")
    }
}

impl std::error::Error for Reset {}

/// The charges of one payment request, and how their outcomes are written down.
enum Order {
    Single(Charge),
    Batch(Vec<Charge>),
}

impl Provider {
    /// Answers one request, or asks for its connection to be closed.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Reset> {
        let route = (request.method().clone(), request.uri().path().to_owned());
        let batch = match (&route.0, route.1.as_str()) {
            (&Method::GET, "/healthz") => return Ok(text(StatusCode::OK, "ok")),
            (&Method::GET, "/ledger") => return Ok(json(&self.ledger.charges())),
            (&Method::POST, wire::SINGLE_PATH) => false,
            (&Method::POST, wire::BATCH_PATH) => true,
            _ => return Ok(text(StatusCode::NOT_FOUND, "no such route")),
        };
        match read(request, batch).await {
            Ok(order) => self.pay(order).await,
            Err((status, why)) => Ok(text(status, &why)),
        }
    }

    /// Settles a request under the fault that was drawn for it.
    async fn pay(&self, order: Order) -> Result<Answer, Reset> {
        let faults = *self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        match faults.draw(self.seed, number) {
            Fault::None => Ok(self.settle(order, &faults)),
            Fault::Throttled => Ok(throttled(faults.retry_after)),
            Fault::Slow => {
                sleep(faults.slow_by).await;
                Ok(self.settle(order, &faults))
            }
            Fault::Timeout(When::Before) => {
                sleep(faults.hang_for).await;
                Ok(self.settle(order, &faults))
            }
            Fault::Timeout(When::After) => {
                let answer = self.settle(order, &faults);
                sleep(faults.hang_for).await;
                Ok(answer)
            }
            Fault::Error500(when) => {
                self.settle_part(order, when, &faults);
                Ok(text(StatusCode::INTERNAL_SERVER_ERROR, "fault injected"))
            }
            Fault::Reset(when) => {
                self.settle_part(order, when, &faults);
                Err(Reset)
            }
        }
    }

    /// Settles what the provider gets done before it fails: everything, or the first half of a batch
    /// (which of a single charge is nothing).
    fn settle_part(&self, order: Order, when: When, faults: &Faults) {
        let charges = match order {
            Order::Single(charge) => vec![charge],
            Order::Batch(charges) => charges,
        };
        let done = match when {
            When::Before => charges.len() / 2,
            When::After => charges.len(),
        };
        for charge in charges.into_iter().take(done) {
            // Nobody hears the answer; a reused key has changed nothing.
            let _ = self.settle_one(charge, faults);
        }
    }

    fn settle(&self, order: Order, faults: &Faults) -> Answer {
        match order {
            Order::Single(charge) => match self.settle_one(charge, faults) {
                Ok(outcome) => json(&outcome),
                Err((status, why)) => text(status, why),
            },
            Order::Batch(charges) => {
                let items = charges.into_iter().map(|charge| self.settle_item(charge, faults));
                json(&wire::BatchAnswer { results: items.collect() })
            }
        }
    }

    fn settle_item(&self, charge: Charge, faults: &Faults) -> wire::ItemAnswer<'static> {
        let key = charge.key.clone().into();
        let result = match self.settle_one(charge, faults) {
            Ok(outcome) => outcome.into(),
            Err((status, why)) => wire::ItemResult::Refused { code: status.as_u16(), message: why.to_owned() },
        };
        wire::ItemAnswer { key, result }
    }

    fn settle_one(&self, charge: Charge, faults: &Faults) -> Result<Outcome, (StatusCode, &'static str)> {
        if charge.key.is_empty() || charge.key.len() > limits::KEY_BYTES {
            return Err((StatusCode::BAD_REQUEST, "the key must have 1 to 255 bytes"));
        }
        if charge.amount_cents == 0 {
            return Err((StatusCode::BAD_REQUEST, "the amount must be above zero"));
        }
        let settled = self.ledger.settle(charge, |key| faults.declines(self.seed, key));
        settled.map_err(|KeyReused| (StatusCode::UNPROCESSABLE_ENTITY, "the key is taken"))
    }
}

async fn read(request: Request<Incoming>, batch: bool) -> Result<Order, (StatusCode, String)> {
    let key = request.headers().get(wire::KEY_HEADER).cloned();
    let body = Limited::new(request.into_body(), limits::BODY_BYTES).collect().await;
    let body = body.map_err(|e| (StatusCode::PAYLOAD_TOO_LARGE, e.to_string()))?.to_bytes();
    if batch { read_batch(&body) } else { read_single(key.as_ref(), &body) }
}

fn read_single(key: Option<&HeaderValue>, body: &[u8]) -> Result<Order, (StatusCode, String)> {
    let key = key.and_then(|key| key.to_str().ok());
    let key = key.ok_or_else(|| (StatusCode::BAD_REQUEST, "Idempotency-Key is missing".to_owned()))?;
    let wire::SingleRequest { order, amount_cents } = serde_json::from_slice(body).map_err(bad)?;
    Ok(Order::Single(Charge { key: key.to_owned(), order, amount_cents }))
}

fn read_batch(body: &[u8]) -> Result<Order, (StatusCode, String)> {
    let request: wire::BatchRequest<'_> = serde_json::from_slice(body).map_err(bad)?;
    if request.charges.len() > limits::BATCH {
        let why = format!("{} charges; at most {} fit", request.charges.len(), limits::BATCH);
        return Err((StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let charges = request.charges.into_iter().map(|item| Charge {
        key: item.key.into_owned(),
        order: item.order,
        amount_cents: item.amount_cents,
    });
    Ok(Order::Batch(charges.collect()))
}

// By value, as `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
fn bad(error: serde_json::Error) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn throttled(wait: Duration) -> Answer {
    let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "slow down");
    let seconds = wait.as_millis().div_ceil(1000);
    answer.headers_mut().insert(RETRY_AFTER, number(seconds));
    answer.headers_mut().insert(wire::RETRY_AFTER_MS, number(wait.as_millis()));
    answer
}

fn number(n: u128) -> HeaderValue {
    HeaderValue::from_str(&n.to_string()).expect("digits are a header value")
}

fn text(status: StatusCode, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *answer.status_mut() = status;
    answer
}

fn json(body: &impl serde::Serialize) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(wire::to_json(body))));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
