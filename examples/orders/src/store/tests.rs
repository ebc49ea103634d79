//! One test body for both variants of the store.
#![allow(clippy::unwrap_used)]

use orders_payment::Outcome;

use super::*;
use crate::{
    catalogue::shop,
    domain::{BodyHash, CustomerId, IdempotencyKey, Kind, Line, Lines, Money},
    testing::TempDb,
};

const STOCK: u64 = 10;

/// Runs a test for each variant on a store of its own, with ten pieces of two products.
fn with_store<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    for variant in Variant::ALL {
        let db = TempDb::new();
        let store = open(variant, &db);
        tidemill::block_on(test(store));
    }
}

fn open(variant: Variant, db: &TempDb) -> Store {
    open_with(variant, db, 2)
}

fn open_with(variant: Variant, db: &TempDb, lag: usize) -> Store {
    Store::open(variant, db.path(), &Shop { products: &shop(2), stock: STOCK, lag }).unwrap()
}

fn order(key: &str, body: &'static str, lines: &[(u32, u32)]) -> Order {
    let unit_price = Money::from_cents(100);
    let line = |&(product, quantity): &(u32, u32)| Line { product, quantity, unit_price };
    let lines: Lines = lines.iter().map(line).collect();
    let total = lines.iter().map(|line| u64::from(line.quantity) * 100).sum();
    Order {
        key: key.parse::<IdempotencyKey>().unwrap(),
        body_hash: BodyHash::of(body.as_bytes()),
        customer: CustomerId::new("o'hara").unwrap(),
        total: Money::from_cents(total),
        lines,
        document: body.into(),
    }
}

fn accepted(placement: Placement) -> Stored {
    match placement {
        Placement::Accepted(stored) => stored,
        other => panic!("not accepted: {other:?}"),
    }
}

fn kind_of(placement: &Placement) -> Option<Kind> {
    match placement {
        Placement::Rejected(reject) => Some(reject.kind),
        _ => None,
    }
}

fn settlement(order: u64, outcome: Outcome) -> Settlement {
    Settlement { order, amount: Money::from_cents(100), outcome }
}

fn charged() -> Outcome {
    Outcome::Charged { receipt: "it's r-1".into() }
}

fn declined() -> Outcome {
    Outcome::Declined { reason: "no money".into() }
}

fn available(store: &Store, product: u32) -> u64 {
    let connection = open_reader(&store.path).unwrap();
    let sql = "SELECT available FROM shelf WHERE product = ?";
    connection.query_row(sql, [product], |row| row.get(0)).unwrap()
}

