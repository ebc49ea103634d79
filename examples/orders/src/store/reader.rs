//! Reading, on a connection of its own: it sees the last commit and waits for nobody.
//!
//! Every method blocks on the disk: call them inside `tidemill::blocking`.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use super::{Consumer, Event, EventKind, StoreError, schema};
use crate::{catalogue::ProductRow, domain::Money};

/// A reading connection.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// An order as `GET /orders/{id}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// Its number.
    pub order: u64,
    /// Who ordered.
    pub customer: String,
    /// `accepted`, `paid`, `delivered` or `cancelled`.
    pub status: &'static str,
    /// What it costs.
    pub total_cents: u64,
    /// The provider's receipt, once paid.
    pub receipt: Option<String>,
}

const UNPAID: &str = "
SELECT seq, outbox.order_id, kind, outbox.amount_cents
FROM outbox LEFT JOIN payments ON payments.order_id = outbox.order_id
WHERE seq > ? AND kind = 1 AND payments.order_id IS NULL ORDER BY seq LIMIT ?";

const EVENTS: &str = "
SELECT seq, order_id, kind, amount_cents FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?";

const ORDER: &str = "
SELECT customer, total_cents, payments.receipt, payments.declined, deliveries.order_id IS NOT NULL
FROM orders LEFT JOIN payments ON payments.order_id = orders.id
LEFT JOIN deliveries ON deliveries.order_id = orders.id WHERE orders.id = ?";

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: schema::open_reader(path)? })
    }

    /// Every product with its price of now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn products(&self) -> Result<Vec<ProductRow>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT id, sku, price_cents FROM products ORDER BY id")?;
        let product = |row: &Row<'_>| {
            let price = Money::from_cents(row.get(2)?);
            Ok(ProductRow { id: row.get(0)?, sku: row.get(1)?, price })
        };
        let products = select.query_map([], product)?.collect::<Result<_, _>>()?;
        Ok(products)
    }

    /// The events after `seq`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, seq: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.page(EVENTS, seq, limit)
    }

    /// The acceptances after `seq` of orders whose payment has no outcome, oldest first. Orders settled
    /// long ago cost one look-up each, so the first call on an old store takes a while.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unpaid(&self, seq: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.page(UNPAID, seq, limit)
    }

    fn page(&self, sql: &str, seq: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let mut select = self.connection.prepare_cached(sql)?;
        let events = select.query_map((seq, limit), event)?.collect::<Result<_, _>>()?;
        Ok(events)
    }

    /// How far a consumer had got when it last said so.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn offset(&self, consumer: Consumer) -> Result<u64, StoreError> {
        let sql = "SELECT ifnull(max(seq), 0) FROM offsets WHERE consumer = ?";
        Ok(self.connection.query_row(sql, [consumer as i64], |row| row.get(0))?)
    }

    /// One order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn order(&self, order: u64) -> Result<Option<OrderView>, StoreError> {
        let view = |row: &Row<'_>| {
            let receipt: Option<String> = row.get(2)?;
            let declined: Option<String> = row.get(3)?;
            let status = status(receipt.is_some(), declined.is_some(), row.get(4)?);
            let (customer, total_cents) = (row.get(0)?, row.get(1)?);
            Ok(OrderView { order, customer, status, total_cents, receipt })
        };
        // A number beyond the column's range names no order.
        let Ok(id) = i64::try_from(order) else { return Ok(None) };
        let mut select = self.connection.prepare_cached(ORDER)?;
        Ok(select.query_row([id], view).optional()?)
    }
}

const fn status(paid: bool, declined: bool, delivered: bool) -> &'static str {
    match (paid, declined, delivered) {
        (_, true, _) => "cancelled",
        (_, _, true) => "delivered",
        (true, ..) => "paid",
        _ => "accepted",
    }
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let (seq, order, number) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let unknown = || rusqlite::Error::IntegralValueOutOfRange(2, number);
    let kind = EventKind::from_number(number).ok_or_else(unknown)?;
    Ok(Event { seq, order, kind, amount: Money::from_cents(row.get(3)?) })
}
