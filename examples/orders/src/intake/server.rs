//! The accept loop and the life of a connection.
//!
//! Stopping is in order: no new connection, then each open one finishes the request it is at, then,
//! after a grace period, what is left is cut off. A request that was cut off has no answer, so its
//! client must ask again with the same key, as after any broken connection.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::Router;
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tower_service::Service as _;

use super::{
    answer::{self, AnyBody},
    body, router,
};
use crate::{Count, Pipeline, Stop, Variant, limits};

/// Pause after a failed accept: the usual reason, no file descriptor left, does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Every connection had finished its request.
    Complete,
    /// Some were cut off when the grace period was over.
    CutOff,
}

/// Accepts connections until asked to stop, then waits for their requests to finish, at most
/// [`limits::DRAIN`]. Must be polled on a tidemill runtime.
pub async fn serve(listener: TcpListener, pipeline: &Pipeline, stop: &Stop) -> Served {
    let graceful = GracefulShutdown::new();
    tokio::select! {
        () = stop.requested() => {}
        () = accept_all(&listener, pipeline, &graceful) => {}
    }
    drop(listener);
    match timeout(limits::DRAIN, graceful.shutdown()).await {
        Ok(()) => Served::Complete,
        Err(_) => Served::CutOff,
    }
}

async fn accept_all(listener: &TcpListener, pipeline: &Pipeline, graceful: &GracefulShutdown) {
    let intake = Intake { pipeline: pipeline.clone(), router: router::router(pipeline.clone()) };
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let stream = accept(listener).await;
        pipeline.counters().add(Count::Connections, 1);
        let connection = graceful.watch(connection(stream, intake.clone()));
        drop(tidemill::spawn(async move {
            // A connection that breaks is the client's to notice.
            let _ = connection.await;
            drop(permit);
        }));
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it an answer waits for the client's delayed acknowledgement.
                let _: io::Result<()> = stream.set_nodelay(true);
                return stream;
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn connection(
    stream: TcpStream,
    intake: Intake,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let service = service_fn(move |request| {
        let intake = intake.clone();
        async move { Ok::<_, Infallible>(intake.answer(request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::READ_TIMEOUT)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
}

/// What every connection shares.
#[derive(Clone)]
struct Intake {
    pipeline: Pipeline,
    router: Router,
}

impl Intake {
    async fn answer(mut self, request: Request<Incoming>) -> Response<AnyBody> {
        let is_order = request.uri().path() == "/orders" && request.method() == Method::POST;
        match self.pipeline.stages().intake {
            Variant::Tuned if is_order => self.place(request).await.map(Either::Left),
            _ => {
                let Ok(response) = self.router.call(request).await;
                response.map(Either::Right)
            }
        }
    }

    async fn place(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let read = async { Ok((answer::key(&head.headers)?, body::read(body).await?)) };
        answer::answer(match read.await {
            Ok((key, body)) => self.pipeline.place(key, body).await,
            Err(reject) => Err(self.pipeline.refused(reject)),
        })
    }
}
