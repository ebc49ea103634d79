//! `serve` as a user sees it: a future that is configured before it is awaited.

use std::fmt;
use std::future::{Future, IntoFuture, Pending, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::server::conn::auto;
use tower_service::Service;

use crate::Executor;
use crate::connection::BoxError;
use crate::listener::Listener;
use crate::options::Options;
use crate::server;

/// Serves HTTP/1 and HTTP/2, and so gRPC, on one port: each connection is a task of tidemill.
///
/// `service` is any tower service of hyper's requests: an `axum::Router`, a tonic `Routes::into_axum_router()`, one merged
/// from both, or your own. It is cloned for each connection and each request.
///
/// HTTP/2 comes without TLS, by prior knowledge, as gRPC has it inside a cluster. A panic of the service ends the
/// connection it came over (with HTTP/2, the request), and nothing else.
///
/// # Errors
/// The future gives an error if an option is out of range, or without a tidemill runtime. Failed accepts are no errors:
/// see [`Serve::on_accept_error`].
///
/// # Cancel safety
/// Dropping the future closes the listener; open connections finish the requests they are at, without a deadline.
///
/// # Cost
/// Beside hyper's: for each connection a task and a timer, for each request one relaxed store.
///
/// ```
/// use axum::{Router, routing::get};
/// use tokio::net::TcpListener;
///
/// tidemill_scheduler::block_on(async {
///     let router = Router::new().route("/", get(async || "hello"));
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     // The signal is over at once; a server waits for `tokio::signal::ctrl_c()` here, or what you stop it with.
///     let served = tidemill_serve::serve(listener, router).with_graceful_shutdown(async {}).await?;
///     assert_eq!(served, tidemill_serve::Served::Complete);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve<L: Listener, S>(listener: L, service: S) -> Serve<L, S> {
    Serve { listener, service, signal: pending(), options: Options::default() }
}

/// A server that has not begun; see [`serve`]. Awaiting it serves until the signal given to
/// [`with_graceful_shutdown`](Self::with_graceful_shutdown), and without one for ever.
///
/// ```
/// use std::time::Duration;
///
/// tidemill_scheduler::block_on(async {
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
///     let refused = tidemill_serve::serve(listener, axum::Router::new())
///         .header_read_timeout(Duration::from_secs(5))
///         .max_connections(0)
///         .await
///         .unwrap_err();
///     assert_eq!(refused.to_string(), "max_connections is 0: nobody could ever be served");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<L: Listener, S, F = Pending<()>> {
    listener: L,
    service: S,
    signal: F,
    options: Options<L::Peer>,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Every connection had finished its requests.
    Complete,
    /// The drain time-out was over first.
    CutOff {
        /// How many connections were cut off. One that is inside a poll at that moment is dropped when the poll returns.
        connections: usize,
    },
}

impl<L: Listener, S, F> Serve<L, S, F> {
    /// Ends the server when `signal` does: it accepts no more, each connection finishes the requests it is at, and what is
    /// left after [`drain_timeout`](Self::drain_timeout) is cut off.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<L, S, G>
    where
        G: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, service, options, .. } = self;
        Serve { listener, service, signal, options }
    }

    /// How long requests may go on after the signal. Default: 30 s.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.options.drain_timeout = limit;
        self
    }

    /// How many connections are open at a time. Those beyond it wait in the system's queue until one closes. One that was
    /// upgraded (a WebSocket) belongs to its handler and does not count any more. Default: no limit.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.options.max_connections = most;
        self
    }

    /// How long the head of a request may take: the first one from when the connection is there, and over HTTP/1 each
    /// further one from the end of the one before, so that this is also how long such a connection may idle. Default: 30 s.
    ///
    /// Without such a limit clients that send nothing would use up [`max_connections`](Self::max_connections).
    pub fn header_read_timeout(mut self, limit: Duration) -> Self {
        self.options.header_read_timeout = limit;
        self
    }

    /// Calls `f` with each request before the service has it, and with the peer of its connection. What axum calls
    /// connect info is `.with_peer(|request, peer| { request.extensions_mut().insert(ConnectInfo(*peer)); })`.
    pub fn with_peer<G>(mut self, f: G) -> Self
    where
        G: Fn(&mut Request<Incoming>, &L::Peer) + Send + Sync + 'static,
    {
        self.options.with_peer = Some(Arc::new(f));
        self
    }

    /// Calls `f` with each error of the listener, for a log or a counter. The server then pauses, at first 5 ms and up to
    /// a second if it goes on failing, and accepts again. The usual error is that no file descriptor is left.
    pub fn on_accept_error<G>(mut self, f: G) -> Self
    where
        G: FnMut(&io::Error) + Send + 'static,
    {
        self.options.on_accept_error = Box::new(f);
        self
    }

    /// Everything else that hyper lets one choose: windows, numbers of streams, pings, sizes of buffers.
    ///
    /// ```
    /// # tidemill_scheduler::block_on(async {
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    /// let server = tidemill_serve::serve(listener, axum::Router::<()>::new()).http(|http| {
    ///     http.http2().max_concurrent_streams(64).keep_alive_interval(std::time::Duration::from_secs(20));
    /// });
    /// # drop(server) });
    /// ```
    pub fn http(mut self, f: impl FnOnce(&mut auto::Builder<Executor>)) -> Self {
        f(&mut self.options.http);
        self
    }
}

impl<L, S, B, F> IntoFuture for Serve<L, S, F>
where
    L: Listener,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    F: Future<Output = ()> + Send + 'static,
{
    type Output = io::Result<Served>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<Served>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { listener, service, signal, options } = self;
        Box::pin(server::run(listener, service, signal, options))
    }
}

impl<L: Listener, S, F> fmt::Debug for Serve<L, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("options", &self.options).finish_non_exhaustive()
    }
}
