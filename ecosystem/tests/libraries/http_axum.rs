//! axum through `tidemill::serve`, with hyper-util's pooled client and our executor on the other side.

use std::sync::mpsc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::{Router, routing::get};
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use tidemill::serve::Served;
use tidemill::{blocking, serve, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::everywhere::{everywhere, foreign_tasks};
use crate::http_server::{Server, client, echo, fails, router};

#[test]
fn axum_and_a_pooled_client_over_both_versions() {
    for http2 in [false, true] {
        everywhere(move || async move {
            let server = Server::start(router()).await;
            let client = client(http2);
            let requests: Vec<_> = (0..16)
                .map(|number| {
                    let (client, url) = (client.clone(), server.url.clone());
                    spawn(async move { echo(&client, &url, &format!("number {number}")).await })
                })
                .collect();
            for (number, request) in requests.into_iter().enumerate() {
                assert_eq!(request.await.unwrap(), format!("number {number}"));
            }
            assert_eq!(foreign_tasks(), 0, "server and client run on tidemill alone");
            drop(client);
            server.stop().await;
        });
    }
}

#[test]
fn a_handlers_panic_is_its_requests_alone() {
    for http2 in [false, true] {
        everywhere(move || async move {
            let panics = get(async || -> &'static str { panic!("a handler's fault") });
            let server = Server::start(router().route("/panic", panics)).await;
            let client = client(http2);
            assert_eq!(echo(&client, &server.url, "before").await, "before");
            assert!(fails(&client, &format!("{}/panic", server.url)).await);
            assert_eq!(echo(&client, &server.url, "after").await, "after");
            drop(client);
            server.stop().await;
        });
    }
}

/// Says when it is dropped.
struct Guard(mpsc::Sender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

#[test]
fn a_handler_ends_with_the_connection_that_is_cut_off() {
    for http2 in [false, true] {
        everywhere(move || async move {
            let (began, has_begun) = mpsc::channel();
            let (ended, has_ended) = mpsc::channel();
            let handler = async move || {
                let _guard = Guard(ended);
                began.send(()).unwrap();
                std::future::pending::<()>().await;
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let (stop, stopped) = oneshot::channel::<()>();
            let server = serve(listener, Router::new().route("/", get(handler)))
                .with_graceful_shutdown(async { drop(stopped.await) })
                .drain_timeout(Duration::from_millis(30));
            let server = spawn(server.into_future());
            let request = spawn(async move { fails(&client(http2), &url).await });
            blocking(|| has_begun.recv().unwrap());
            drop(stop);
            assert_eq!(server.await.unwrap().unwrap(), Served::CutOff { connections: 1 });
            blocking(|| has_ended.recv().unwrap());
            assert!(request.await.unwrap());
        });
    }
}

/// Answers with a change of protocol, and then gives back what it gets.
async fn upgrade(request: Request) -> Response {
    spawn(async move {
        let (mut from, mut to) = split(TokioIo::new(hyper::upgrade::on(request).await.unwrap()));
        copy(&mut from, &mut to).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    response.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "echo").body(Body::empty()).unwrap()
}

#[test]
fn a_connection_may_change_its_protocol() {
    everywhere(|| async {
        let server = Server::start(Router::new().route("/", get(upgrade))).await;
        let mut client = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
        let head = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        client.write_all(head).await.unwrap();
        client.write_all(b"no HTTP any more").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nno HTTP any more"), "{answer}");
        server.stop().await;
    });
}
