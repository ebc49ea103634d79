//! One HTTP/1.1 answer in a buffer: where it ends, what it says.
//!
//! The head is parsed by httparse, the parser inside hyper; ours is only the framing, which knows
//! `Content-Length` and chunks. An answer that ends where its connection does is refused: nothing could
//! tell it from a torn one.

use std::{borrow::Cow, io};

use httparse::{EMPTY_HEADER, Response, Status, parse_chunk_size};

use crate::limits;

/// An answer as the id parser of a plan sees it.
///
/// ```
/// use orders_load::{Answer, order_id};
/// let bytes = b"HTTP/1.1 202 Accepted\r\nContent-Length: 12\r\n\r\n{\"order\":42}";
/// let answer = Answer::read(bytes)?.expect("it is complete");
/// assert_eq!((answer.status(), answer.body()), (202, &b"{\"order\":42}"[..]));
/// assert_eq!(answer.header("content-length"), Some("12"));
/// assert_eq!(order_id(&answer), Some(42));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    status: u16,
    head: &'a [u8],
    body: Cow<'a, [u8]>,
    keep_alive: bool,
    len: usize,
}

/// What the headers say about the body and the connection.
#[derive(Default)]
struct Framing {
    length: Option<usize>,
    chunked: bool,
    close: bool,
}

impl<'a> Answer<'a> {
    /// The first final answer (1xx are skipped) in `buffer`, if it is complete.
    ///
    /// Costs no allocation unless the body is chunked.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if it is not HTTP/1 or its end cannot be known.
    pub fn read(buffer: &'a [u8]) -> io::Result<Option<Self>> {
        let mut skipped = 0;
        loop {
            let rest = &buffer[skipped..];
            let Some((status, head, framing)) = read_head(rest)? else {
                return Ok(None);
            };
            if (100..200).contains(&status) {
                skipped += head;
                continue;
            }
            let Some((body, end)) = read_body(&rest[head..], status, &framing)? else {
                return Ok(None);
            };
            let len = skipped + head + end;
            return Ok(Some(Self { status, head: &rest[..head], body, keep_alive: !framing.close, len }));
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, chunks put together.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A header by its name, in any case; parses the head again.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut headers = [EMPTY_HEADER; limits::HEADERS];
        let mut response = Response::new(&mut headers);
        response.parse(self.head).ok()?;
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    }

    /// Whether another request may follow on the connection.
    pub(crate) fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// How many bytes of the buffer it takes up.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Status, length and framing of a head, if all of it is there.
fn read_head(buffer: &[u8]) -> io::Result<Option<(u16, usize, Framing)>> {
    let mut headers = [EMPTY_HEADER; limits::HEADERS];
    let mut response = Response::new(&mut headers);
    let Status::Complete(len) = response.parse(buffer).map_err(invalid)? else {
        return Ok(None);
    };
    let mut framing = Framing { close: response.version == Some(0), ..Framing::default() };
    for header in response.headers.iter() {
        framing.note(header)?;
    }
    let status = response.code.ok_or_else(|| invalid("an answer without a status"))?;
    Ok(Some((status, len, framing)))
}

impl Framing {
    fn note(&mut self, header: &httparse::Header<'_>) -> io::Result<()> {
        if header.name.eq_ignore_ascii_case("content-length") {
            let digits = std::str::from_utf8(header.value).map_err(invalid)?;
            let length: usize = digits.trim().parse().map_err(invalid)?;
            if length > limits::ANSWER_BYTES {
                return Err(invalid("an answer that is too long"));
            }
            self.length = Some(length);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            self.chunked = header.value.eq_ignore_ascii_case(b"chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            self.close |= header.value.eq_ignore_ascii_case(b"close");
        }
        Ok(())
    }
}

/// The body and its length on the wire, if all of it is there.
fn read_body<'a>(rest: &'a [u8], status: u16, framing: &Framing) -> io::Result<Option<(Cow<'a, [u8]>, usize)>> {
    if matches!(status, 204 | 304) {
        return Ok(Some((Cow::Borrowed(&[]), 0)));
    }
    if framing.chunked {
        return Ok(read_chunks(rest)?.map(|(body, len)| (Cow::Owned(body), len)));
    }
    let length = framing.length.ok_or_else(|| invalid("an answer without a length"))?;
    Ok(rest.get(..length).map(|body| (Cow::Borrowed(body), length)))
}

/// Chunks up to the empty one; trailers, which nobody sends here, are refused.
fn read_chunks(buffer: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let size = parse_chunk_size(&buffer[at..]).map_err(|_| invalid("a bad chunk size"))?;
        let Status::Complete((head, size)) = size else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(invalid)?;
        if size > limits::ANSWER_BYTES {
            return Err(invalid("an answer that is too long"));
        }
        let (start, end) = (at + head, at + head + size);
        let Some(tail) = buffer.get(end..end + 2) else {
            return Ok(None);
        };
        if tail != b"\r\n" {
            return Err(invalid("a chunk without its end"));
        }
        body.extend_from_slice(&buffer[start..end]);
        at = end + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The order's number in an answer: `"order"` in a JSON body, else `X-Order-Id`, else the last part of
/// `Location`. The parser of a plan unless it is given another.
pub fn order_id(answer: &Answer<'_>) -> Option<u64> {
    json_id(answer.body())
        .or_else(|| answer.header("x-order-id")?.trim().parse().ok())
        .or_else(|| answer.header("location")?.rsplit('/').next()?.parse().ok())
}

/// The first `"order": number` of a JSON text. A scan, not a parse: it is right for the flat answers of an
/// order service and costs a tenth.
fn json_id(body: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"order\"";
    let at = body.windows(NAME.len()).position(|window| window == NAME)?;
    let value = body[at + NAME.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAIN: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    const CONTINUED: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

    #[test]
    fn an_answer_is_whole_only_with_its_last_byte() {
        let table = [(PLAIN, 201, &b"ok"[..]), (CHUNKED, 200, b"abcde"), (CONTINUED, 204, b"")];
        for (bytes, status, body) in table {
            for cut in 0..bytes.len() {
                assert!(Answer::read(&bytes[..cut]).unwrap().is_none(), "{cut} bytes of {status}");
            }
            let next = [bytes, b"HTTP/1.1 2"].concat();
            let answer = Answer::read(&next).unwrap().unwrap();
            assert_eq!((answer.status(), answer.body()), (status, body));
            assert_eq!(answer.len(), bytes.len());
            assert!(answer.keep_alive());
        }
    }

    #[test]
    fn a_server_that_closes_says_so() {
        let table: [&[u8]; 2] = [
            b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        ];
        for bytes in table {
            assert!(!Answer::read(bytes).unwrap().unwrap().keep_alive());
        }
    }

    #[test]
    fn what_cannot_be_framed_is_an_error() {
        let table: [&[u8]; 6] = [
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        ];
        for bytes in table {
            let error = Answer::read(bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn an_order_is_found_in_body_or_header() {
        let table = [
            ("", r#"{"order":42}"#, Some(42)),
            ("", r#"{"status":"ok", "order" : 18446744073709551615 }"#, Some(u64::MAX)),
            ("X-Order-Id: 7\r\n", "", Some(7)),
            ("Location: /orders/9\r\n", "{}", Some(9)),
            ("", r#"{"order":"x"}"#, None),
            ("", r#"{"order":-1}"#, None),
            ("Location: /orders\r\n", "", None),
        ];
        for (headers, body, expected) in table {
            let length = body.len();
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
            let answer = Answer::read(text.as_bytes()).unwrap().unwrap();
            assert_eq!(order_id(&answer), expected, "{headers}{body}");
        }
    }
}
