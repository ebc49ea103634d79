//! An order that has been checked: every line priced, the total known, the bytes it came in kept.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{BodyHash, CustomerId, IdempotencyKey, Money};

/// What the shop sells.
///
/// ```
/// use orders::domain::{Money, Product};
/// let product = Product { id: 42, price: Money::from_cents(1299) };
/// assert_eq!(product.price.cents(), 1299);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The number under which the store keeps it.
    pub id: u32,
    /// The price of one piece.
    pub price: Money,
}

/// Pieces of one product at its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The product.
    pub product: u32,
    /// How many pieces.
    pub quantity: u32,
    /// The price of one piece at the time of the order.
    pub unit_price: Money,
}

/// The lines of an order; up to four need no allocation, which most baskets fit.
pub type Lines = SmallVec<[Line; 4]>;

/// An order as the store takes it. Owns no heap memory but the body, which is shared.
#[derive(Clone, Debug)]
pub struct Order {
    /// The client's key.
    pub key: IdempotencyKey,
    /// The print of the body.
    pub body_hash: BodyHash,
    /// Who ordered.
    pub customer: CustomerId,
    /// What it costs.
    pub total: Money,
    /// What was ordered.
    pub lines: Lines,
    /// The body as it came: address, note and all.
    pub document: Bytes,
}
