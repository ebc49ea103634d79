//! A keep-alive HTTP/1.1 connection that costs the server's cores as little as possible.
//!
//! Generator and server share the machine, so what a request costs here is taken from what is measured.
//! hyper's client (connection and caller polled by one task) took 10.5 us of CPU a request, this one 5.5 us,
//! histograms and time-out included; round by round 1.5 to 2.3 times as much (`cargo run --release -p
//! orders-load --example floor`, 64 connections, 400 B bodies, a hyper server in a process of its own on the
//! same two cores, which others used as well; medians of six interleaved rounds of 2 s). At some 20 us per
//! request for both sides that is a quarter of the machine, hence no library here. The head up to
//! the key is built once per plan, one buffer is reused per direction, and request and answer are one
//! write and mostly one read.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Answer, Request, limits};

/// One connection to the server; lost after an error or a dropped exchange.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    input: BytesMut,
}

/// Whether a connection outlived its exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Open,
    Closed,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::new(), input: BytesMut::with_capacity(limits::READ_BYTES) })
    }

    /// Sends `request` behind the prepared `head` and gives the answer to `read`.
    ///
    /// Not cancel safe: a connection whose exchange was dropped half-way must be dropped as well.
    pub(crate) async fn exchange<T>(
        &mut self,
        head: &[u8],
        request: &Request,
        read: impl FnOnce(&Answer<'_>) -> T,
    ) -> io::Result<(T, After)> {
        self.out.clear();
        self.out.extend_from_slice(head);
        let length = request.body.len();
        write!(self.out, "{}\r\ncontent-length: {length}\r\n\r\n", request.idempotency_key)?;
        self.out.extend_from_slice(&request.body);
        self.stream.write_all(&self.out).await?;
        self.answer(read).await
    }

    async fn answer<T>(&mut self, read: impl FnOnce(&Answer<'_>) -> T) -> io::Result<(T, After)> {
        loop {
            self.input.reserve(limits::READ_BYTES);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = Answer::read(&self.input)? {
                let after = if answer.keep_alive() { After::Open } else { After::Closed };
                let (told, len) = (read(&answer), answer.len());
                self.input.advance(len);
                return Ok((told, after));
            }
            if self.input.len() > 2 * limits::ANSWER_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer that is too long"));
            }
        }
    }
}
