//! What a request is answered with: a stored answer, or a problem that names the field at fault.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use crate::{
    Quota,
    domain::{IdempotencyKey, KeyError, Kind, Reject},
    pipeline::Receipt,
};

/// A body that needs no box on the hot path.
pub(super) type AnyBody = Either<Full<Bytes>, Body>;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// More than one order comes back in a second.
const SECOND: Duration = Duration::from_secs(1);
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a request.
pub(super) fn key(headers: &HeaderMap) -> Result<IdempotencyKey, Reject> {
    let value = headers.get(IDEMPOTENCY_KEY).ok_or(KeyError::Missing)?;
    Ok(IdempotencyKey::new(value.as_bytes())?)
}

/// The answer to an order.
pub(super) fn answer(placed: Result<Receipt, Reject>, quota: Quota) -> Response<Full<Bytes>> {
    let (mut response, left) = match placed {
        Ok(receipt) => {
            let left = receipt.remaining.map(|left| (left, SECOND));
            (accepted(receipt), left)
        }
        Err(reject) => {
            let refused = reject.retry_after.filter(|_| reject.kind == Kind::RateLimited);
            (problem(&reject), refused.map(|wait| (0, wait)))
        }
    };
    if let Some((left, reset)) = left {
        let fields = [(POLICY, quota.policy()), (LIMIT, Quota::left(left, reset))];
        response.headers_mut().extend(fields.map(|(name, value)| (name, text(&value))));
    }
    response
}

/// Numbers and names of our own.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

fn accepted(receipt: Receipt) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(receipt.answer.body));
    *response.status_mut() = status(receipt.answer.status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if receipt.is_replay {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// The answer to what was not taken.
pub(super) fn problem(reject: &Reject) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reject.problem().into()));
    *response.status_mut() = status(reject.kind.status());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(wait) = reject.retry_after {
        // Rounded up: who waits as long as he is told must not come too early.
        headers.insert(RETRY_AFTER, wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).into());
    }
    response
}

/// A status we stored or chose ourselves.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
