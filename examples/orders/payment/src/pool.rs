//! A small pool of keep-alive HTTP/1.1 connections to one host.
//!
//! HTTP/1.1 answers in the order of the requests, so a connection serves one exchange at a time. The
//! pool is a stack of idle connections (the warmest first) and a semaphore that bounds idle and leased
//! ones together. A connection goes back only after its answer was read to the end: an exchange that
//! is dropped half-way (time-out, cancellation) drops its connection too, because the next reader
//! would otherwise be given the late answer of the previous request.
//!
//! Rejected: the pooled client of hyper-util, which decides by itself to repeat a request on another
//! connection; what is repeated, and how often, is here the business of the retry policy alone.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore};

use crate::{ConfigError, error::Cause, limits};

type Sender = SendRequest<Full<Bytes>>;

/// Connections to one `http://host:port`.
#[derive(Debug)]
pub(crate) struct Pool {
    authority: String,
    host: HeaderValue,
    idle: Mutex<Vec<Sender>>,
    permits: Semaphore,
}

impl Pool {
    /// An empty pool; connections are opened on demand, `connections` at most.
    pub(crate) fn new(url: &str, connections: usize) -> Result<Self, ConfigError> {
        if connections == 0 {
            return Err(ConfigError::Connections(connections));
        }
        let authority = authority(url).ok_or_else(|| ConfigError::Url(url.to_owned()))?;
        let host = HeaderValue::from_str(&authority);
        Ok(Self {
            host: host.map_err(|_| ConfigError::Url(url.to_owned()))?,
            authority,
            idle: Mutex::new(Vec::with_capacity(connections)),
            permits: Semaphore::new(connections),
        })
    }

    /// Sends one request and reads its whole answer.
    ///
    /// Cancel safe: a dropped exchange closes its connection and frees its place.
    pub(crate) async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Cause> {
        let _permit = self.permits.acquire().await.expect("the pool never closes its semaphore");
        let mut sender = self.connection().await.map_err(|e| Cause::Io(e.to_string()))?;
        request.headers_mut().insert(HOST, self.host.clone());
        let answer = sender.send_request(request).await.map_err(|e| hyper_cause(&e))?;
        let answer = read_to_end(answer).await?;
        self.idle().push(sender);
        Ok(answer)
    }

    async fn connection(&self) -> io::Result<Sender> {
        while let Some(mut sender) = self.warmest() {
            // `ready` fails if the peer has closed the connection while it lay idle.
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        self.connect().await
    }

    fn warmest(&self) -> Option<Sender> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Sender>> {
        // A stack of senders is whole at every step, so a panic elsewhere cannot have torn it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> io::Result<Sender> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // The task ends when the sender is dropped or the peer closes; the sender reports the error.
        drop(tidemill::spawn(connection));
        Ok(sender)
    }
}

/// The `host:port` of an `http://host[:port]` URL without a path.
fn authority(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let bare = uri.path() == "/" && uri.query().is_none();
    let authority = uri.authority().filter(|a| !a.as_str().contains('@'))?;
    let http = uri.scheme_str() == Some("http") && bare;
    http.then(|| format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80)))
}

async fn read_to_end(answer: Response<Incoming>) -> Result<Response<Bytes>, Cause> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, limits::BODY_BYTES).collect().await;
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => hyper_cause(&error),
        Err(_) => Cause::Malformed(format!("body above {} bytes", limits::BODY_BYTES)),
    })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

fn hyper_cause(error: &hyper::Error) -> Cause {
    if error.is_parse() { Cause::Malformed(error.to_string()) } else { Cause::Io(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_http_url_names_a_provider() {
        let table = [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://pay.example/", Some("pay.example:80")),
            ("http://[::1]:9", Some("[::1]:9")),
            ("https://pay.example", None),
            ("http://user@pay.example", None),
            ("http://pay.example/v1", None),
            ("pay.example:80", None),
            ("", None),
        ];
        for (url, expected) in table {
            assert_eq!(authority(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_pool_without_connections_is_refused() {
        let error = Pool::new("http://127.0.0.1:1", 0).map(drop);
        assert_eq!(error, Err(ConfigError::Connections(0)));
    }
}