#[test]
fn a_key_is_answered_once_and_for_ever() {
    with_store(|store| async move {
        let first = accepted(store.place(order("k", "'a", &[(0, 1)]), None).await.unwrap());
        assert_eq!(&first.body[..], br#"{"order":1,"status":"accepted","total_cents":100}"#);
        let again = store.place(order("k", "'a", &[(0, 1)]), None).await.unwrap();
        assert_eq!(again, Placement::Replayed(first));
        let other = store.place(order("k", "b", &[(0, 1)]), None).await.unwrap();
        assert_eq!(kind_of(&other), Some(Kind::KeyReused));
        assert_eq!(available(&store, 0), STOCK - 1);
        assert_eq!(store.progress().head(), 1);
    });
}

#[test]
fn an_order_that_comes_too_late_is_not_stored() {
    with_store(|store| async move {
        let order = || order("k", "a", &[(0, 1)]);
        let late = store.place(order(), Some(Instant::now())).await.unwrap();
        assert_eq!(kind_of(&late), Some(Kind::Late));
        assert_eq!((available(&store, 0), store.progress().head()), (STOCK, 0));
        accepted(store.place(order(), Some(Instant::now() + std::time::Duration::from_secs(60))).await.unwrap());
    });
}

#[test]
fn twins_in_flight_become_one_order() {
    with_store(|store| async move {
        let store = Arc::new(store);
        let place = |_| {
            let store = Arc::clone(&store);
            tidemill::spawn(async move { store.place(order("k", "a", &[(0, 1)]), None).await.unwrap() })
        };
        let twins: Vec<_> = (0..8).map(place).collect();
        let mut fresh = 0;
        for twin in twins {
            match twin.await.unwrap() {
                Placement::Accepted(_) => fresh += 1,
                Placement::Replayed(stored) => assert!(stored.body.starts_with(br#"{"order":1,"#)),
                Placement::Rejected(reject) => panic!("{reject}"),
            }
        }
        assert_eq!((fresh, available(&store, 0)), (1, STOCK - 1));
    });
}

#[test]
fn an_order_takes_all_of_its_stock_or_none() {
    with_store(|store| async move {
        let refused = store.place(order("a", "a", &[(0, 3), (1, 11)]), None).await.unwrap();
        assert_eq!(kind_of(&refused), Some(Kind::OutOfStock));
        assert!(matches!(&refused, Placement::Rejected(r) if r.field == "lines[1].quantity"));
        accepted(store.place(order("a", "a", &[(0, 6), (0, 4)]), None).await.unwrap());
        assert_eq!((available(&store, 0), available(&store, 1)), (0, STOCK));
        // A repeat is a repeat even when nothing is left.
        let again = store.place(order("a", "a", &[(0, 6), (0, 4)]), None).await.unwrap();
        assert!(matches!(again, Placement::Replayed(_)));
    });
}

#[test]
fn the_first_outcome_of_a_payment_stands() {
    with_store(|store| async move {
        for key in ["a", "b"] {
            accepted(store.place(order(key, "x", &[(0, 1)]), None).await.unwrap());
        }
        assert_eq!(store.progress().unpaid(), 2);
        let both = vec![settlement(1, charged()), settlement(2, declined())];
        let settled = store.settle(both).await.unwrap();
        assert_eq!(settled, Settled { paid: 1, cancelled: 1 });
        let late = vec![settlement(1, declined()), settlement(2, charged())];
        assert_eq!(store.settle(late).await.unwrap(), Settled::default());
        assert_eq!((available(&store, 0), store.progress().unpaid()), (STOCK - 1, 0));
        let reader = store.reader().unwrap();
        assert_eq!(reader.order(1).unwrap().unwrap().status, "paid");
        assert_eq!(reader.order(2).unwrap().unwrap().status, "cancelled");
        assert_eq!(reader.order(3).unwrap(), None);
        assert_eq!(reader.order(u64::MAX).unwrap(), None);
    });
}

#[test]
fn an_event_has_one_effect_however_often_it_comes() {
    with_store(|store| async move {
        accepted(store.place(order("a", "x", &[(0, 1)]), None).await.unwrap());
        store.settle(vec![settlement(1, charged())]).await.unwrap();
        let reader = store.reader().unwrap();
        let page = reader.events(0, 10).unwrap();
        let kinds: Vec<_> = page.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Accepted, EventKind::Paid]);
        for consumer in Consumer::ALL {
            let consumption = Consumption::of_page(consumer, &page);
            assert_eq!(store.consume(consumption.clone()).await.unwrap(), 1);
            assert_eq!(store.consume(consumption).await.unwrap(), 0);
            assert_eq!(reader.offset(consumer).unwrap(), 2);
        }
        assert!(store.progress().is_drained());
        assert_eq!(reader.order(1).unwrap().unwrap().status, "delivered");
    });
}

/// The tuned form says in SQL which kinds a consumer acts on.
#[test]
fn an_event_has_an_effect_on_those_who_act_on_its_kind() {
    with_store(|store| async move {
        for key in ["a", "b", "c"] {
            accepted(store.place(order(key, "x", &[(0, 1)]), None).await.unwrap());
        }
        store.settle(vec![settlement(1, charged()), settlement(2, declined())]).await.unwrap();
        let page = store.reader().unwrap().events(0, 10).unwrap();
        assert_eq!(page.len(), 5);
        for consumer in Consumer::ALL {
            let expected = page.iter().filter(|event| consumer.acts_on(event.kind)).count();
            let consumption = Consumption::of_page(consumer, &page);
            assert_eq!(store.consume(consumption).await.unwrap(), expected as u64, "{consumer:?}");
        }
    });
}

#[test]
fn a_store_goes_on_where_it_stopped_in_either_form() {
    for [before, after] in [[Variant::Naive, Variant::Tuned], [Variant::Tuned, Variant::Naive]] {
        let db = TempDb::new();
        tidemill::block_on(async {
            let store = open(before, &db);
            accepted(store.place(order("a", "x", &[(0, 1)]), None).await.unwrap());
            drop(store);
            let store = open(after, &db);
            let again = store.place(order("a", "x", &[(0, 1)]), None).await.unwrap();
            assert!(matches!(again, Placement::Replayed(_)), "{again:?}");
            let second = accepted(store.place(order("b", "x", &[(0, 1)]), None).await.unwrap());
            assert!(second.body.starts_with(br#"{"order":2,"#));
            assert_eq!((store.progress().head(), store.progress().unpaid()), (2, 2));
            assert_eq!(store.reader().unwrap().unpaid(0, 10).unwrap().len(), 2);
            assert_eq!(available(&store, 0), STOCK - 2);
        });
    }
}

#[test]
fn what_is_written_late_is_right_at_every_moment_and_complete_after_opening() {
    for lag in [0, 1, 5, 100] {
        let db = TempDb::new();
        let key = |n: u32| (n * 37 % 101).to_string();
        tidemill::block_on(async {
            let store = open_with(Variant::Tuned, &db, lag);
            for n in 1..=9 {
                accepted(store.place(order(&key(n), "x", &[(0, 1)]), None).await.unwrap());
                assert_eq!(available(&store, 0), STOCK - u64::from(n), "lag {lag}");
                for known in 1..=n {
                    let again = store.place(order(&key(known), "x", &[(0, 1)]), None).await.unwrap();
                    assert!(matches!(again, Placement::Replayed(_)), "lag {lag}: {again:?}");
                }
            }
            store.settle(vec![settlement(3, declined())]).await.unwrap();
            assert_eq!(available(&store, 0), STOCK - 8, "lag {lag}");
        });
        for variant in [Variant::Naive, Variant::Tuned] {
            let store = open_with(variant, &db, lag);
            let connection = open_reader(&store.path).unwrap();
            let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
            assert_eq!(number("SELECT count(*) FROM idempotency"), 9);
            assert_eq!(number("SELECT available FROM stock WHERE product = 0"), STOCK - 8);
            assert_eq!(available(&store, 0), STOCK - 8);
        }
    }
}

#[test]
fn a_file_of_another_version_is_refused_and_not_touched() {
    let db = TempDb::new();
    let other = rusqlite::Connection::open(db.path()).unwrap();
    other.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY)").unwrap();
    let shop = Shop { products: &[], stock: 0, lag: 0 };
    let error = Store::open(Variant::Tuned, db.path(), &shop).unwrap_err();
    assert!(error.to_string().contains("version 0"), "{error}");
    let tables = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(other.query_row(tables, [], |row| row.get::<_, u64>(0)).unwrap(), 1);
}

#[test]
fn a_failed_group_takes_nothing_and_says_so() {
    let db = TempDb::new();
    let store = open(Variant::Tuned, &db);
    tidemill::block_on(async {
        let outside = rusqlite::Connection::open(db.path()).unwrap();
        outside.execute_batch("ALTER TABLE orders RENAME TO elsewhere").unwrap();
        let failed = store.place(order("a", "x", &[(0, 1)]), None).await;
        assert!(matches!(failed, Err(StoreError::Sqlite(_))), "{failed:?}");
        assert_eq!((store.progress().head(), available(&store, 0)), (0, STOCK));
    });
}
