//! The options of a server, checked when it starts.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper_util::{rt::TokioTimer, server::conn::auto};
use tokio::sync::Semaphore;

use crate::Executor;
use crate::limits::{DRAIN_TIMEOUT, HEADER_READ_TIMEOUT};

/// Called with each request and the peer of its connection, before the service is.
pub(crate) type WithPeer<P> = Arc<dyn Fn(&mut Request<Incoming>, &P) + Send + Sync>;

/// Called with each failed accept.
pub(crate) type OnAcceptError = Box<dyn FnMut(&io::Error) + Send>;

pub(crate) struct Options<P> {
    pub(crate) max_connections: usize,
    pub(crate) header_read_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) with_peer: Option<WithPeer<P>>,
    pub(crate) on_accept_error: OnAcceptError,
    pub(crate) http: auto::Builder<Executor>,
}

impl<P> Default for Options<P> {
    fn default() -> Self {
        let mut http = auto::Builder::new(Executor);
        http.http1().timer(TokioTimer::new());
        // Connect: WebSockets over HTTP/2 begin with it.
        http.http2().timer(TokioTimer::new()).enable_connect_protocol();
        Self {
            max_connections: Semaphore::MAX_PERMITS,
            header_read_timeout: HEADER_READ_TIMEOUT,
            drain_timeout: DRAIN_TIMEOUT,
            with_peer: None,
            on_accept_error: Box::new(|_| {}),
            http,
        }
    }
}

impl<P> Options<P> {
    /// # Errors
    /// An option is out of range; the error names it.
    pub(crate) fn checked(mut self) -> io::Result<Self> {
        let fault = if self.max_connections == 0 {
            "max_connections is 0: nobody could ever be served"
        } else if self.header_read_timeout.is_zero() {
            "header_read_timeout is 0: no request could be read in time"
        } else {
            self.max_connections = self.max_connections.min(Semaphore::MAX_PERMITS);
            self.http.http1().header_read_timeout(self.header_read_timeout);
            return Ok(self);
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, fault))
    }
}

impl<P> fmt::Debug for Options<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_connections, header_read_timeout, drain_timeout, .. } = self;
        f.debug_struct("Options")
            .field("max_connections", max_connections)
            .field("header_read_timeout", header_read_timeout)
            .field("drain_timeout", drain_timeout)
            .finish_non_exhaustive()
    }
}
