//! What the tests share: a runtime, an address, a quick gateway and a raw HTTP server.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::{net::SocketAddr, time::Duration};

use orders_payment::{Builder, Charge, Gateway, PaymentError, simulator::Ledger};
use tidemill::{Procs, Runtime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

pub const MS: Duration = Duration::from_millis(1);

pub fn run<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().procs(Procs::Fixed(2)).build().unwrap().block_on(body)
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A gateway whose faults cost milliseconds.
pub fn quick(url: String) -> Builder {
    Gateway::builder(url)
        .limit(1_000_000, 1000)
        .attempts(8)
        .attempt_timeout(60 * MS)
        .deadline(3000 * MS)
        .backoff(MS, 4 * MS)
        .seed(1)
}

pub fn charges(orders: std::ops::Range<u64>) -> Vec<Charge> {
    orders.map(|order| Charge::for_order(order, 100 + order)).collect()
}

/// Every key once, every amount as asked for.
pub fn assert_exactly_once(ledger: &Ledger, asked: &[Charge]) {
    let entries = ledger.charges();
    let keys: std::collections::HashSet<_> = entries.iter().map(|e| &e.key).collect();
    assert_eq!(keys.len(), entries.len(), "a key is twice in the ledger");
    for entry in &entries {
        let charge = asked.iter().find(|c| c.key == entry.key).expect("a charge nobody asked for");
        assert_eq!((entry.order, entry.amount_cents), (charge.order, charge.amount_cents));
    }
}

pub fn is_unknown<T>(answer: &Result<T, PaymentError>) -> bool {
    matches!(answer, Err(PaymentError::Unknown { .. }))
}

/// A provider that answers its n-th request with the n-th text (the last one for ever), closes after
/// each and so is asked over a new connection each time.
pub async fn scripted(answers: Vec<String>) -> String {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tidemill::spawn(async move {
        for n in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answers[n.min(answers.len() - 1)].clone();
            // Answered after its first bytes; the rest is drained so that closing loses nothing.
            let mut buffer = [0; 4096];
            let mut got = stream.read(&mut buffer).await.unwrap();
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
            while got > 0 {
                got = stream.read(&mut buffer).await.unwrap_or(0);
            }
        }
    }));
    url
}

pub fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}
