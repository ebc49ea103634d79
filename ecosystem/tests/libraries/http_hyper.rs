//! hyper 1: its server and its client, HTTP/1 and HTTP/2, connection by connection, without `serve`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use tidemill::serve::Executor;
use tidemill::spawn;
use tokio::net::{TcpListener, TcpStream};

use crate::everywhere::{everywhere, foreign_tasks};

/// Gives back what it gets.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(Full::new(body)))
}

/// Two ends of a connection.
async fn connected() -> (TokioIo<TcpStream>, TokioIo<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (TokioIo::new(client), TokioIo::new(server))
}

fn request(text: &str) -> Request<Full<Bytes>> {
    Request::post("http://a/").header("host", "a").body(Full::from(text.to_owned())).unwrap()
}

async fn check(response: Response<Incoming>, version: Version, text: &str) {
    assert_eq!(response.version(), version);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
}

#[test]
fn http1() {
    everywhere(|| async {
        let (io, peer) = connected().await;
        let server = spawn(server::conn::http1::Builder::new().serve_connection(peer, service_fn(echo)));
        let (mut sender, connection) = client::conn::http1::handshake(io).await.unwrap();
        let connection = spawn(connection);
        for text in ["one", "two", "three"] {
            sender.ready().await.unwrap();
            check(sender.send_request(request(text)).await.unwrap(), Version::HTTP_11, text).await;
        }
        drop(sender);
        connection.await.unwrap().unwrap();
        server.await.unwrap().unwrap();
        assert_eq!(foreign_tasks(), 0);
    });
}

#[test]
fn http2() {
    everywhere(|| async {
        let (io, peer) = connected().await;
        let server = spawn(server::conn::http2::Builder::new(Executor).serve_connection(peer, service_fn(echo)));
        let (sender, connection) = client::conn::http2::handshake(Executor, io).await.unwrap();
        let connection = spawn(connection);
        let requests: Vec<_> = (0..16)
            .map(|number| {
                let mut sender = sender.clone();
                spawn(async move {
                    let text = format!("stream {number}");
                    sender.ready().await.unwrap();
                    check(sender.send_request(request(&text)).await.unwrap(), Version::HTTP_2, &text).await;
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
        assert_eq!(foreign_tasks(), 0);
        drop(sender);
        connection.await.unwrap().unwrap();
        server.await.unwrap().unwrap();
    });
}
