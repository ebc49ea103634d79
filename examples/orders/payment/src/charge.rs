//! What is asked of the provider and what it can answer.

use serde::{Deserialize, Serialize};

/// One payment to take, with the idempotency key under which the provider remembers it.
///
/// The key is a pure function of the order ([`Charge::for_order`]), never of the attempt: a service
/// that crashed between the provider's answer and its own commit asks again with the same key and is
/// told the first answer instead of charging twice.
///
/// ```
/// use orders_payment::Charge;
/// let charge = Charge::for_order(42, 1999);
/// assert_eq!(charge.key, "42");
/// assert_eq!(charge, Charge::for_order(42, 1999));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Charge {
    /// The idempotency key; at most [`crate::limits::KEY_BYTES`] bytes of visible ASCII.
    pub key: String,
    /// The order that is paid.
    pub order: u64,
    /// How much to take, in cents; more than zero.
    pub amount_cents: u64,
}

impl Charge {
    /// The charge of an order, keyed by the order's number. One allocation.
    pub fn for_order(order: u64, amount_cents: u64) -> Self {
        Self { key: order.to_string(), order, amount_cents }
    }
}

/// The provider's final word on a charge; asking again with the same key repeats it.
///
/// ```
/// use orders_payment::Outcome;
/// let paid = Outcome::Charged { receipt: "r-7".into() };
/// assert_eq!(paid.receipt(), Some("r-7"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money was taken, exactly once.
    Charged {
        /// The provider's number for the charge, unique in its ledger.
        receipt: String,
    },
    /// The provider took nothing and never will under this key.
    Declined {
        /// Why, in the provider's words.
        reason: String,
    },
}

impl Outcome {
    /// The receipt of a charge that was taken.
    pub fn receipt(&self) -> Option<&str> {
        match self {
            Self::Charged { receipt } => Some(receipt),
            Self::Declined { .. } => None,
        }
    }
}
