//! A client that knows what it sends byte by byte, and a server to be stopped.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tidemill_scheduler::{JoinHandle, spawn};
use tidemill_serve::{Serve, Served, serve};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What must happen happens within this; a server that forgot a client fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) ended: JoinHandle<io::Result<Served>>,
}

impl Running {
    pub(crate) async fn stop(self) -> Served {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap()
    }
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves `router`, with the options that `change` sets.
pub(crate) async fn start(
    router: Router,
    change: impl FnOnce(Serve<TcpListener, Router>) -> Serve<TcpListener, Router>,
) -> Running {
    let (listener, address) = listener().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = change(serve(listener, router)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    Running { address, stop, ended: spawn(server.into_future()) }
}

pub(crate) struct Client<I>(I);

impl Client<TcpStream> {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self(TcpStream::connect(to).await.unwrap())
    }

    pub(crate) fn own_address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Client<I> {
    pub(crate) fn over(io: I) -> Self {
        Self(io)
    }

    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(path).await;
        self.answer().await
    }

    pub(crate) async fn send(&mut self, path: &str) {
        self.write(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The body of a 200 with a content-length.
    pub(crate) async fn answer(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.expect("an answer").unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Sends what begins HTTP/2, and says whether the answer is a frame of settings.
    pub(crate) async fn speaks_http2(&mut self) -> bool {
        self.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        let mut frame = [0; 9];
        timeout(PATIENCE, self.0.read_exact(&mut frame)).await.expect("a frame").unwrap();
        frame[3] == 4
    }

    /// Waits until the server closes the connection, and says whether it did so without another answer.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let end = timeout(PATIENCE, self.0.read_u8()).await.expect("an end");
        end.is_err_and(|why| matches!(why.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset))
    }

    pub(crate) async fn hears_within(&mut self, limit: Duration) -> bool {
        timeout(limit, self.0.read_u8()).await.is_ok()
    }
}
