//! The routes: all of them, so that the naive intake is this router and nothing else.
//!
//! | route | answer |
//! |---|---|
//! | `POST /orders` with `Idempotency-Key` | 201 and the order's number, or a problem |
//! | `GET /orders/{id}` | the order and its status |
//! | `GET /healthz` | 200 while the process can answer |
//! | `GET /readyz` | 200 while it should get orders, else 503 |
//! | `GET /metrics` | the counts as Prometheus reads them |
//! | `GET /debug/vars` | the counts and the process as JSON |
//! | `GET /debug/pprof/flamegraph?seconds=5` | where the CPU time goes, as a picture |

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;

use super::{answer, body, vars};
use crate::{
    Pipeline,
    domain::{Kind, Reject},
    job,
};

pub(super) fn router(pipeline: Pipeline) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(order))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/debug/vars", get(debug_vars))
        .route("/debug/pprof/flamegraph", get(job::pprof::flamegraph))
        .with_state(pipeline)
}

async fn place(State(pipeline): State<Pipeline>, request: Request) -> Response {
    place_within_time(&pipeline, request).await.map(Body::new)
}

/// The way of an order in both forms: one deadline for its body, its limit and the store.
pub(super) async fn place_within_time<B>(
    pipeline: &Pipeline,
    request: hyper::Request<B>,
) -> hyper::Response<Full<Bytes>>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let (head, body) = request.into_parts();
    let placing = async {
        match answer::key(&head.headers) {
            Ok(key) => match body::read(body).await {
                Ok(body) => pipeline.place(key, body).await,
                Err(reject) => Err(pipeline.refused(reject)),
            },
            Err(reject) => Err(pipeline.refused(reject)),
        }
    };
    answer::answer(pipeline.request_context().into_scope(placing).await, pipeline.quota())
}

async fn order(State(pipeline): State<Pipeline>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else { return unknown_order() };
    let found = tidemill::blocking(|| pipeline.store().reader()?.order(id));
    match found {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => unknown_order(),
        Err(error) => {
            eprintln!("{error}");
            let reject = Reject::new(Kind::Unavailable, "server", "could not read the order");
            answer::problem(&reject).map(Body::new)
        }
    }
}

fn unknown_order() -> Response {
    (StatusCode::NOT_FOUND, "no such order\n").into_response()
}

async fn ready(State(pipeline): State<Pipeline>) -> Response {
    match tidemill::blocking(|| pipeline.is_ready()) {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response(),
    }
}

async fn metrics(State(pipeline): State<Pipeline>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], vars::prometheus(&pipeline)).into_response()
}

async fn debug_vars(State(pipeline): State<Pipeline>) -> Response {
    Json(vars::json(&pipeline)).into_response()
}
