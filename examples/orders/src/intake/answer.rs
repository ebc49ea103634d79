//! What a request is answered with: a stored answer, or a problem that names the field at fault.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use crate::{
    domain::{IdempotencyKey, KeyError, Kind, Reject},
    limits,
    pipeline::Receipt,
};

/// A body that needs no box on the hot path.
pub(super) type AnyBody = Either<Full<Bytes>, Body>;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a request.
pub(super) fn key(headers: &HeaderMap) -> Result<IdempotencyKey, Reject> {
    let value = headers.get(IDEMPOTENCY_KEY).ok_or(KeyError::Missing)?;
    Ok(IdempotencyKey::new(value.as_bytes())?)
}

/// The answer to an order.
pub(super) fn answer(placed: Result<Receipt, Reject>) -> Response<Full<Bytes>> {
    match placed {
        Ok(receipt) => accepted(receipt),
        Err(reject) => problem(&reject),
    }
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
    if matches!(reject.kind, Kind::Overloaded | Kind::Unavailable) {
        headers.insert(RETRY_AFTER, limits::RETRY_AFTER_SECONDS.into());
    }
    response
}

/// A status we stored or chose ourselves.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
