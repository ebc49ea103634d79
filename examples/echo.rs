//! An echo server on tokio's sockets, its tasks on tidemill; and a client that asks it a thousand times.
//!
//! `cargo run --release --example echo`

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROUNDS: u32 = 1_000;

#[tidemill::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tidemill::spawn(serve(listener));
    let start = Instant::now();
    tidemill::spawn(ask(address)).await.map_err(io::Error::other)??;
    println!("{ROUNDS} round trips, {:?} each", start.elapsed() / ROUNDS);
    Ok(())
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (peer, _) = listener.accept().await?;
        tidemill::spawn(echo(peer));
    }
}

async fn echo(mut peer: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let bytes = peer.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(());
        }
        peer.write_all(&buffer[..bytes]).await?;
    }
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(address).await?;
    for round in 0..ROUNDS {
        server.write_u32(round).await?;
        assert_eq!(server.read_u32().await?, round);
    }
    Ok(())
}
