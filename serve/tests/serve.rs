//! The server's promises, over raw sockets; that real clients agree is tested in `ecosystem/`.
#![allow(clippy::unwrap_used)]

mod client;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use axum::{Extension, Router, routing::get};
use client::{Client, Running, listener, start};
use tidemill_scheduler::{Procs, Runtime, block_on, spawn};
use tidemill_serve::{Listener, Serve, Served, serve};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;

/// Shorter than anybody notices, longer than a poll.
const SOON: Duration = Duration::from_millis(30);

/// Time to send a head of a request in, also on a machine that is busy.
const LIMIT: Duration = Duration::from_millis(300);

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// A router whose `/slow` says that it began and answers when it is told to.
fn slow() -> (Router, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let ((began, has_begun), (tell, told)) = (oneshot::channel(), oneshot::channel());
    let once = Arc::new(std::sync::Mutex::new(Some((began, told))));
    let handler = async move || {
        let (began, told) = once.lock().unwrap().take().unwrap();
        began.send(()).unwrap();
        told.await.map_or("told to end", |()| "slow")
    };
    (hello().route("/slow", get(handler)), has_begun, tell)
}

#[test]
fn both_versions_are_served_on_one_port() {
    block_on(async {
        let server = start(hello(), |serve| serve).await;
        let mut old = Client::connect(server.address).await;
        assert_eq!(old.get("/").await, "hello");
        assert_eq!(old.get("/").await, "hello", "the connection was kept");
        let mut new = Client::connect(server.address).await;
        assert!(new.speaks_http2().await);
        drop((old, new));
        assert_eq!(server.stop().await, Served::Complete);
    });
}

#[test]
fn a_request_finishes_and_nobody_new_is_let_in_while_it_drains() {
    block_on(async {
        let (router, has_begun, tell) = slow();
        let server = start(router, |serve| serve).await;
        let mut idle = Client::connect(server.address).await;
        assert_eq!(idle.get("/").await, "hello");
        let mut busy = Client::connect(server.address).await;
        let request = spawn(async move { busy.get("/slow").await });
        has_begun.await.unwrap();
        let Running { address, stop, ended } = server;
        stop.send(()).unwrap();
        assert!(idle.is_closed().await, "an idle connection is closed at once");
        // The listener was closed before that.
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        tell.send(()).unwrap();
        assert_eq!(request.await.unwrap(), "slow");
        assert_eq!(ended.await.unwrap().unwrap(), Served::Complete);
    });
}

