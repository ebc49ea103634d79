//! From the bytes of an order to its fields.

use std::{hint::black_box, rc::Rc};

use benches::{
    Bench, Case, Lap,
    board::{Row, Run},
};
use orders::{Variant, decode::decode, generate::Generator};
use serde::Deserialize;

pub(crate) const ROW: Row = Row {
    section: 6,
    name: "decode",
    measures: "orders of about 400 bytes of JSON to their fields; the pipeline's own decoder is in the first line",
    leaves_out: "orders that are wrong, and whether the fields make sense",
    seconds: 4.0,
    in_quick: true,
    once: false,
    run: Run::Benches(benches),
};

/// Different orders, in turn.
const ORDERS: u64 = 64;

/// All fields, owned, as one would write it first.
#[derive(Deserialize)]
struct Order {
    customer: String,
    currency: String,
    lines: Vec<Line>,
    ship_to: Address,
    note: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    sku: String,
    quantity: u64,
}

#[derive(Deserialize)]
struct Address {
    name: String,
    street: String,
    postcode: String,
    city: String,
    country: String,
}

fn benches() -> Vec<Bench> {
    vec![Bench {
        title: "an order of about 400 bytes".into(),
        ops: 20_000,
        grain: 1,
        sum: Box::new(expectations()),
        cases: vec![
            case("orders, tuned", |body| ours(Variant::Tuned, body)),
            case("orders, naive", |body| ours(Variant::Naive, body)),
            case("serde_json, owned struct", |body| quantities(serde_json::from_slice(body).ok())),
            case("sonic-rs, owned struct", |body| quantities(sonic_rs::from_slice(body).ok())),
            case("serde_json::Value", of_value),
            Case::floor("floor: every byte read once", || {
                let (bodies, expected) = (bodies_shared(), expectations());
                move |ops| Lap { sum: expected(ops), ..Lap::of(|| each(&bodies, ops, read)) }
            }),
        ],
    }]
}

fn bodies() -> Vec<Vec<u8>> {
    let generator = Generator::new(1, 1_000);
    (0..ORDERS).map(|number| generator.order(number).1.to_vec()).collect()
}

fn bodies_shared() -> Rc<[Vec<u8>]> {
    bodies().into()
}

/// The checksum by another way than any of the decoders.
fn expectations() -> impl Fn(u64) -> u64 {
    let each: Vec<u64> = bodies().iter().map(|body| quantities_in_text(body)).collect();
    move |ops| (0..ops).map(|i| each[(i % ORDERS) as usize]).sum()
}

/// Generated orders have quantities of one digit.
fn quantities_in_text(body: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(body);
    text.split(r#""quantity":"#).skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).map(u64::from).sum()
}

fn case(name: &'static str, quantities: impl Fn(&[u8]) -> u64 + Copy + 'static) -> Case {
    Case::new(name, move || {
        let bodies = bodies_shared();
        move |ops| Lap::of(|| each(&bodies, ops, quantities))
    })
}

fn each(bodies: &[Vec<u8>], ops: u64, quantities: impl Fn(&[u8]) -> u64) -> u64 {
    (0..ops).map(|i| quantities(black_box(&bodies[(i % ORDERS) as usize]))).sum()
}

fn ours(variant: Variant, body: &[u8]) -> u64 {
    decode(variant, body).map_or(0, |draft| black_box(draft).lines.iter().map(|line| line.quantity).sum())
}

fn quantities(order: Option<Order>) -> u64 {
    let Some(Order { customer, currency, lines, ship_to, note }) = order else { return 0 };
    let Address { name, street, postcode, city, country } = ship_to;
    black_box((customer, currency, note, name, street, postcode, city, country));
    lines.iter().map(|line| u64::from(!line.sku.is_empty()) * line.quantity).sum()
}

fn of_value(body: &[u8]) -> u64 {
    let Ok(order) = serde_json::from_slice::<serde_json::Value>(body) else { return 0 };
    let lines = black_box(&order)["lines"].as_array();
    lines.map_or(0, |lines| lines.iter().filter_map(|line| line["quantity"].as_u64()).sum())
}

fn read(body: &[u8]) -> u64 {
    black_box(body.iter().map(|&byte| u64::from(byte)).sum())
}
