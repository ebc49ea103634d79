//! One blocking `GET`, enough to read a server's pages from a program that has no runtime of its own.
//!
//! It asks in HTTP/1.0, where the server closes the connection behind its answer: the body is what follows
//! the head, and neither chunks nor lengths need to be understood.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The body of `path` at `address`; any status but 200 is an error that shows the answer.
pub(crate) fn get(address: SocketAddr, path: &str, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    body(answer)
}

fn body(mut answer: Vec<u8>) -> io::Result<Vec<u8>> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    let head = answer
        .windows(END_OF_HEAD.len())
        .position(|window| window == END_OF_HEAD)
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer has no end of head"))?;
    let body = answer.split_off(head + END_OF_HEAD.len());
    let status = String::from_utf8_lossy(answer.split(|&byte| byte == b'\r').next().unwrap_or_default()).into_owned();
    if status.split(' ').nth(1) == Some("200") {
        Ok(body)
    } else {
        Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&body))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_body_follows_the_head() {
        let answer = b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\na\r\n\r\nb".to_vec();
        assert_eq!(body(answer).unwrap(), b"a\r\n\r\nb");
    }

    #[test]
    fn another_status_is_shown() {
        let error = body(b"HTTP/1.1 409 Conflict\r\n\r\nbusy".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "HTTP/1.1 409 Conflict: busy");
        assert!(body(b"HTTP/1.1 200 OK\r\n".to_vec()).is_err());
    }
}
