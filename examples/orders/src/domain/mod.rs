//! What an order is, whatever it came in through and wherever it is kept.

mod money;
mod names;
mod order;
mod reject;

pub use money::Money;
pub use names::{BodyHash, CustomerId, IdempotencyKey, KeyError};
pub use order::{Line, Lines, Order, Product};
pub use reject::{Kind, Reject};
