//! A client that keeps connections busy: one request at a time on each, the next as soon as the answer is there.
//!
//! It runs on one thread, as `wrk -t1` does, and does little: the request is a constant, and an answer is read to the length
//! that the first one had, then checked at both ends. A closed loop sends less while the server is slow, so its latencies
//! flatter a server that stalls; the row `tail` is the open loop.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
};

use super::server::BODY;
use crate::latency::Latencies;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

const STATUS: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// An answer at the most; a real one has some 90 bytes.
const ANSWER: usize = 4_096;

/// Asks on `connections` connections for `span`.
///
/// # Errors
/// A connection breaks, or an answer is not the greeting.
pub(super) fn drive(server: SocketAddr, connections: usize, span: Duration) -> io::Result<Latencies> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let mut asking = Vec::with_capacity(connections);
        let streams = connect(server, connections).await?;
        let end = Instant::now() + span;
        for stream in streams {
            asking.push(runtime.spawn(ask(stream, end)));
        }
        let mut all = Latencies::none();
        for latencies in asking {
            all.merge(&latencies.await??)?;
        }
        Ok(all)
    })
}

async fn connect(server: SocketAddr, connections: usize) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    Ok(streams)
}

/// At least one request.
async fn ask(mut stream: TcpStream, end: Instant) -> io::Result<Latencies> {
    let mut seen = Latencies::none();
    let mut answer = [0; ANSWER];
    stream.write_all(REQUEST).await?;
    let length = first(&mut stream, &mut answer).await?;
    loop {
        let asked = Instant::now();
        stream.write_all(REQUEST).await?;
        stream.read_exact(&mut answer[..length]).await?;
        check(&answer[..length])?;
        let answered = Instant::now();
        seen.record(answered - asked);
        if answered >= end {
            return Ok(seen);
        }
    }
}

/// Reads until the body has come and returns the length of the whole. All answers have it: only the date differs.
async fn first(stream: &mut TcpStream, answer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while !answer[..length].ends_with(BODY.as_bytes()) {
        match stream.read(&mut answer[length..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => length += bytes,
        }
    }
    check(&answer[..length])?;
    Ok(length)
}

fn check(answer: &[u8]) -> io::Result<()> {
    if answer.starts_with(STATUS) && answer.ends_with(BODY.as_bytes()) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    Err(io::Error::other(format!("not the greeting: {text:?}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Executor, Tidemill, Tokio, TokioCurrent, network::server::serve};

    fn greets<E: Executor>() {
        let executor = E::start(2).unwrap();
        let latencies = drive(serve(&executor).unwrap(), 3, Duration::from_millis(5)).unwrap();
        assert!(latencies.count() >= 3, "{}: {latencies:?}", E::NAME);
    }

    #[test]
    fn on_every_executor_with_sockets() {
        greets::<Tidemill>();
        greets::<Tokio>();
        greets::<TokioCurrent>();
    }

    #[test]
    fn what_is_not_the_greeting_is_refused() {
        assert!(check(b"HTTP/1.1 200 OK\r\n\r\nHello, world!").is_ok());
        for answer in ["HTTP/1.1 200 OK\r\n\r\nHello", "HTTP/1.1 503 x\r\n\r\nHello, world!", ""] {
            assert!(check(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
