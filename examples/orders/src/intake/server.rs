//! The service on tidemill's server: what comes in goes to the orders or to the router.
//!
//! Stopping is in order: no new connection, then each open one finishes the request it is at, then,
//! after a grace period, what is left is cut off. A request that was cut off has no answer, so its
//! client must ask again with the same key, as after any broken connection.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use axum::Router;
use http_body_util::Either;
use hyper::{Method, Request, Response, body::Incoming};
use tidemill::serve::{Listener, Served};
use tokio::net::{TcpListener, TcpStream};
use tower::Service as _;

use super::{answer::AnyBody, router};
use crate::{Count, Pipeline, Stop, Variant, limits};

/// Serves until asked to stop, then waits for the requests at hand to finish, at most [`limits::DRAIN`]. Must be
/// polled on a tidemill runtime.
///
/// # Errors
/// There is no such runtime.
pub async fn serve(listener: TcpListener, pipeline: &Pipeline, stop: &Stop) -> io::Result<Served> {
    let (stop, pipeline) = (stop.clone(), pipeline.clone());
    let counted = Counted { listener, pipeline: pipeline.clone() };
    let intake = Arc::new(Intake { router: router::router(pipeline.clone()), pipeline });
    let service = tower::service_fn(move |request| {
        let intake = Arc::clone(&intake);
        async move { Ok::<_, Infallible>(intake.answer(request).await) }
    });
    tidemill::serve(counted, service)
        .max_connections(limits::CONNECTIONS)
        .header_read_timeout(limits::READ_TIMEOUT)
        .drain_timeout(limits::DRAIN)
        .http(|http| {
            http.http1().pipeline_flush(true);
        })
        .with_graceful_shutdown(async move { stop.requested().await })
        .await
}

/// A listener that counts what it accepts.
struct Counted {
    listener: TcpListener,
    pipeline: Pipeline,
}

impl Listener for Counted {
    type Io = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = Listener::accept(&mut self.listener).await?;
        self.pipeline.counters().add(Count::Connections, 1);
        Ok(accepted)
    }
}

/// What every connection shares.
struct Intake {
    pipeline: Pipeline,
    router: Router,
}

impl Intake {
    async fn answer(&self, request: Request<Incoming>) -> Response<AnyBody> {
        let is_order = request.uri().path() == "/orders" && request.method() == Method::POST;
        match self.pipeline.stages().intake {
            Variant::Tuned if is_order => router::place_within_time(&self.pipeline, request).await.map(Either::Left),
            _ => {
                let Ok(response) = self.router.clone().call(request).await;
                response.map(Either::Right)
            }
        }
    }
}
