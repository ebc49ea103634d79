//! What goes into the store and what comes out of it.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use bytes::Bytes;

use crate::domain::{Kind, Money, Order, Reject};

/// The answer to an accepted order, kept with its key and repeated byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// The answer to a new order without its numbers.
const ACCEPTED: &str = r#"{"order":,"status":"accepted","total_cents":}"#;

/// The status of an answer to a new order.
pub(super) const CREATED: u16 = 201;

impl Stored {
    /// The answer to a new order. One allocation.
    pub(super) fn accepted(order: u64, total: Money) -> Self {
        let (total, digits) = (total.cents(), |n: u64| n.checked_ilog10().unwrap_or(0) as usize + 1);
        // A text with room to spare would be copied on its way into `Bytes`.
        let mut body = String::with_capacity(ACCEPTED.len() + digits(order) + digits(total));
        // Writing to a string cannot fail.
        let _ = write!(body, "{{\"order\":{order},\"status\":\"accepted\",\"total_cents\":{total}}}");
        Self { status: CREATED, body: body.into() }
    }
}

/// What became of an order that was offered to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is new and durable.
    Accepted(Stored),
    /// It was accepted before under this key; the answer of that time.
    Replayed(Stored),
    /// It was not taken, and nothing was stored.
    Rejected(Reject),
}

impl Placement {
    /// What a known key means for an order that comes with it: the same body is the same request.
    pub(super) fn for_known_key(order: &Order, body_hash: &[u8], stored: Stored) -> Self {
        if body_hash == order.body_hash.as_bytes() {
            return Self::Replayed(stored);
        }
        let reason = "was used with another body";
        Self::Rejected(Reject::new(Kind::KeyReused, "Idempotency-Key", reason))
    }

    /// The line with this number asks for more than there is.
    pub(super) fn out_of_stock(line: usize) -> Self {
        let field = format!("lines[{line}].quantity");
        Self::Rejected(Reject::new(Kind::OutOfStock, field, "is more than we have"))
    }
}

/// The outcome of one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The order.
    pub order: u64,
    /// What was to be paid.
    pub amount: Money,
    /// What the provider said.
    pub outcome: orders_payment::Outcome,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was taken.
    Accepted = 1,
    /// It was paid.
    Paid = 2,
    /// Its payment was declined and its stock released.
    Cancelled = 3,
}

impl EventKind {
    /// The kind with this number in the store.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Accepted),
            2 => Some(Self::Paid),
            3 => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// An entry of the outbox, which is also the event log: the sequence number is the event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log.
    pub seq: u64,
    /// The order it is about.
    pub order: u64,
    /// What happened.
    pub kind: EventKind,
    /// The amount of the order.
    pub amount: Money,
}

/// Who acts on events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consumer {
    /// Sends what is paid.
    Delivery = 1,
    /// Tells the customer.
    Notification = 2,
}

impl Consumer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Delivery, Self::Notification];

    /// Whether it has something to do for such an event.
    #[must_use]
    pub const fn acts_on(self, kind: EventKind) -> bool {
        match self {
            Self::Delivery => matches!(kind, EventKind::Paid),
            Self::Notification => matches!(kind, EventKind::Paid | EventKind::Cancelled),
        }
    }

    /// Its place in a list of all consumers.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize - 1
    }
}

/// Why the store could not do its work. Cheap to clone: one failed commit fails every order in it.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// What SQLite says.
    Sqlite(Arc<rusqlite::Error>),
    /// The writer is gone.
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "store: {error}"),
            Self::Closed => f.write_str("store: closed"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sqlite(error) => Some(error),
            Self::Closed => None,
        }
    }
}
