//! A blocking call that knows no contexts is interrupted by one: `after_func` closes the socket under it.
//!
//! `cargo run --release --example context_after_func`

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use tidemill::Context;

#[tidemill::main]
async fn main() -> io::Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?; // takes the connection and never answers
    let socket = TcpStream::connect(silent.local_addr()?)?;
    let ctx = Context::background().with_timeout(Duration::from_millis(100));
    println!("read: {:?}", ctx.enter(|| read(&socket)));
    Ok(())
}

/// std's blocking read, with the ambient context's deadline and cause.
fn read(mut socket: &TcpStream) -> io::Result<usize> {
    let ctx = Context::current();
    let other_end = socket.try_clone()?;
    let interrupt = ctx.after_func(move |_| drop(other_end.shutdown(Shutdown::Both)));
    let read = tidemill::blocking(|| socket.read(&mut [0; 64]));
    // Of the two exactly one is true: it was stopped in time, or the socket is closed.
    if interrupt.stop() { read } else { ctx.check().map_err(io::Error::other).and(read) }
}
