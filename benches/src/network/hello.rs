//! hyper's hello world under 64 busy keep-alive connections, asked by our own client and by wrk.

use std::{io, time::Duration};

use super::{ROUNDS, client, server::Server, wrk};
use crate::{
    board::{Context, Row, Run},
    compare::{Contender, Figure},
    executor::Executor,
    executors::{Tidemill, Tokio, TokioCurrent},
    scale::Scale,
};

pub(crate) const ROW: Row = Row {
    section: 3,
    name: "hello",
    measures: "hyper, HTTP/1 keep-alive, 64 connections of a client on one thread beside it; CPU time is the server's",
    leaves_out: "requests that were due while one waited (closed loop); TLS, bodies, a network",
    seconds: 40.0,
    in_quick: true,
    once: false,
    run: Run::Own(run),
};

pub(crate) const ROW_WRK: Row = Row {
    section: 3,
    name: "hello-wrk",
    measures: "the same, asked by wrk -t1 -c64 if it is installed",
    leaves_out: "as `hello`",
    seconds: 30.0,
    in_quick: false,
    once: false,
    run: Run::Own(run_wrk),
};

const FIGURES: [Figure; 4] =
    [Figure::more("req/s"), Figure::less("p50 us"), Figure::less("p99 us"), Figure::less("CPU us")];

const CONNECTIONS: usize = 64;

/// A name in the table, and the executor it stands for.
const CONTENDERS: [(&str, &str); 4] = [
    (Tidemill::NAME, Tidemill::NAME),
    (Tokio::NAME, Tokio::NAME),
    (TokioCurrent::NAME, TokioCurrent::NAME),
    ("tidemill (A/A)", Tidemill::NAME),
];

fn run(context: &Context) -> io::Result<()> {
    let span = Duration::from_millis(context.scale.pick(2_000, 300, 20));
    let contender = |(name, executor)| Contender::new(name, move || ask(Server::start(executor)?, span));
    let mut contenders = Vec::from(CONTENDERS.map(contender));
    if let Some(go) = &context.go {
        contenders.push(Contender::new("Go net/http", || ask(Server::start_go(go)?, span)));
    }
    context.compare(format!("{CONNECTIONS} connections for {span:?}"), &FIGURES, contenders, ROUNDS)?;
    Ok(())
}

fn ask(mut server: Server, span: Duration) -> io::Result<[f64; 4]> {
    // A tenth untimed: pages, buffers and branch predictors.
    client::drive(server.address, CONNECTIONS, span / 10)?;
    let before = server.cpu_us()?;
    let latencies = client::drive(server.address, CONNECTIONS, span)?;
    let cpu = server.cpu_us()? - before;
    let requests = latencies.count() as f64;
    Ok([requests / span.as_secs_f64(), latencies.micros(0.5), latencies.micros(0.99), cpu / requests])
}

fn run_wrk(context: &Context) -> io::Result<()> {
    if !context.is_every_other() {
        return Ok(());
    }
    if context.scale == Scale::Smoke || !wrk::is_installed() {
        context.say("left out: wrk is not installed, or the run is too short for its whole seconds");
        return Ok(());
    }
    let seconds = context.scale.pick(2, 1, 1);
    let contender = |(name, executor)| Contender::new(name, move || ask_by_wrk(executor, seconds));
    context.compare(
        format!("wrk -t1 -c{CONNECTIONS} -d{seconds}s"),
        &FIGURES,
        CONTENDERS.map(contender).into(),
        ROUNDS,
    )?;
    Ok(())
}

fn ask_by_wrk(executor: &str, seconds: u64) -> io::Result<[f64; 4]> {
    let mut server = Server::start(executor)?;
    client::drive(server.address, CONNECTIONS, Duration::from_millis(200))?;
    let before = server.cpu_us()?;
    let wrk::Report { per_second, p50_us, p99_us, requests } = wrk::drive(server.address, CONNECTIONS, seconds)?;
    Ok([per_second, p50_us, p99_us, (server.cpu_us()? - before) / requests])
}
