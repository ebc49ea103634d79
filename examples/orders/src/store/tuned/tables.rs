//! The statements of the writer, compiled once for its whole life.

use orders_payment::Outcome;
use rusqlite::{
    Connection, OptionalExtension, Statement, ToSql,
    types::{ToSqlOutput, Type, ValueRef},
};

use crate::{
    domain::{IdempotencyKey, Order},
    store::{Consumer, Event, Settlement, Stored, lines},
};

/// The compiled statements.
pub(super) struct Tables<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    insert_key: Statement<'c>,
    select_key: Statement<'c>,
    insert_order: Statement<'c>,
    select_answer: Statement<'c>,
    select_lines: Statement<'c>,
    insert_acceptances: Statement<'c>,
    insert_event: Statement<'c>,
    insert_payment: Statement<'c>,
    /// By consumer.
    insert_effects: [Statement<'c>; Consumer::ALL.len()],
    update_stock: Statement<'c>,
    replace_offset: Statement<'c>,
    mark_stock: Statement<'c>,
    mark_keys: Statement<'c>,
    /// The lines of an order, as text.
    lines: String,
}

type SqlResult<T> = rusqlite::Result<T>;

/// One statement for all orders of a group: their rows say what their events do.
const ACCEPT: &str = "INSERT INTO outbox SELECT id - ?1 + ?2, id, 1, total_cents FROM orders WHERE id >= ?1";

// One statement for the effects of a page. A test holds the kinds against `Consumer::acts_on`.
const DELIVER: &str = "INSERT OR IGNORE INTO deliveries
    SELECT order_id, seq FROM outbox WHERE seq BETWEEN ? AND ? AND kind = 2";
const NOTIFY: &str = "INSERT OR IGNORE INTO notifications
    SELECT seq, order_id, kind FROM outbox WHERE seq BETWEEN ? AND ? AND kind IN (2, 3)";

impl<'c> Tables<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> SqlResult<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            insert_key: prepare("INSERT INTO idempotency VALUES (?, ?)")?,
            select_key: prepare("SELECT order_id FROM idempotency WHERE key = ?")?,
            insert_order: prepare("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?,
            select_answer: prepare("SELECT body_hash, status, response FROM orders WHERE id = ?")?,
            select_lines: prepare("SELECT lines FROM orders WHERE id = ?")?,
            insert_acceptances: prepare(ACCEPT)?,
            insert_event: prepare("INSERT INTO outbox VALUES (?, ?, ?, ?)")?,
            insert_payment: prepare("INSERT OR IGNORE INTO payments VALUES (?, ?, ?, ?)")?,
            insert_effects: [prepare(DELIVER)?, prepare(NOTIFY)?],
            update_stock: prepare("UPDATE stock SET available = ?2 WHERE product = ?1")?,
            replace_offset: prepare("INSERT OR REPLACE INTO offsets VALUES (?, ?)")?,
            mark_stock: prepare("UPDATE marks SET stock_seq = ?")?,
            mark_keys: prepare("UPDATE marks SET keys_below = ?")?,
            lines: String::with_capacity(256),
        })
    }

    pub(super) fn begin(&mut self) -> SqlResult<()> {
        self.begin.execute([]).map(drop)
    }

    pub(super) fn commit(&mut self) -> SqlResult<()> {
        self.commit.execute([]).map(drop)
    }

    pub(super) fn insert_key(&mut self, key: &IdempotencyKey, order: u64) -> SqlResult<()> {
        self.insert_key.execute((key.as_bytes(), order)).map(drop)
    }

    /// The order of that key, if the index knows it.
    pub(super) fn select_key(&mut self, key: &IdempotencyKey) -> SqlResult<Option<u64>> {
        self.select_key.query_row([key.as_bytes()], |row| row.get(0)).optional()
    }

    pub(super) fn insert_order(&mut self, order: &Order, id: u64, answer: &Stored) -> SqlResult<()> {
        lines::write(&order.lines, &mut self.lines);
        let (key, hash, customer) = (order.key.as_bytes(), order.body_hash.as_bytes(), order.customer.as_bytes());
        let (status, response) = (answer.status, &*answer.body);
        let (total, lines) = (order.total.cents(), self.lines.as_bytes());
        let row = (id, key, hash, status, response, Ascii(customer), total, Ascii(lines), &*order.document);
        self.insert_order.execute(row).map(drop)
    }

    /// The hash of an order's body, and its answer.
    pub(super) fn select_answer(&mut self, order: u64) -> SqlResult<(Vec<u8>, Stored)> {
        self.select_answer.query_row([order], |row| {
            let body: Vec<u8> = row.get(2)?;
            Ok((row.get(0)?, Stored { status: row.get(1)?, body: body.into() }))
        })
    }

    /// Product and quantity of each line.
    pub(super) fn select_lines(&mut self, order: u64) -> SqlResult<Vec<(u32, u32)>> {
        let text: String = self.select_lines.query_row([order], |row| row.get(0))?;
        let not_lines = || rusqlite::Error::InvalidColumnType(0, "lines".to_owned(), Type::Text);
        lines::read(&text).ok_or_else(not_lines)
    }

    /// The acceptances of the orders from `first` on, as the events from `seq` on.
    pub(super) fn insert_acceptances(&mut self, first: u64, seq: u64) -> SqlResult<()> {
        self.insert_acceptances.execute((first, seq)).map(drop)
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

    /// Gives every event from `first` to `last` its effect on this consumer, and says how many had none yet.
    pub(super) fn insert_effects(&mut self, consumer: Consumer, first: u64, last: u64) -> SqlResult<u64> {
        let new = self.insert_effects[consumer.index()].execute((first, last))?;
        Ok(new as u64)
    }

    pub(super) fn update_stock(&mut self, product: u32, available: u64) -> SqlResult<()> {
        self.update_stock.execute((product, available)).map(drop)
    }

    pub(super) fn replace_offset(&mut self, consumer: Consumer, seq: u64) -> SqlResult<()> {
        self.replace_offset.execute((consumer as i64, seq)).map(drop)
    }

    /// The stock is that after this event.
    pub(super) fn mark_stock(&mut self, seq: u64) -> SqlResult<()> {
        self.mark_stock.execute([seq]).map(drop)
    }

    /// The index has the keys of all orders before this one.
    pub(super) fn mark_keys(&mut self, order: u64) -> SqlResult<()> {
        self.mark_keys.execute([order]).map(drop)
    }
}

/// Bytes known to be ASCII, bound as text without another check.
struct Ascii<'a>(&'a [u8]);

impl ToSql for Ascii<'_> {
    fn to_sql(&self) -> SqlResult<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}
