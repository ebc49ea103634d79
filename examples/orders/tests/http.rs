//! Every bad request over real HTTP, against both variants of a real server.
#![allow(clippy::unwrap_used)]

mod support;

use support::{Client, Service, TempDir};

const GOOD: &str = concat!(
    r#"{"customer":"c-1","currency":"EUR","lines":[{"sku":"SKU-00001","quantity":2}],"#,
    r#""ship_to":{"name":"Ada","street":"Mill Lane 1","postcode":"20457","city":"Hamburg","country":"DE"}}"#,
);

fn for_both_variants(test: impl Fn(&Service)) {
    for variant in ["naive", "tuned"] {
        let dir = TempDir::new();
        let provider = Service::provider("");
        test(&Service::shop(variant, &dir.file("shop.db"), &provider.url()));
    }
}

/// One of each kind; the decoder's own test has the full table.
fn bad_bodies() -> Vec<(Vec<u8>, u16, &'static str)> {
    let with = |old: &str, new: &str| GOOD.replacen(old, new, 1).into_bytes();
    let deep = "[".repeat(30_000);
    vec![
        (b"".to_vec(), 400, "body"),
        (b"{\"customer\":".to_vec(), 400, "body"),
        (GOOD.as_bytes()[..100].to_vec(), 400, "body"),
        (with("Ada", "\u{1}"), 400, "body"),
        ([b"{\"customer\":\"", &b"\xff\xfe"[..], b"\"}"].concat(), 400, "body"),
        (deep.into_bytes(), 400, "body"),
        (with("\"currency\"", "\"customer\":\"c-2\",\"currency\""), 400, "body"),
        (with("\"c-1\"", "[]"), 422, "customer"),
        (with("SKU-00001", "SKU-99999"), 422, "lines[0].sku"),
        (with(":2", ":0"), 422, "lines[0].quantity"),
        (with(":2", ":-1"), 422, "lines[0].quantity"),
        (with(":2", ":1.5"), 422, "lines[0].quantity"),
        (with(":2", ":99999999999999999999"), 422, "lines[0].quantity"),
        (with(":2}", ":10000},{\"sku\":\"SKU-00008\",\"quantity\":10000}"), 422, "lines[1].quantity"),
        (vec![b' '; 65 << 10], 413, "body"),
        (vec![b'x'; 10 << 20], 413, "body"),
    ]
}

#[test]
fn every_bad_request_gets_a_problem_that_names_the_field_and_the_server_stays_up() {
    for_both_variants(|shop| {
        let mut client = shop.client();
        for (body, status, field) in bad_bodies() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            let answer = client.order("bad", &body).unwrap();
            assert_eq!(answer.status, status, "{shown}");
            assert!(answer.head.contains("content-type: application/problem+json"), "{shown}");
            assert_eq!(answer.json()["field"], field, "{shown}");
            assert_eq!(answer.json()["status"], status, "{shown}");
        }
        let long = format!("idempotency-key: {}\r\n", "k".repeat(256));
        for headers in ["", "idempotency-key: \r\n", "idempotency-key: a b\r\n", &long] {
            let answer = client.post(headers, GOOD.as_bytes()).unwrap();
            assert_eq!((answer.status, &answer.json()["field"]), (400, &"Idempotency-Key".into()));
        }
        // None of them left a trace, and the key they were sent under is still free.
        assert_eq!(client.order("bad", GOOD.as_bytes()).unwrap().status, 201);
        let vars = shop.vars();
        assert_eq!((&vars["accepted"], &vars["rejected_bad_key"]), (&1.into(), &4.into()), "{vars}");
        assert_eq!(vars["rejected_too_large"], 2, "{vars}");
    });
}

#[test]
fn a_broken_off_body_harms_nobody() {
    for_both_variants(|shop| {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&shop.addr).unwrap();
        let head = "POST /orders HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-length: 500\r\n\r\n{";
        stream.write_all(head.as_bytes()).unwrap();
        drop(stream);
        assert_eq!(shop.client().order("k", GOOD.as_bytes()).unwrap().status, 201);
    });
}

#[test]
fn a_key_is_answered_byte_for_byte_or_refused() {
    for_both_variants(|shop| {
        let mut client = shop.client();
        let first = client.order("k-1", GOOD.as_bytes()).unwrap();
        let again = client.order("k-1", GOOD.as_bytes()).unwrap();
        assert_eq!((first.status, again.status), (201, 201));
        assert_eq!(first.body, again.body);
        assert!(!first.head.contains("idempotency-replayed"));
        assert!(again.head.contains("idempotency-replayed: true"));
        let other = client.order("k-1", GOOD.replace("Ada", "Eve").as_bytes()).unwrap();
        assert_eq!((other.status, &other.json()["field"]), (422, &"Idempotency-Key".into()));
    });
}

