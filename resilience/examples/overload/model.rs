//! A server that is slow for a while, and clients that retry: in tokio's paused time, with the library's own retry and budget.
//!
//! The server works off one queue, first come, first served, and does not know that a client has given up: what it does for such a
//! request is lost. For a few seconds it is slower than its clients ask. Afterwards it is fast enough again for all new requests, yet not
//! for their retries as well.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use fastrand::Rng;
use tidemill_resilience::{Retry, RetryBudget};
use tokio::time::{Instant, sleep, sleep_until};

const MS: Duration = Duration::from_millis(1);

/// New requests per second, at random times.
const OFFERED: f64 = 700.0;
/// What the server takes for a request: 1000 per second; in the incident, 300.
const WORK: Duration = Duration::from_micros(1000);
const SLOW_WORK: Duration = Duration::from_micros(3333);
/// Seconds in which it is slow.
const INCIDENT: std::ops::Range<u64> = 10..15;
/// What the server refuses to queue.
const LONGEST_QUEUE: Duration = Duration::from_secs(1);
/// The share of requests that fail for no reason of load: what retries are for.
const MISHAPS: f64 = 0.03;
/// What a client waits for one attempt.
const PATIENCE: Duration = Duration::from_millis(300);

/// How clients retry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Clients {
    NoRetry,
    Retry,
    Budget,
}

pub(crate) const CLIENTS: [(&str, Clients); 3] =
    [("no retry", Clients::NoRetry), ("3 retries", Clients::Retry), ("3 retries, budget", Clients::Budget)];

/// Answers and requests of each second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) good: Vec<u32>,
    pub(crate) sent: Vec<u32>,
}

struct Server {
    begin: Instant,
    /// When it will have done what it has taken in.
    busy_until: Cell<Instant>,
    random: RefCell<Rng>,
    sent: Vec<Cell<u32>>,
    good: Vec<Cell<u32>>,
}

fn count(seconds: &[Cell<u32>], begin: Instant) {
    if let Some(cell) = seconds.get(begin.elapsed().as_secs() as usize) {
        cell.set(cell.get() + 1);
    }
}

impl Server {
    fn new(seconds: usize, seed: u64) -> Self {
        let (begin, cells) = (Instant::now(), vec![Cell::new(0); seconds]);
        Self {
            begin,
            busy_until: Cell::new(begin),
            random: RefCell::new(Rng::with_seed(!seed)),
            sent: cells.clone(),
            good: cells,
        }
    }

    async fn ask(&self) -> Result<(), ()> {
        count(&self.sent, self.begin);
        let now = Instant::now();
        let start = self.busy_until.get().max(now);
        if start - now > LONGEST_QUEUE {
            return Err(());
        }
        let slow = INCIDENT.contains(&(start - self.begin).as_secs());
        let done = start + if slow { SLOW_WORK } else { WORK };
        self.busy_until.set(done);
        let mishap = self.random.borrow_mut().f64() < MISHAPS;
        sleep_until(done).await;
        if mishap { Err(()) } else { Ok(()) }
    }
}

/// Runs the clients for so many seconds.
pub(crate) fn run(clients: Clients, seconds: u64, seed: u64) -> Record {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O needs nothing").block_on(experiment(clients, seconds, seed))
}

async fn experiment(clients: Clients, seconds: u64, seed: u64) -> Record {
    let server = Server::new(usize::try_from(seconds).expect("a few seconds"), seed);
    let attempts = if clients == Clients::NoRetry { 1 } else { 4 };
    let policy =
        Retry::exponential(20 * MS).max_delay(200 * MS).attempt_timeout(PATIENCE).max_attempts(attempts).seed(seed);
    let policy = policy.build().expect("the policy is sound");
    let reserve = if clients == Clients::Budget { 10 } else { u32::MAX };
    let budget = RetryBudget::new(reserve, 10).expect("the budget is sound");
    let call = async || {
        if policy.plain().budget(&budget).run(async |_| server.ask().await).await.is_ok() {
            count(&server.good, server.begin);
        }
    };
    let mut random = Rng::with_seed(seed);
    let mut calls: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    let mut arrival = Box::pin(sleep(Duration::ZERO));
    poll_fn(|cx| {
        while arrival.as_mut().poll(cx).is_ready() {
            if server.begin.elapsed().as_secs() >= seconds {
                return Poll::Ready(());
            }
            calls.push(Box::pin(call()));
            // Exponential gaps: arrivals of clients that know nothing of each other.
            let gap = Duration::from_secs_f64(-(1.0 - random.f64()).ln() / OFFERED);
            let next = arrival.deadline() + gap;
            arrival.as_mut().reset(next);
        }
        calls.retain_mut(|call| call.as_mut().poll(cx).is_pending());
        Poll::Pending
    })
    .await;
    drop(calls);
    let read = |cells: &[Cell<u32>]| cells.iter().map(Cell::get).collect();
    Record { good: read(&server.good), sent: read(&server.sent) }
}
