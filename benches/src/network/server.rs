//! The server: hyper, HTTP/1 with keep-alive, "Hello, world!", the same code on every executor.
//!
//! It is a process of its own, so that its CPU time can be told from the client's.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::PROCS;
use crate::{
    child::{Child, answer_lines, word},
    executor::{Executor, Spawner},
    executors::{Tidemill, Tokio, TokioCurrent},
    process::cpu_time,
};

/// What every answer ends with.
pub(super) const BODY: &str = "Hello, world!";

/// The server as its parent sees it.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// # Errors
    /// The system's, or the child's.
    pub(super) fn start(executor: &str) -> io::Result<Self> {
        Self::hear(Child::start(&["hello", executor])?)
    }

    /// Go's net/http, by the program of `benches/go`.
    ///
    /// # Errors
    /// The system's, or the child's.
    pub(super) fn start_go(program: &Path) -> io::Result<Self> {
        Self::hear(Child::of(Command::new(program).args(["hello", &PROCS.to_string()]))?)
    }

    fn hear(mut child: Child) -> io::Result<Self> {
        let address = child.hear()?.parse().map_err(io::Error::other)?;
        Ok(Self { child, address })
    }

    /// Microseconds of CPU time that it has used so far.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn cpu_us(&mut self) -> io::Result<f64> {
        self.child.ask("cpu")?.parse().map_err(io::Error::other)
    }
}

/// The child: the executor's name.
pub(crate) fn play(words: &[&str]) -> io::Result<()> {
    let name: String = word(words, 0)?;
    match name.as_str() {
        Tidemill::NAME => answer(&Tidemill::start(PROCS)?),
        Tokio::NAME => answer(&Tokio::start(PROCS)?),
        TokioCurrent::NAME => answer(&TokioCurrent::start(1)?),
        _ => Err(io::Error::other(format!("no executor with sockets is called `{name}`"))),
    }
}

/// Says its address, and its CPU time whenever it is asked.
fn answer<E: Executor>(executor: &E) -> io::Result<()> {
    println!("{}", serve(executor)?);
    answer_lines(|_| Ok((cpu_time().as_secs_f64() * 1e6).to_string()))
}

/// Accepts from now on, on the port in the answer.
pub(super) fn serve<E: Executor>(executor: &E) -> io::Result<SocketAddr> {
    executor.run(|spawner| async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr();
        spawner.detach(accept(spawner, listener));
        address
    })
}

/// Until the system refuses; the clients then say what they miss.
async fn accept<S: Spawner>(spawner: S, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        spawner.detach(connection(stream));
    }
}

async fn connection(stream: TcpStream) {
    // Without it an answer may wait for an acknowledgement. Both failures are the client's to notice.
    _ = stream.set_nodelay(true);
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)).await;
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(BODY.as_bytes()))))
}
