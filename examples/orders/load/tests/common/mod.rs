//! A tiny order service whose every answer a test decides, and plans that load it.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use orders_load::{Builder, Plan};
use tidemill::{Procs, Runtime};
use tokio::net::TcpListener;

pub const MS: Duration = Duration::from_millis(1);

pub fn run<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().procs(Procs::Fixed(2)).build().unwrap().block_on(body)
}

/// What the service does with a request.
#[derive(Clone, Copy, Debug)]
pub struct Reaction {
    pub status: u16,
    pub after: Duration,
    /// The connection is closed instead of an answer.
    pub reset: bool,
}

pub const ACCEPT: Reaction = Reaction { status: 202, after: Duration::ZERO, reset: false };

/// Serves until the runtime ends; `react` is given the number of the request, counted from zero, whose
/// key must be that of a plan of [`plan`].
pub async fn serve(react: impl Fn(u64) -> Reaction + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (react, count) = (Arc::new(react), Arc::new(AtomicU64::new(0)));
    drop(tidemill::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (react, count) = (Arc::clone(&react), Arc::clone(&count));
            drop(tidemill::spawn(async move {
                let service = service_fn(|request| {
                    let reaction = react(count.fetch_add(1, Ordering::Relaxed));
                    answer(request, reaction)
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }));
        }
    }));
    addr
}

/// The order's number is the number in the key.
async fn answer(request: Request<Incoming>, reaction: Reaction) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let key = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
    assert_eq!(request.uri().path(), "/orders");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"sku":"tea"}"#);
    if !reaction.after.is_zero() {
        tokio::time::sleep(reaction.after).await;
    }
    if reaction.reset {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    let id = key.strip_prefix("key-").unwrap();
    let body = Full::from(format!(r#"{{"order":{id}}}"#));
    Ok(Response::builder().status(reaction.status).body(body).unwrap())
}

pub fn plan(addr: SocketAddr) -> Builder {
    Plan::builder(format!("http://{addr}/orders")).connections(4).source(|n| orders_load::Request {
        idempotency_key: format!("key-{n}"),
        body: Bytes::from_static(br#"{"sku":"tea"}"#),
    })
}
