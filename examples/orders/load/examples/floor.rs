//! What the generator itself costs: its CPU time per request and its lag, against a server that does
//! nothing, in a process of its own. hyper's client does the same work for comparison.
//!
//! ```text
//! cargo run --release -p orders-load --example floor
//! ```

use std::{
    convert::Infallible,
    error::Error,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use orders_load::{Arrivals, Plan, Schedule, process_cpu, run, saturate};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(2);
const BODY: &[u8] = &[b'x'; 400];

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let runtime = tidemill::Runtime::new()?;
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return runtime.block_on(serve());
    }
    let (mut child, addr) = start_server()?;
    let measured = runtime.block_on(measure(addr));
    child.kill()?;
    child.wait()?;
    measured
}

/// This program again, as the server; it says its address on its first line.
fn start_server() -> Result<(Child, SocketAddr), Failure> {
    let server = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn();
    let mut child = server?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    Ok((child, line.trim().parse()?))
}

async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(accept);
        let connection = server::conn::http1::Builder::new();
        drop(tidemill::spawn(connection.serve_connection(TokioIo::new(stream), service)));
    }
}

async fn accept(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await;
    let status = if body.is_ok() { 202 } else { 400 };
    let mut response = Response::new(Full::from(&b"{\"order\":1}"[..]));
    *response.status_mut() = status.try_into().expect("both are HTTP statuses");
    Ok(response)
}

async fn measure(addr: SocketAddr) -> Result<(), Failure> {
    for round in 1..=3 {
        let (requests, cpu) = hyper_client(addr).await?;
        print(round, "hyper", requests, cpu);
        let report = saturate(plan(addr)?, ROUND).await?;
        print(round, "own", report.counts().total(), report.cpu.unwrap_or_default());
    }
    for rate in [1_000.0, 10_000.0, 30_000.0] {
        let schedule = Schedule::new(Arrivals::Poisson, rate, ROUND, 1)?;
        println!("{}", run(plan(addr)?, schedule).await?);
    }
    Ok(())
}

fn print(round: u32, client: &str, requests: u64, cpu: Duration) {
    let each = cpu.as_secs_f64() * 1e6 / requests.max(1) as f64;
    let rate = requests as f64 / ROUND.as_secs_f64();
    println!("round {round}: {client:<6} {rate:>8.0} requests/s, {each:.1} us of CPU each");
}

fn plan(addr: SocketAddr) -> Result<Plan, Failure> {
    let plan = Plan::builder(format!("http://{addr}/orders")).connections(CONNECTIONS);
    let source = |n| orders_load::Request { idempotency_key: format!("floor-{n}"), body: Bytes::from_static(BODY) };
    Ok(plan.source(source).build()?)
}

async fn hyper_client(addr: SocketAddr) -> Result<(u64, Duration), Failure> {
    let before = process_cpu();
    let (count, end) = (Arc::new(AtomicU64::new(0)), Instant::now() + ROUND);
    let tasks: Vec<_> =
        (0..CONNECTIONS).map(|_| tidemill::spawn(hyper_connection(addr, end, Arc::clone(&count)))).collect();
    for task in tasks {
        task.await??;
    }
    let cpu = process_cpu().zip(before).map_or(Duration::ZERO, |(after, before)| after - before);
    Ok((count.load(Ordering::Relaxed), cpu))
}

/// The connection and its user are one task: a task each costs a wake-up more per request.
async fn hyper_connection(addr: SocketAddr, end: Instant, count: Arc<AtomicU64>) -> Result<(), Failure> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let requests = async {
        while Instant::now() < end {
            let number = count.fetch_add(1, Ordering::Relaxed);
            sender.ready().await?;
            let request = Request::post("/orders")
                .header("host", addr.to_string())
                .header("content-type", "application/json")
                .header("idempotency-key", format!("floor-{number}"))
                .body(Full::new(Bytes::from_static(BODY)))?;
            let answer = sender.send_request(request).await?;
            answer.into_body().collect().await?;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        ended = requests => ended,
        ended = connection => Ok(ended?),
    }
}
