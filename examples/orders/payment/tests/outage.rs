//! A provider that is not there, comes back, or talks nonsense.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Instant;

use common::{MS, any_port, assert_exactly_once, charges, http, is_unknown, quick, run, scripted};
use orders_payment::{
    Cause, Charge, Outcome, PaymentError,
    simulator::{Entry, Simulator},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CHARGED: &str = r#"{"charged":{"receipt":"r-1"}}"#;

fn charged() -> Result<Outcome, PaymentError> {
    Ok(Outcome::Charged { receipt: "r-1".into() })
}

fn cause(answer: Result<Outcome, PaymentError>) -> Cause {
    match answer {
        Err(PaymentError::Unknown { cause, .. }) => cause,
        other => panic!("{other:?} is not unknown"),
    }
}

#[test]
fn a_restarted_provider_repeats_its_first_answers() {
    run(async {
        let first = Simulator::builder().bind(any_port()).await.unwrap();
        let (addr, ledger) = (first.addr(), first.ledger());
        let gateway = quick(first.url()).attempts(3).build().unwrap();
        let all = charges(1..9);
        let before = gateway.charge_batch(&all).await.unwrap();
        assert!(before.iter().all(Result::is_ok));

        first.stop().await;
        let down = gateway.charge(Charge::for_order(9, 109)).await;
        assert!(matches!(cause(down), Cause::Io(_)));

        let second = Simulator::builder().ledger(ledger.clone()).bind(addr).await.unwrap();
        assert_eq!(gateway.charge_batch(&all).await.unwrap(), before);
        gateway.charge(Charge::for_order(9, 109)).await.unwrap();
        assert_eq!(second.ledger().charges().len(), 9);
        assert_exactly_once(&ledger, &charges(1..10));
    });
}

#[test]
fn charges_under_way_while_the_provider_restarts_are_settled() {
    run(async {
        let first = Simulator::builder().bind(any_port()).await.unwrap();
        let (addr, ledger) = (first.addr(), first.ledger());
        let gateway = quick(first.url()).attempts(100).backoff(2 * MS, 8 * MS).build().unwrap();
        let all = charges(1..201);
        let tasks: Vec<_> = all
            .iter()
            .map(|charge| {
                let (gateway, charge) = (gateway.clone(), charge.clone());
                tidemill::spawn(async move { gateway.charge(charge).await })
            })
            .collect();
        while ledger.charges().len() < 20 {
            tidemill::yield_now().await;
        }
        first.stop().await;
        let _second = Simulator::builder().ledger(ledger.clone()).bind(addr).await.unwrap();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(ledger.charges().len(), all.len());
        assert_exactly_once(&ledger, &all);
    });
}

#[test]
fn nonsense_is_asked_again_and_never_believed() {
    let torn = format!("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{CHARGED}");
    let table = [
        ("empty", String::new()),
        ("not http", "hello\r\n\r\n".to_owned()),
        ("not json", http("200 OK", "", "<html>")),
        ("another json", http("200 OK", "", r#"{"paid":true}"#)),
        ("torn", torn),
        ("no content", http("204 No Content", "", "")),
        ("moved", http("302 Found", "location: /\r\n", "")),
        ("too long", http("200 OK", "", &"x".repeat(2 << 20))),
        ("unavailable", http("503 Service Unavailable", "", "")),
    ];
    for (name, nonsense) in table {
        run(async {
            let url = scripted(vec![nonsense.clone(), http("200 OK", "", CHARGED)]).await;
            let gateway = quick(url).attempts(2).build().unwrap();
            assert_eq!(gateway.charge(Charge::for_order(1, 1)).await, charged(), "{name}");

            let gateway = quick(scripted(vec![nonsense]).await).attempts(2).build().unwrap();
            assert!(is_unknown(&gateway.charge(Charge::for_order(1, 1)).await), "{name}");
            let batch = gateway.charge_batch(&charges(1..4)).await.unwrap();
            assert!(batch.iter().all(is_unknown), "{name}");
            assert_eq!(gateway.stats().requests, 4, "{name}");
        });
    }
}

#[test]
fn a_refusal_is_final_and_after_an_unknown_attempt_it_is_unknown() {
    run(async {
        let refusal = http("403 Forbidden", "", "who are you?");
        let gateway = quick(scripted(vec![refusal.clone()]).await).build().unwrap();
        let refused = PaymentError::Refused { status: 403, message: "who are you?".into() };
        assert_eq!(gateway.charge(Charge::for_order(1, 1)).await, Err(refused));
        assert_eq!(gateway.stats().requests, 1);

        let url = scripted(vec![http("500 Oops", "", ""), refusal]).await;
        let gateway = quick(url).build().unwrap();
        let answer = gateway.charge(Charge::for_order(1, 1)).await;
        assert!(matches!(cause(answer), Cause::Status { code: 403, .. }));
        assert_eq!(gateway.stats().requests, 2);
    });
}

#[test]
fn what_the_provider_asks_us_to_wait_is_waited() {
    run(async {
        let throttled = http("429 Too Many Requests", "retry-after: 1\r\nretry-after-ms: 80\r\n", "");
        let url = scripted(vec![throttled, http("200 OK", "", CHARGED)]).await;
        let gateway = quick(url).build().unwrap();
        let start = Instant::now();
        assert_eq!(gateway.charge(Charge::for_order(1, 1)).await, charged());
        let waited = start.elapsed();
        assert!((80 * MS..800 * MS).contains(&waited), "{waited:?}");
    });
}

#[test]
fn a_call_ends_at_its_deadline() {
    run(async {
        let throttled = http("429 Too Many Requests", "retry-after: 60\r\n", "");
        let gateway = quick(scripted(vec![throttled]).await).deadline(100 * MS).build().unwrap();
        let start = Instant::now();
        let answer = gateway.charge(Charge::for_order(1, 1)).await;
        assert!(matches!(cause(answer), Cause::Status { code: 429, .. }));
        assert!(start.elapsed() < 1000 * MS, "{:?}", start.elapsed());
    });
}

#[test]
fn attempts_obey_the_rate_limit() {
    run(async {
        let provider = Simulator::builder().bind(any_port()).await.unwrap();
        let gateway = quick(provider.url()).limit(100, 5).build().unwrap();
        let start = Instant::now();
        for charge in charges(1..11) {
            gateway.charge(charge).await.unwrap();
        }
        // Five at once, then five at a distance of 10 ms.
        assert!(start.elapsed() >= 45 * MS, "{:?}", start.elapsed());
    });
}

#[test]
fn a_call_whose_turn_comes_too_late_is_not_sent() {
    run(async {
        let provider = Simulator::builder().bind(any_port()).await.unwrap();
        let gateway = quick(provider.url()).limit(1, 1).deadline(100 * MS).build().unwrap();
        gateway.charge(Charge::for_order(1, 1)).await.unwrap();
        assert_eq!(cause(gateway.charge(Charge::for_order(2, 2)).await), Cause::Deadline);
        assert_eq!(gateway.stats().requests, 1);
    });
}

#[test]
fn a_retry_budget_stops_a_storm() {
    run(async {
        let url = scripted(vec![http("500 Oops", "", "")]).await;
        let gateway = quick(url).retry_budget(5, 10).build().unwrap();
        for charge in charges(1..21) {
            assert!(is_unknown(&gateway.charge(charge).await));
        }
        assert_eq!(gateway.stats().requests, 25);
    });
}

#[test]
fn the_ledger_is_served_as_json() {
    run(async {
        let provider = Simulator::builder().bind(any_port()).await.unwrap();
        let gateway = quick(provider.url()).build().unwrap();
        gateway.charge_batch(&charges(1..4)).await.unwrap();
        let mut stream = TcpStream::connect(provider.addr()).await.unwrap();
        let request = b"GET /ledger HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let entries: Vec<Entry> = serde_json::from_str(body).unwrap();
        assert_eq!(entries, provider.ledger().charges());
        assert_eq!(entries.len(), 3);
    });
}
