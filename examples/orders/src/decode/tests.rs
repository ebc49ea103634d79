//! One table of bodies for both variants: what is accepted, what is refused, and in which words.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    catalogue::{Catalogue, shop},
    domain::{Kind, Reject},
    price::price,
};

/// A good body, in which a test replaces one piece by another.
pub(crate) const GOOD: &str = concat!(
    r#"{"customer":"c-1","currency":"EUR","#,
    r#""lines":[{"sku":"SKU-00001","quantity":2,"unit_price_cents":713},{"sku":"SKU-00002","quantity":1}],"#,
    r#""ship_to":{"name":"Ada","street":"Mill Lane 1","postcode":"20457","city":"Hamburg","country":"DE"},"#,
    r#""note":"ring"}"#,
);

/// What to replace in [`GOOD`], by what, the field at fault, and whether it is no JSON at all.
const BAD: &[(&str, &str, &str, Kind)] = &[
    // Not JSON.
    (GOOD, "", "body", Kind::Malformed),
    (GOOD, "{", "body", Kind::Malformed),
    (r#""ring"}"#, r#""ring""#, "body", Kind::Malformed),
    (r#""ring"}"#, r#""ring"}}"#, "body", Kind::Malformed),
    (r#""ring""#, r#""\ud800""#, "body", Kind::Malformed),
    (r#""ring""#, r#""\x""#, "body", Kind::Malformed),
    ("2,", "2,,", "body", Kind::Malformed),
    ("2,", "02,", "body", Kind::Malformed),
    ("2,", "NaN,", "body", Kind::Malformed),
    ("2,", "1e999,", "body", Kind::Malformed),
    // Said twice.
    (r#""note""#, r#""currency":"EUR","note""#, "body", Kind::Malformed),
    (r#""quantity":2"#, r#""quantity":2,"quantity":3"#, "body", Kind::Malformed),
    (r#""city""#, r#""name":"Eve","city""#, "body", Kind::Malformed),
    // The wrong shape.
    (GOOD, "[]", "body", Kind::Invalid),
    (GOOD, "null", "body", Kind::Invalid),
    (GOOD, r#"["c-1","EUR",[],{},null]"#, "body", Kind::Invalid),
    (r#""c-1""#, "7", "customer", Kind::Invalid),
    (r#""c-1""#, "null", "customer", Kind::Invalid),
    (r#""customer":"c-1","#, "", "customer", Kind::Invalid),
    (r#""ring""#, "{}", "note", Kind::Invalid),
    (r#""note":"ring""#, r#""nota":"ring""#, "nota", Kind::Invalid),
    (r#""Ada""#, "[]", "ship_to.name", Kind::Invalid),
    (r#","country":"DE""#, "", "ship_to.country", Kind::Invalid),
    (r#""country""#, r#""county":"","country""#, "ship_to.county", Kind::Invalid),
    (r#"{"sku":"SKU-00002","quantity":1}"#, r#"["SKU-00002",1,null]"#, "lines[1]", Kind::Invalid),
    (r#""SKU-00002","quantity":1"#, r#""SKU-00002""#, "lines[1].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":"2""#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":-2"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":-0"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":2.0"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":1e3"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":null"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":18446744073709551616"#, "lines[0].quantity", Kind::Invalid),
    ("713", r#""713""#, "lines[0].unit_price_cents", Kind::Invalid),
    // The right shape, the wrong meaning.
    (r#""c-1""#, r#""""#, "customer", Kind::Invalid),
    (r#""c-1""#, r#""c 1""#, "customer", Kind::Invalid),
    (r#""EUR""#, r#""USD""#, "currency", Kind::Invalid),
    (r#""Ada""#, r#""""#, "ship_to.name", Kind::Invalid),
    ("SKU-00002", "SKU-77777", "lines[1].sku", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":0"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":10001"#, "lines[0].quantity", Kind::Invalid),
    (r#""quantity":2"#, r#""quantity":18446744073709551615"#, "lines[0].quantity", Kind::Invalid),
    // Two lines that are fine alone: 7,130,000 and 13,260,000 cents.
    (
        r#""quantity":2,"unit_price_cents":713},{"sku":"SKU-00002","quantity":1"#,
        r#""quantity":10000},{"sku":"SKU-00002","quantity":10000"#,
        "lines[1].quantity",
        Kind::Invalid,
    ),
    ("713", "712", "lines[0].unit_price_cents", Kind::Invalid),
];

/// The same bodies for whoever tests a way in: the body, the field at fault, the status.
pub(crate) fn bad_bodies() -> Vec<(Vec<u8>, String, Kind)> {
    let replaced = |&(old, new, field, kind): &(&str, &str, &str, Kind)| {
        assert!(GOOD.contains(old), "{old}");
        (GOOD.replacen(old, new, 1).into_bytes(), field.to_owned(), kind)
    };
    let mut bodies: Vec<_> = BAD.iter().map(replaced).collect();
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    let lines = vec![r#"{"sku":"SKU-00001","quantity":1}"#; crate::limits::LINES + 1].join(",");
    let long = "x".repeat(crate::limits::NOTE_BYTES + 1);
    for (old, new, field, kind) in [
        (r#""ring""#, deep, "body", Kind::Malformed),
        (r#"{"sku":"SKU-00002","quantity":1}"#, lines, "lines", Kind::Invalid),
        ("ring", long, "note", Kind::Invalid),
        ("c-1", "x".repeat(crate::limits::CUSTOMER_BYTES + 1), "customer", Kind::Invalid),
        ("Ada", "x".repeat(crate::limits::ADDRESS_BYTES + 1), "ship_to.name", Kind::Invalid),
    ] {
        bodies.push((GOOD.replacen(old, &new, 1).into_bytes(), field.to_owned(), kind));
    }
    let not_utf8 = [GOOD.split("ring").next().unwrap().as_bytes(), b"\xff\"}"].concat();
    bodies.push((not_utf8, "body".to_owned(), Kind::Malformed));
    bodies
}

fn read(variant: Variant, body: &[u8]) -> Result<crate::Priced, Reject> {
    let catalogue = Catalogue::new(variant, shop(10));
    price(&decode(variant, body)?, &catalogue)
}

#[test]
fn every_bad_body_is_refused_in_the_same_words() {
    for (body, field, kind) in bad_bodies() {
        let text = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let [naive, tuned] = Variant::ALL.map(|variant| read(variant, &body).unwrap_err());
        assert_eq!((&*naive.field, naive.kind), (&*field, kind), "{naive}: {text}");
        assert_eq!(naive, tuned, "{text}");
    }
}

#[test]
fn good_bodies_mean_the_same_to_both() {
    let absent = GOOD.replacen(r#","note":"ring""#, "", 1);
    let null = GOOD.replacen(r#""ring""#, "null", 1);
    let escaped = GOOD.replacen("SKU-00001", "SKU\\u002d00001", 1);
    let spaced = GOOD.replacen(',', " ,\n\t ", 1);
    for body in [GOOD, &absent, &null, &escaped, &spaced] {
        let [naive, tuned] = Variant::ALL.map(|variant| decode(variant, body.as_bytes()).unwrap());
        assert_eq!(naive, tuned, "{body}");
        let [naive, tuned] = Variant::ALL.map(|variant| read(variant, body.as_bytes()).unwrap());
        assert_eq!(naive, tuned, "{body}");
        assert_eq!(naive.total.cents(), 2 * 713 + 1326, "{body}");
    }
}
