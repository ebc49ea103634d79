//! Each invariant is broken once, by hand, and must be seen.
#![allow(clippy::unwrap_used)]

use orders_payment::{Outcome, simulator::Entry};
use rusqlite::Connection;

use super::*;
use crate::{
    Config, Pipeline,
    generate::Generator,
    store::{Consumer, Consumption, Settlement},
    testing::TempDb,
};

/// A shop in which order 1 was paid and delivered and order 2 cancelled, and what others know of it.
fn shop_at_rest() -> (TempDb, Evidence) {
    let db = TempDb::new();
    let config = Config { products: 10, stock: 100, ..Config::new(db.path()) };
    let mut evidence = Evidence { ledger: Some(Vec::new()), accepted: Some(Vec::new()) };
    tidemill::block_on(async {
        let pipeline = Pipeline::open(&config).unwrap();
        let store = pipeline.store();
        for number in 0..2 {
            let (key, body) = Generator::new(1, 10).order(number);
            let name = String::from_utf8(key.as_bytes().to_vec()).unwrap();
            pipeline.place(key, body).await.unwrap();
            let acceptance = Acceptance { order: number + 1, key: Some(name) };
            evidence.accepted.as_mut().unwrap().push(acceptance);
        }
        let unpaid = store.reader().unwrap().unpaid(0, 10).unwrap();
        let outcomes = [Outcome::Charged { receipt: "r-1".into() }, Outcome::Declined { reason: "no".into() }];
        let settle = |(event, outcome): (&crate::store::Event, Outcome)| Settlement {
            order: event.order,
            amount: event.amount,
            outcome,
        };
        store.settle(unpaid.iter().zip(outcomes).map(settle).collect()).await.unwrap();
        let (order, amount_cents) = (unpaid[0].order, unpaid[0].amount.cents());
        let entry = Entry { key: "1".into(), order, amount_cents, receipt: "r-1".into() };
        evidence.ledger.as_mut().unwrap().push(entry);
        let page = store.reader().unwrap().events(0, 10).unwrap();
        for consumer in Consumer::ALL {
            store.consume(Consumption::of_page(consumer, &page)).await.unwrap();
        }
    });
    (db, evidence)
}

fn broken(db: &TempDb, evidence: &Evidence) -> Vec<&'static str> {
    let report = check(db.path(), evidence).unwrap();
    assert_eq!(report.findings.len(), INVARIANTS.len());
    let broken = report.findings.iter().filter(|finding| finding.violations > 0);
    broken.map(|finding| finding.invariant.name).collect()
}

#[test]
fn a_shop_at_rest_holds_and_every_invariant_speaks_of_something() {
    let (db, evidence) = shop_at_rest();
    let report = check(db.path(), &evidence).unwrap();
    assert!(report.holds(), "{report}");
    assert!(report.findings.iter().all(|finding| finding.checked > 0), "{report}");
    let alone = check(db.path(), &Evidence::default()).unwrap();
    assert!(alone.findings.len() < report.findings.len());
}

#[test]
fn each_invariant_sees_its_own_breach() {
    let breaches = [
        ("accepted-present", "UPDATE orders SET key = x'00' WHERE id = 1"),
        ("one-key", "UPDATE orders SET key = (SELECT key FROM orders WHERE id = 1) WHERE id = 2"),
        ("one-key", "INSERT INTO idempotency VALUES (x'00', 1)"),
        ("one-key", "UPDATE marks SET keys_below = 3"),
        ("total", "UPDATE orders SET lines = '[[0,1,1]]' WHERE id = 1"),
        ("total", "UPDATE orders SET lines = '[]' WHERE id = 2"),
        ("stock", "UPDATE marks SET stock_seq = stock_seq + 1"),
        ("stock", "UPDATE stock SET available = available - 1 WHERE product = 3"),
        ("payment", "UPDATE payments SET receipt = 'r-2' WHERE order_id = 2"),
        ("payment", "UPDATE payments SET amount_cents = 1 WHERE order_id = 1"),
        ("charge-known", "UPDATE payments SET receipt = 'r-9' WHERE order_id = 1"),
        ("payment-charged", "UPDATE payments SET receipt = 'r-2', declined = NULL WHERE order_id = 2"),
        ("terminal", "DELETE FROM deliveries"),
        ("terminal", "DELETE FROM notifications WHERE order_id = 2"),
        ("terminal", "DELETE FROM payments WHERE order_id = 2"),
        ("events", "DELETE FROM outbox WHERE order_id = 1 AND kind = 1"),
        ("events", "INSERT INTO outbox VALUES (9, 1, 3, 100)"),
        ("events", "UPDATE outbox SET seq = 0 WHERE order_id = 1 AND kind = 2"),
        ("no-orphans", "INSERT INTO outbox VALUES (9, 77, 1, 100)"),
        ("no-orphans", "INSERT INTO deliveries VALUES (77, 3)"),
        ("effects", "UPDATE deliveries SET event = 1"),
        ("effects", "INSERT INTO deliveries SELECT 2, event FROM deliveries"),
        ("effects", "UPDATE notifications SET kind = 3 WHERE order_id = 1"),
        ("effects", "INSERT INTO notifications VALUES (9, 2, 3)"),
    ];
    for (name, breach) in breaches {
        let (db, evidence) = shop_at_rest();
        Connection::open(db.path()).unwrap().execute_batch(breach).unwrap();
        let broken = broken(&db, &evidence);
        assert!(broken.contains(&name), "{breach}: {broken:?}");
    }
}

#[test]
fn what_others_know_is_held_against_the_database() {
    let entry = |order: u64, amount_cents, receipt: &str| Entry {
        key: order.to_string(),
        order,
        amount_cents,
        receipt: receipt.into(),
    };
    let (db, good) = shop_at_rest();
    let paid = good.ledger.as_ref().unwrap()[0].amount_cents;
    let with = |more: Entry| {
        let ledger = good.ledger.iter().flatten().cloned().chain([more]).collect();
        Evidence { ledger: Some(ledger), ..good.clone() }
    };
    let twice = broken(&db, &with(entry(1, paid, "r-1")));
    assert_eq!(twice, ["charged-once", "money"]);
    assert_eq!(broken(&db, &with(entry(2, 5, "r-2"))), ["charge-known", "money"]);
    let nothing = Evidence { ledger: Some(Vec::new()), ..good.clone() };
    assert_eq!(broken(&db, &nothing), ["payment-charged", "money"]);
    let lost = Evidence { accepted: Some(vec!["3".parse().unwrap()]), ..good };
    assert_eq!(broken(&db, &lost), ["accepted-present"]);
}

#[test]
fn accepted_lines_are_a_number_and_perhaps_a_key() {
    let read = |line: &str| line.parse::<Acceptance>().map(|a| (a.order, a.key));
    assert_eq!(read("7").unwrap(), (7, None));
    assert_eq!(read(" 7 k ").unwrap(), (7, Some("k".to_owned())));
    for bad in ["", "k", "7 k x", "-1"] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}
