//! What is sent where: the checked settings that both kinds of load share.

use std::{
    error::Error,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use crate::{Answer, Progress, limits, order_id};

/// One order to send.
///
/// ```
/// use orders_load::Request;
/// let request = Request { idempotency_key: "run-1-42".into(), body: "{}".into() };
/// assert_eq!(request.body.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The `Idempotency-Key` header: visible ASCII.
    pub idempotency_key: String,
    /// The JSON body; cheap to clone if it is prepared.
    pub body: Bytes,
}

/// Makes the n-th request.
pub(crate) type Source = Arc<dyn Fn(u64) -> Request + Send + Sync>;
/// Finds the number of the order in an answer that accepted it.
pub(crate) type IdParser = Arc<dyn Fn(&Answer<'_>) -> Option<u64> + Send + Sync>;
/// Is told how far a run is, about once a second.
pub(crate) type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

/// The settings of a run. Cloning is cheap.
///
/// ```
/// use orders_load::{Plan, Request};
/// let plan = Plan::builder("http://127.0.0.1:8080/orders")
///     .connections(16)
///     .source(|n| Request { idempotency_key: format!("demo-{n}"), body: "{}".into() })
///     .build()?;
/// # drop(plan);
/// # Ok::<(), orders_load::PlanError>(())
/// ```
#[derive(Clone)]
pub struct Plan {
    pub(crate) addr: SocketAddr,
    /// Everything of a request before the value of its key.
    pub(crate) head: Arc<[u8]>,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) timeout: Duration,
    pub(crate) source: Source,
    pub(crate) id_parser: IdParser,
    pub(crate) on_progress: OnProgress,
}

impl Plan {
    /// Settings for `POST` requests to `url`, which has the form `http://host:port/path`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            connections: limits::CONNECTIONS,
            in_flight: limits::IN_FLIGHT,
            timeout: limits::TIMEOUT,
            source: None,
            id_parser: Arc::new(order_id),
            on_progress: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("addr", &self.addr)
            .field("connections", &self.connections)
            .field("in_flight", &self.in_flight)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`Plan`]; what is not set has the value named with its setter.
///
/// ```
/// use orders_load::{Plan, PlanError};
/// let error = Plan::builder("https://example.org").build().unwrap_err();
/// assert!(matches!(error, PlanError::Url(_)));
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    url: String,
    connections: usize,
    in_flight: usize,
    timeout: Duration,
    source: Option<Source>,
    id_parser: IdParser,
    on_progress: OnProgress,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Builder {
    /// Keep-alive connections, each with one request at a time. Default: 64.
    pub fn connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// Requests planned but not ended at most; what is planned beyond is dropped and counted. Those
    /// above the connections wait in the generator, and the wait is part of their latency. Only for
    /// the open loop. Default: 4096.
    pub fn in_flight(self, in_flight: usize) -> Self {
        Self { in_flight, ..self }
    }

    /// Time of a request from its planned send time to the last byte of its answer. Default: 5 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Makes the n-th request, counted from zero; called by the sending tasks, so it must be quick and
    /// must not block. Has no default.
    pub fn source(self, source: impl Fn(u64) -> Request + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// Finds the order's number in a 2xx answer. Default: [`order_id`].
    pub fn id_parser(self, parser: impl Fn(&Answer<'_>) -> Option<u64> + Send + Sync + 'static) -> Self {
        Self { id_parser: Arc::new(parser), ..self }
    }

    /// Is told the state of the run about once a second. Default: nobody.
    pub fn on_progress(self, listener: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self { on_progress: Arc::new(listener), ..self }
    }

    /// Checks the settings and resolves the host, which may block on a name server.
    ///
    /// # Errors
    /// A [`PlanError`] that names the setting.
    pub fn build(self) -> Result<Plan, PlanError> {
        let bounds = [("connections", self.connections), ("in_flight", self.in_flight)];
        if let Some((name, _)) = bounds.into_iter().find(|(_, n)| *n == 0) {
            return Err(PlanError::Zero(name));
        }
        if self.timeout.is_zero() {
            return Err(PlanError::Zero("timeout"));
        }
        let (authority, path) = split(&self.url).ok_or_else(|| PlanError::Url(self.url.clone()))?;
        Ok(Plan {
            addr: resolve(authority)?,
            head: head(authority, path).into(),
            connections: self.connections,
            in_flight: self.in_flight,
            timeout: self.timeout,
            source: self.source.ok_or(PlanError::NoSource)?,
            id_parser: self.id_parser,
            on_progress: self.on_progress,
        })
    }
}

/// Authority and path of an `http` URL; both go into the request as they are, so they must be plain.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://").filter(|rest| rest.bytes().all(|b| b.is_ascii_graphic()))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let plain = !authority.is_empty() && !authority.contains('@') && !rest.contains('#');
    plain.then_some((authority, if path.is_empty() { "/" } else { path }))
}

fn resolve(authority: &str) -> Result<SocketAddr, PlanError> {
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let unknown = |why: String| PlanError::Host { host: with_port.clone(), why };
    let mut addrs = with_port.to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
    addrs.next().ok_or_else(|| unknown("no address".to_owned()))
}

fn head(authority: &str, path: &str) -> Vec<u8> {
    let lines =
        format!("POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\nidempotency-key: ");
    lines.into_bytes()
}

/// Which setting of a [`Plan`] is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Not of the form `http://host:port/path`.
    Url(String),
    /// The host has no address.
    Host {
        /// Host and port.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The setting of this name must be above zero.
    Zero(&'static str),
    /// Nothing was given that makes the requests.
    NoSource,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "url {url:?} is not http://host:port/path"),
            Self::Host { host, why } => write!(f, "host {host}: {why}"),
            Self::Zero(name) => write!(f, "{name} must be above zero"),
            Self::NoSource => f.write_str("a plan needs a source of requests"),
        }
    }
}

impl Error for PlanError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn good(url: &str) -> Builder {
        Plan::builder(url).source(|_| Request { idempotency_key: String::new(), body: Bytes::new() })
    }

    #[test]
    fn a_url_becomes_an_address_and_a_head() {
        let table = [
            ("http://127.0.0.1:81/orders", "127.0.0.1:81", "POST /orders HTTP/1.1\r\nhost: 127.0.0.1:81\r\n"),
            ("http://127.0.0.1", "127.0.0.1:80", "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\n"),
            ("http://[::1]:9/a?b=c", "[::1]:9", "POST /a?b=c HTTP/1.1\r\nhost: [::1]:9\r\n"),
        ];
        for (url, addr, head) in table {
            let plan = good(url).build().unwrap();
            assert_eq!(plan.addr.to_string(), addr);
            assert!(plan.head.starts_with(head.as_bytes()), "{url}");
        }
    }

    #[test]
    fn each_bad_setting_is_named() {
        let url = "http://127.0.0.1:1/";
        for bad in ["", "127.0.0.1:1", "https://x", "http://", "http://u@x/", "http://x/a b", "http://x/\r\n"] {
            assert_eq!(good(bad).build().unwrap_err(), PlanError::Url(bad.into()));
        }
        assert!(matches!(good("http://x.invalid:1").build(), Err(PlanError::Host { .. })));
        assert_eq!(good(url).connections(0).build().unwrap_err(), PlanError::Zero("connections"));
        assert_eq!(good(url).in_flight(0).build().unwrap_err(), PlanError::Zero("in_flight"));
        assert_eq!(good(url).timeout(Duration::ZERO).build().unwrap_err(), PlanError::Zero("timeout"));
        assert_eq!(Plan::builder(url).build().unwrap_err(), PlanError::NoSource);
    }
}