#[test]
fn what_outlasts_the_drain_is_cut_off() {
    block_on(async {
        let (router, has_begun, _never) = slow();
        let server = start(router, |serve| serve.drain_timeout(SOON)).await;
        let mut client = Client::connect(server.address).await;
        client.send("/slow").await;
        has_begun.await.unwrap();
        assert_eq!(server.stop().await, Served::CutOff { connections: 1 });
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_server_that_is_dropped_lets_requests_finish() {
    block_on(async {
        let (router, has_begun, tell) = slow();
        let server = start(router, |serve| serve).await;
        let mut client = Client::connect(server.address).await;
        client.send("/slow").await;
        has_begun.await.unwrap();
        server.ended.abort();
        assert!(server.ended.await.unwrap_err().is_cancelled());
        assert!(!client.hears_within(SOON).await, "neither an answer nor an end");
        tell.send(()).unwrap();
        assert_eq!(client.answer().await, "slow");
        assert!(client.is_closed().await);
    });
}

#[test]
fn a_panic_is_its_connections_alone() {
    block_on(async {
        let router = hello().route("/panic", get(async || -> &'static str { panic!("a handler's fault") }));
        let server = start(router, |serve| serve).await;
        let (mut one, mut other) = (Client::connect(server.address).await, Client::connect(server.address).await);
        assert_eq!(other.get("/").await, "hello");
        one.send("/panic").await;
        assert!(one.is_closed().await);
        assert_eq!(other.get("/").await, "hello");
        assert_eq!(Client::connect(server.address).await.get("/").await, "hello");
    });
}

#[test]
fn handlers_that_block_stop_nobody() {
    // Two handlers that wait for each other on their threads, with one permit: each needs the other to run.
    let rt = Runtime::builder().procs(Procs::Fixed(1)).build().unwrap();
    rt.block_on(async {
        let both = Arc::new(Barrier::new(2));
        let handler = async move || if both.wait().is_leader() { "leader" } else { "other" };
        let server = start(Router::new().route("/", get(handler)), |serve| serve).await;
        let (mut one, mut other) = (Client::connect(server.address).await, Client::connect(server.address).await);
        one.send("/").await;
        other.send("/").await;
        let mut answers = [one.answer().await, other.answer().await];
        answers.sort();
        assert_eq!(answers, ["leader", "other"]);
    });
}

#[test]
fn past_the_limit_a_connection_waits_for_another_to_close() {
    block_on(async {
        let server = start(hello(), |serve| serve.max_connections(1)).await;
        let mut first = Client::connect(server.address).await;
        assert_eq!(first.get("/").await, "hello");
        let mut second = Client::connect(server.address).await;
        second.send("/").await;
        assert!(!second.hears_within(SOON).await, "there is no room");
        drop(first);
        assert_eq!(second.answer().await, "hello");
    });
}

#[test]
fn who_sends_no_request_in_time_is_closed() {
    // In each phase: nothing, a part of HTTP/2's preface, a part of a head, a whole request and then nothing.
    let phases = ["", "PRI * HTTP/2.0", "GET / HTTP/1.1\r\nhost: a", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"];
    block_on(async {
        let server = start(hello(), |serve| serve.header_read_timeout(LIMIT)).await;
        let clients = phases.map(|sent| {
            spawn(async move {
                let mut client = Client::connect(server.address).await;
                client.write(sent).await;
                if sent.ends_with("\r\n\r\n") {
                    assert_eq!(client.answer().await, "hello");
                }
                assert!(client.is_closed().await, "after {sent:?}");
            })
        });
        for client in clients {
            client.await.unwrap();
        }
    });
}

#[test]
fn a_request_may_last_longer_than_its_head() {
    block_on(async {
        let router = Router::new().route("/", get(async || tokio::time::sleep(LIMIT * 2).await));
        let server = start(router, |serve| serve.header_read_timeout(LIMIT)).await;
        assert_eq!(Client::connect(server.address).await.get("/").await, "");
    });
}

#[test]
fn the_handler_learns_who_asks() {
    block_on(async {
        let router = Router::new().route("/", get(async |Extension(peer): Extension<SocketAddr>| peer.to_string()));
        let tagged = |serve: Serve<TcpListener, Router>| {
            serve.with_peer(|request, peer| {
                request.extensions_mut().insert(*peer);
            })
        };
        let server = start(router, tagged).await;
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.get("/").await, client.own_address());
    });
}

/// Refuses with "too many open files" so many times before each connection.
struct Exhausted(TcpListener, AtomicU32);

impl Listener for Exhausted {
    type Io = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        if self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(io::Error::from_raw_os_error(24));
        }
        Listener::accept(&mut self.0).await
    }
}

#[test]
fn failed_accepts_are_reported_and_survived() {
    block_on(async {
        let (listener, address) = listener().await;
        let (report, reports) = std::sync::mpsc::channel();
        let exhausted = Exhausted(listener, AtomicU32::new(3));
        let server = serve(exhausted, hello()).on_accept_error(move |why| report.send(why.raw_os_error()).unwrap());
        let server = spawn(server.into_future());
        assert_eq!(Client::connect(address).await.get("/").await, "hello");
        assert_eq!(reports.try_iter().collect::<Vec<_>>(), [Some(24); 3]);
        assert!(!server.is_finished());
    });
}

#[test]
fn unix_sockets_are_served_too() {
    block_on(async {
        let path = std::env::temp_dir().join(format!("tidemill-serve-{}.sock", std::process::id()));
        let server = spawn(serve(UnixListener::bind(&path).unwrap(), hello()).into_future());
        assert_eq!(Client::over(UnixStream::connect(&path).await.unwrap()).get("/").await, "hello");
        server.abort();
        std::fs::remove_file(path).unwrap();
    });
}

#[test]
fn options_and_the_runtime_are_checked() {
    type Change = fn(Serve<TcpListener, Router>) -> Serve<TcpListener, Router>;
    let cases: [(Change, &str); 2] = [
        (|serve| serve.max_connections(0), "max_connections is 0"),
        (|serve| serve.header_read_timeout(Duration::ZERO), "header_read_timeout is 0"),
    ];
    for (change, expected) in cases {
        let refused = block_on(async { change(serve(listener().await.0, hello())).await.unwrap_err() });
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert!(refused.to_string().starts_with(expected), "{refused}");
    }
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = tokio.block_on(async { serve(listener().await.0, hello()).await.unwrap_err() });
    assert!(refused.to_string().starts_with("no tidemill runtime here"), "{refused}");
}
