//! Orders made from a seed: the same seed and number give the same key and the same bytes for ever.
//!
//! Each order is drawn from its own generator, seeded with the run's seed and the order's number, so
//! any part of a run can be made without the rest, by any number of senders.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::{catalogue, domain::IdempotencyKey};

/// Spreads neighbouring numbers over the whole range of seeds (the golden ratio in 64 bits).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// Customers of the shop.
const CUSTOMERS: u32 = 100_000;
/// Most lines of a generated order; two on average, which makes about 400 bytes.
const MOST_LINES: u32 = 3;
/// Most pieces of a line.
const MOST_PIECES: u32 = 5;

/// What the courier is told.
const NOTE: &str = "Please ring twice and leave the parcel with a neighbour if nobody opens; the \
    bell of the side door does not work, and the dog is friendlier than it sounds. Thank you.";
const NAMES: [&str; 4] = ["Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov"];
const STREETS: [&str; 4] = ["Long Mill Lane", "Harbour Road", "Tidal Street", "Weir Gardens"];
const TOWNS: [(&str, &str, &str); 4] =
    [("20457", "Hamburg", "DE"), ("1012 AB", "Amsterdam", "NL"), ("8000", "Aarhus", "DK"), ("75001", "Paris", "FR")];

/// A source of orders.
///
/// ```
/// use orders::generate::Generator;
/// let generator = Generator::new(7, 1_000);
/// assert_eq!(generator.order(3), Generator::new(7, 1_000).order(3));
/// assert_ne!(generator.order(3), generator.order(4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generator {
    seed: u64,
    products: u32,
}

impl Generator {
    /// Orders for a shop of this many products.
    #[must_use]
    pub fn new(seed: u64, products: u32) -> Self {
        Self { seed, products: products.max(1) }
    }

    /// The order with this number: its key and its body.
    #[must_use]
    pub fn order(&self, number: u64) -> (IdempotencyKey, Bytes) {
        let key = self.key(number);
        let key = IdempotencyKey::new(key.as_bytes()).expect("digits, letters and dashes");
        (key, format!("{{{}}}", self.fields(number)).into())
    }

    /// The order as one line of a file: the body with its key as another field.
    #[must_use]
    pub fn line(&self, number: u64) -> String {
        format!("{{\"idempotency_key\":\"{}\",{}}}", self.key(number), self.fields(number))
    }

    /// Looks like any client's key: without an order that an index could profit from.
    fn key(&self, number: u64) -> String {
        let mut dice = fastrand::Rng::with_seed(self.mix(number).rotate_left(32));
        format!("{:016x}-{:08x}", dice.u64(..), number)
    }

    fn mix(&self, number: u64) -> u64 {
        (self.seed ^ number.wrapping_mul(SPREAD)).wrapping_mul(SPREAD)
    }

    fn fields(&self, number: u64) -> String {
        let mut dice = fastrand::Rng::with_seed(self.mix(number));
        let mut text = String::with_capacity(512);
        let customer = dice.u32(..CUSTOMERS);
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, r#""customer":"c-{customer:06}","currency":"EUR","lines":["#);
        for line in 0..dice.u32(1..=MOST_LINES) {
            let (comma, sku) = (if line == 0 { "" } else { "," }, self.sku(&mut dice));
            let quantity = dice.u32(1..=MOST_PIECES);
            let _ = write!(text, r#"{comma}{{"sku":"{sku}","quantity":{quantity}}}"#);
        }
        let (name, street) = (dice.choice(NAMES), dice.choice(STREETS));
        let (name, street) = (name.unwrap_or_default(), street.unwrap_or_default());
        let (postcode, city, country) = dice.choice(TOWNS).unwrap_or_default();
        let house = dice.u32(1..200);
        let _ = write!(text, r#"],"ship_to":{{"name":"{name}","street":"{street} {house}","postcode":"{postcode}","#);
        let _ = write!(text, r#""city":"{city}","country":"{country}"}},"note":"{NOTE}""#);
        text
    }

    /// Small numbers are asked for most, as best-sellers are: the smaller of two throws.
    fn sku(&self, dice: &mut fastrand::Rng) -> String {
        let product = dice.u32(..self.products).min(dice.u32(..self.products));
        catalogue::sku(product)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn orders_have_the_usual_size_and_distinct_keys() {
        let generator = Generator::new(1, 1_000);
        let bodies = (0..1_000).map(|number| generator.order(number).1.len());
        let mean = bodies.sum::<usize>() / 1_000;
        assert!((350..450).contains(&mean), "{mean} bytes");
        let keys: std::collections::HashSet<_> = (0..1_000).map(|number| generator.order(number).0).collect();
        assert_eq!(keys.len(), 1_000);
    }

    #[test]
    fn a_line_is_the_body_and_the_key() {
        let generator = Generator::new(1, 10);
        let mut line: serde_json::Value = serde_json::from_str(&generator.line(5)).unwrap();
        let key = line.as_object_mut().unwrap().remove("idempotency_key").unwrap();
        let (expected, body) = generator.order(5);
        assert_eq!(key.as_str().unwrap().as_bytes(), expected.as_bytes());
        assert_eq!(line, serde_json::from_slice::<serde_json::Value>(&body).unwrap());
    }
}
