//! The life of one connection: a task that hyper's state machine runs in, with three ways out.
//!
//! It ends by itself (the peer closes, or hyper gives up); it is asked to drain, and ends after the requests it is at;
//! it is cut off. A fourth is for those who never send a request at all: hyper's own time-out begins only when the
//! version is known, that is after up to 24 bytes, so the first request has a deadline here.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;
use tower_service::Service;

use crate::Executor;
use crate::first::first;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Changes a request on its way to the service.
pub(crate) type Tag = Box<dyn Fn(&mut Request<Incoming>) + Send + Sync>;

/// What the server tells its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Open,
    /// Finish what you are at, then close.
    Drain,
    /// Close.
    Cut,
}

/// How the first part of the connection's life ended.
enum Event {
    Ended,
    Drain,
    Late,
}

pub(crate) async fn run<I, S, B>(
    io: I,
    service: Watched<S>,
    http: Arc<auto::Builder<Executor>>,
    first_request: Duration,
    mut stage: watch::Receiver<Stage>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let seen = Arc::clone(&service.seen);
    let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(io), service));
    // An error of a connection is its peer's to notice.
    let ended = async {
        let _ = connection.as_mut().await;
        Event::Ended
    };
    // An error says that the server is gone: it was dropped instead of asked.
    let drain = async {
        let _ = stage.wait_for(|stage| *stage >= Stage::Drain).await;
        Event::Drain
    };
    if !matches!(first(ended, first(drain, too_late(&seen, first_request))).await, Event::Drain) {
        return;
    }
    connection.as_mut().graceful_shutdown();
    let ended = async {
        let _ = connection.await;
    };
    first(ended, cut(&mut stage)).await;
}

/// Ends if no request has come after `limit`.
async fn too_late(seen: &AtomicBool, limit: Duration) -> Event {
    sleep(limit).await;
    // Relaxed: set by the same task.
    if seen.load(Ordering::Relaxed) { pending().await } else { Event::Late }
}

/// Ends when the server cuts its connections off. One that is gone does not: the requests finish.
async fn cut(stage: &mut watch::Receiver<Stage>) {
    if stage.wait_for(|stage| *stage == Stage::Cut).await.is_err() {
        pending::<()>().await;
    }
}

/// A tower service as a hyper service, which notes that there was a request, and tags it.
pub(crate) struct Watched<S> {
    service: TowerToHyperService<S>,
    seen: Arc<AtomicBool>,
    tag: Option<Tag>,
}

impl<S> Watched<S> {
    pub(crate) fn new(service: S, tag: Option<Tag>) -> Self {
        Self { service: TowerToHyperService::new(service), seen: Arc::default(), tag }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Watched<S>
where
    S: Service<Request<Incoming>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TowerToHyperServiceFuture<S, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.seen.store(true, Ordering::Relaxed);
        if let Some(tag) = &self.tag {
            tag(&mut request);
        }
        self.service.call(request)
    }
}