#[test]
fn an_order_can_be_followed_to_its_delivery() {
    for_both_variants(|shop| {
        let mut client = shop.client();
        let order = client.order("k", GOOD.as_bytes()).unwrap().json()["order"].as_u64().unwrap();
        shop.wait_until_drained();
        let view = client.get(&format!("/orders/{order}")).unwrap().json();
        assert_eq!((&view["status"], &view["total_cents"]), (&"delivered".into(), &1426.into()));
        for missing in ["99", "-1", "x", "99999999999999999999"] {
            assert_eq!(client.get(&format!("/orders/{missing}")).unwrap().status, 404, "{missing}");
        }
        for good in ["/healthz", "/readyz"] {
            assert_eq!(client.get(good).unwrap().status, 200);
        }
        let metrics = String::from_utf8(client.get("/metrics").unwrap().body).unwrap();
        assert!(metrics.contains("\norders_delivered_total 1\n"), "{metrics}");
    });
}

#[test]
fn too_many_orders_at_once_are_told_to_come_back() {
    let dir = TempDir::new();
    let db = dir.file("shop.db");
    let args = ["serve", "--listen", "127.0.0.1:0", "--in-flight", "0", "--db", db.to_str().unwrap()];
    let shop = Service::start(support::orders().args(args));
    let answer = Client::new(&shop.addr).order("k", GOOD.as_bytes()).unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    assert_eq!(shop.client().get("/readyz").unwrap().status, 503);
}

fn shop_with(dir: &TempDir, options: &[&str]) -> Service {
    let db = dir.file("shop.db");
    let args = ["serve", "--listen", "127.0.0.1:0", "--db", db.to_str().unwrap()];
    Service::start(support::orders().args(args).args(options))
}

#[test]
fn a_customer_who_orders_too_much_is_told_so_and_others_are_not() {
    for variant in ["naive", "tuned"] {
        let dir = TempDir::new();
        let plenty = ["--customer-rate", "1", "--customer-burst", "100000"];
        let shop = shop_with(&dir, &[&["--variant", variant], &plenty[..]].concat());
        let far = shop.client().order("k", GOOD.as_bytes()).unwrap();
        assert!(far.status == 201 && !far.head.contains("ratelimit"), "{}", far.head);
        drop(shop);

        let limit = ["--variant", variant, "--customer-rate", "1", "--customer-burst", "3"];
        let (dir, mut heads) = (TempDir::new(), Vec::new());
        let shop = shop_with(&dir, &limit);
        let mut client = shop.client();
        // At one a second a slow computer may let a few more through, but not a hundred.
        let refused = (0..100).find_map(|n| {
            let answer = client.order(&format!("k-{n}"), GOOD.as_bytes()).unwrap();
            heads.push(answer.head.clone());
            (answer.status != 201).then_some(answer)
        });
        let refused = refused.unwrap();
        assert_eq!((refused.status, &refused.json()["field"]), (429, &"customer".into()));
        for field in ["ratelimit-policy: \"customer\";q=3;w=3", "ratelimit: \"customer\";r=0;t=1", "retry-after: 1"] {
            assert!(refused.head.contains(field), "{}", refused.head);
        }
        assert!(heads.iter().any(|head| head.contains("201 created") && head.contains("\"customer\";r=0")));
        let other = GOOD.replace("c-1", "c-2");
        assert_eq!(client.order("other", other.as_bytes()).unwrap().status, 201);
    }
}

#[test]
fn an_order_without_time_is_refused_before_any_work() {
    let dir = TempDir::new();
    let shop = shop_with(&dir, &["--deadline-ms", "0"]);
    let answer = shop.client().order("k", GOOD.as_bytes()).unwrap();
    assert_eq!((answer.status, &answer.json()["type"]), (503, &"late".into()));
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    assert_eq!(shop.vars()["rejected_late"], 1);
}

/// The store hangs, here because another process holds its lock. (The naive form waits for it on the task's own
/// thread, where nobody can interrupt it: it answers 503 when SQLite gives up.)
#[test]
fn a_store_that_hangs_is_not_waited_for_and_does_not_store_what_came_too_late() {
    let dir = TempDir::new();
    let shop = shop_with(&dir, &["--deadline-ms", "300"]);
    let mut client = shop.client();
    assert_eq!(client.order("before", GOOD.as_bytes()).unwrap().status, 201);
    shop.wait_until_drained();
    let other = rusqlite::Connection::open(dir.file("shop.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = client.order("k", GOOD.as_bytes()).unwrap();
    assert_eq!((answer.status, &answer.json()["type"]), (504, &"unanswered".into()));
    other.execute_batch("ROLLBACK").unwrap();
    // Under its key it is new, for it was not stored. (A busy computer may be late again.)
    let taken = (0..100).map(|_| client.order("k", GOOD.as_bytes()).unwrap()).find(|answer| answer.status == 201);
    assert!(!taken.unwrap().head.contains("idempotency-replayed"));
}
