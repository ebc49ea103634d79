//! The statements of the writer, compiled once for its whole life.

use orders_payment::Outcome;
use rusqlite::{
    Connection, OptionalExtension, Statement, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    domain::Order,
    store::{Consumer, Event, Settlement, Stored},
};

/// The compiled statements.
pub(super) struct Tables<'c> {
    insert_key: Statement<'c>,
    select_key: Statement<'c>,
    insert_order: Statement<'c>,
    insert_line: Statement<'c>,
    select_lines: Statement<'c>,
    insert_event: Statement<'c>,
    insert_payment: Statement<'c>,
    insert_inbox: Statement<'c>,
    insert_delivery: Statement<'c>,
    insert_notification: Statement<'c>,
    update_stock: Statement<'c>,
    replace_offset: Statement<'c>,
}

type SqlResult<T> = rusqlite::Result<T>;

impl<'c> Tables<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> SqlResult<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            insert_key: prepare("INSERT OR IGNORE INTO idempotency VALUES (?, ?, ?, ?, ?)")?,
            select_key: prepare("SELECT body_hash, status, response FROM idempotency WHERE key = ?")?,
            insert_order: prepare("INSERT INTO orders VALUES (?, ?, ?, ?)")?,
            insert_line: prepare("INSERT INTO order_lines VALUES (?, ?, ?, ?, ?)")?,
            select_lines: prepare("SELECT product, quantity FROM order_lines WHERE order_id = ?")?,
            insert_event: prepare("INSERT INTO outbox VALUES (?, ?, ?, ?)")?,
            insert_payment: prepare("INSERT OR IGNORE INTO payments VALUES (?, ?, ?, ?)")?,
            insert_inbox: prepare("INSERT OR IGNORE INTO inbox VALUES (?, ?)")?,
            insert_delivery: prepare("INSERT INTO deliveries VALUES (?, ?)")?,
            insert_notification: prepare("INSERT INTO notifications VALUES (?, ?, ?)")?,
            update_stock: prepare("UPDATE stock SET available = ?2 WHERE product = ?1")?,
            replace_offset: prepare("INSERT OR REPLACE INTO offsets VALUES (?, ?)")?,
        })
    }

    /// Whether the key was new; if not, nothing has changed.
    pub(super) fn insert_key(&mut self, order: &Order, id: u64, answer: &Stored) -> SqlResult<bool> {
        let (key, hash) = (order.key.as_bytes(), order.body_hash.as_bytes());
        let new = self.insert_key.execute((key, hash, id, answer.status, &*answer.body))?;
        Ok(new == 1)
    }

    /// The hash of the body and the answer that belong to the key of `order`.
    pub(super) fn select_key(&mut self, order: &Order) -> SqlResult<Option<(Vec<u8>, Stored)>> {
        let known = self.select_key.query_row([order.key.as_bytes()], |row| {
            let body: Vec<u8> = row.get(2)?;
            Ok((row.get(0)?, Stored { status: row.get(1)?, body: body.into() }))
        });
        known.optional()
    }

    pub(super) fn insert_order(&mut self, order: &Order, id: u64) -> SqlResult<()> {
        let customer = Ascii(order.customer.as_bytes());
        self.insert_order.execute((id, customer, order.total.cents(), &*order.document))?;
        for (number, line) in order.lines.iter().enumerate() {
            let price = line.unit_price.cents();
            self.insert_line.execute((id, number, line.product, line.quantity, price))?;
        }
        Ok(())
    }

    /// Product and quantity of each line.
    pub(super) fn select_lines(&mut self, order: u64) -> SqlResult<Vec<(u32, u32)>> {
        self.select_lines.query_map([order], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    pub(super) fn insert_event(&mut self, event: &Event) -> SqlResult<()> {
        let Event { seq, order, kind, amount } = *event;
        self.insert_event.execute((seq, order, kind as i64, amount.cents())).map(drop)
    }

    /// Whether the order had no outcome yet; if it had, nothing has changed.
    pub(super) fn insert_payment(&mut self, settlement: &Settlement) -> SqlResult<bool> {
        let (receipt, declined) = match &settlement.outcome {
            Outcome::Charged { receipt } => (Some(receipt), None),
            Outcome::Declined { reason } => (None, Some(reason)),
        };
        let row = (settlement.order, settlement.amount.cents(), receipt, declined);
        Ok(self.insert_payment.execute(row)? == 1)
    }

    /// Whether the event was new to the consumer; if not, nothing has changed.
    pub(super) fn insert_effect(&mut self, consumer: Consumer, event: &Event) -> SqlResult<bool> {
        let Event { seq, order, kind, .. } = *event;
        if self.insert_inbox.execute((seq, consumer as i64))? == 0 {
            return Ok(false);
        }
        match consumer {
            Consumer::Delivery => self.insert_delivery.execute((order, seq))?,
            Consumer::Notification => self.insert_notification.execute((seq, order, kind as i64))?,
        };
        Ok(true)
    }

    pub(super) fn update_stock(&mut self, product: u32, available: u64) -> SqlResult<()> {
        self.update_stock.execute((product, available)).map(drop)
    }

    pub(super) fn replace_offset(&mut self, consumer: Consumer, seq: u64) -> SqlResult<()> {
        self.replace_offset.execute((consumer as i64, seq)).map(drop)
    }
}

/// Bytes known to be ASCII, bound as text without another check.
struct Ascii<'a>(&'a [u8]);

impl ToSql for Ascii<'_> {
    fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}
