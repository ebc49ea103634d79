//! TCP echo: how long a message takes there and back, client and server being tasks of the same executor.
//!
//! With one connection this is the price of a wake by the reactor, twice; with 64 the reactor has many events per turn.

use std::{
    io, mem,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::ROUNDS;
use crate::{
    bench::{Bench, Case, Lap},
    board::{Context, Growth, Row, Run},
    compare::{Contender, Figure},
    executor::{Executor, Spawner},
    executors::{Tidemill, Tokio, TokioCurrent},
};

pub(crate) const ROW: Row = Row {
    section: 3,
    name: "echo",
    measures: "time per TCP round trip of 8 bytes within one executor, with 1 connection and with 64 at once",
    leaves_out: "connecting; the latency of a single trip among 64; a network",
    seconds: 12.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

const FIGURES: [Figure; 1] = [Figure::less("us")];

/// Bytes of a message.
const BYTES: usize = size_of::<u64>();

fn run(context: &Context) -> io::Result<()> {
    let trips = context.scale.pick(100_000, 20_000, 200);
    for connections in [1, 64] {
        let contenders = [
            contender::<Tidemill>("tidemill, P = 2", 2, connections, trips),
            contender::<Tidemill>("tidemill, P = 1", 1, connections, trips),
            contender::<Tokio>("tokio, 2 workers", 2, connections, trips),
            contender::<TokioCurrent>(TokioCurrent::NAME, 1, connections, trips),
            contender::<Tidemill>("tidemill, P = 2 (A/A)", 2, connections, trips),
        ];
        context.compare(
            format!("connections: {connections}, round trips in all: {trips}"),
            &FIGURES,
            contenders.into(),
            ROUNDS,
        )?;
    }
    Ok(())
}

/// Two files for each; a process has 1,024 of them unless somebody asks for more.
pub(crate) const CONNECTIONS: Growth =
    Growth { row: "echo", unit: "connections", sizes: [4, 40, 400], bench: over_connections };

fn over_connections(connections: u64) -> Bench {
    let cases = vec![
        case::<Tidemill>("tidemill, P = 2", 2, connections),
        case::<Tidemill>("tidemill, P = 1", 1, connections),
        case::<Tokio>("tokio, 2 workers", 2, connections),
        case::<TokioCurrent>(TokioCurrent::NAME, 1, connections),
    ];
    Bench { grain: connections, ..Bench::counted(format!("{connections} connections"), 20_000, cases) }
}

fn case<E: Executor>(name: &'static str, procs: usize, connections: u64) -> Case {
    Case::fallible(name, move || -> io::Result<_> {
        let executor = E::start(procs)?;
        let mut clients = connected(&executor, connections)?;
        // A connection that breaks shows in the sum.
        Ok(move |ops| match asked(&executor, mem::take(&mut clients), ops / connections) {
            Ok((took, back)) => {
                clients = back;
                Lap { sum: ops, took }
            }
            Err(_) => Lap { sum: 0, took: Duration::ZERO },
        })
    })
}

fn contender<E: Executor>(name: &'static str, procs: usize, connections: u64, trips: u64) -> Contender<'static> {
    Contender::new(name, move || {
        let each = (trips / connections).max(1);
        let took = echo(&E::start(procs)?, connections, each)?;
        Ok([took.as_secs_f64() * 1e6 / (each * connections) as f64])
    })
}

/// The time that `connections` clients take for `trips` round trips each, side by side.
fn echo<E: Executor>(executor: &E, connections: u64, trips: u64) -> io::Result<Duration> {
    asked(executor, connected(executor, connections)?, trips).map(|(took, _)| took)
}

/// Clients, each with a server of its own.
fn connected<E: Executor>(executor: &E, connections: u64) -> io::Result<Vec<TcpStream>> {
    executor.run(move |spawner| async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut clients = Vec::new();
        for _ in 0..connections {
            let client = TcpStream::connect(listener.local_addr()?).await?;
            let (stream, _) = listener.accept().await?;
            client.set_nodelay(true)?;
            stream.set_nodelay(true)?;
            spawner.detach(serve(stream));
            clients.push(client);
        }
        Ok(clients)
    })
}

/// The time, and the clients for the next time.
fn asked<E: Executor>(executor: &E, clients: Vec<TcpStream>, trips: u64) -> io::Result<(Duration, Vec<TcpStream>)> {
    executor.run(move |spawner| async move {
        let start = Instant::now();
        let asking: Vec<_> = clients.into_iter().map(|stream| spawner.spawn(ask(stream, trips))).collect();
        let mut back = Vec::with_capacity(asking.len());
        for client in asking {
            back.push(client.await?);
        }
        Ok((start.elapsed(), back))
    })
}

/// Until the client leaves, or its connection breaks, which it notices itself.
async fn serve(mut stream: TcpStream) {
    let mut message = [0; BYTES];
    while stream.read_exact(&mut message).await.is_ok() && stream.write_all(&message).await.is_ok() {}
}

async fn ask(mut stream: TcpStream, trips: u64) -> io::Result<TcpStream> {
    let mut answer = [0; BYTES];
    for trip in 0..trips {
        stream.write_all(&trip.to_le_bytes()).await?;
        stream.read_exact(&mut answer).await?;
        if answer != trip.to_le_bytes() {
            return Err(io::Error::other(format!("trip {trip} brought back {answer:?}")));
        }
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn messages_come_back_on_every_executor_with_sockets() {
        assert!(echo(&Tidemill::start(2).unwrap(), 3, 5).unwrap() > Duration::ZERO);
        assert!(echo(&Tokio::start(2).unwrap(), 3, 5).unwrap() > Duration::ZERO);
        assert!(echo(&TokioCurrent::start(2).unwrap(), 3, 5).unwrap() > Duration::ZERO);
    }
}
