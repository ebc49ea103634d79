//! One connection behind one lock; each write a transaction of its own, each statement put together
//! as text and compiled anew.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use orders_payment::Outcome;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::{
    Consumer, Consumption, Event, EventKind, Placement, Progress, Settled, Settlement, StoreError, Stored, lines,
    progress::Advance,
};
use crate::domain::{Line, Money, Order, Reject};

#[derive(Debug)]
pub(super) struct Writer {
    connection: Mutex<Connection>,
    progress: Arc<Progress>,
}

impl Writer {
    pub(super) fn new(connection: Connection, progress: Arc<Progress>) -> Self {
        Self { connection: Mutex::new(connection), progress }
    }

    pub(super) fn place(&self, order: &Order, deadline: Option<Instant>) -> Result<Placement, StoreError> {
        self.write(|write| {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Placement::Rejected(Reject::late()));
            }
            if let Some(known) = known_key(write, order)? {
                return Ok(known);
            }
            for (number, line) in order.lines.iter().enumerate() {
                if !take_stock(write, line)? {
                    return Ok(Placement::out_of_stock(number));
                }
            }
            insert_order(write, order).map(Placement::Accepted)
        })
    }

    pub(super) fn settle(&self, settlements: &[Settlement]) -> Result<Settled, StoreError> {
        let mut settled = Settled::default();
        for settlement in settlements {
            let new = self.write(|write| settle(write, settlement))?;
            settled.paid += new.paid;
            settled.cancelled += new.cancelled;
        }
        Ok(settled)
    }

    /// A transaction for each event, and one for the offset behind them: after a crash in between,
    /// the events are read again and their effects are there.
    pub(super) fn consume(&self, consumption: &Consumption) -> Result<u64, StoreError> {
        let consumer = consumption.consumer as i64;
        let mut new = 0;
        for event in &consumption.events {
            new += self.write(|write| {
                let effect = effect(consumption.consumer, event.seq, event.order, event.kind);
                write.advance.effects = write.execute(&effect)? as u64;
                Ok(write.advance.effects)
            })?;
        }
        if let Some(seq) = consumption.offset {
            self.write(|write| {
                write.advance.offsets[consumption.consumer.index()] = Some(seq);
                write.execute(&format!("INSERT OR REPLACE INTO offsets VALUES ({consumer}, {seq})"))
            })?;
        }
        Ok(new)
    }

    /// Runs one transaction on this thread. Waiting for the lock and for the disk blocks it.
    fn write<T>(&self, body: impl FnOnce(&mut Write<'_>) -> SqlResult<T>) -> Result<T, StoreError>
    where
        T: Rolled,
    {
        tidemill::blocking(|| {
            // A panic in a transaction rolled it back, so the connection is sound.
            let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut write = Write { transaction, advance: Advance::default() };
            let outcome = body(&mut write)?;
            if outcome.is_rolled_back() {
                write.transaction.rollback()?;
            } else {
                write.advance.is_written();
                write.transaction.commit()?;
                write.advance.is_committed();
                self.progress.advance(&write.advance);
            }
            Ok(outcome)
        })
    }
}

type SqlResult<T> = rusqlite::Result<T>;

/// Whether an outcome means that nothing may stay of the transaction.
trait Rolled {
    fn is_rolled_back(&self) -> bool {
        false
    }
}

impl Rolled for u64 {}
impl Rolled for usize {}
impl Rolled for Settled {}
impl Rolled for Placement {
    fn is_rolled_back(&self) -> bool {
        !matches!(self, Self::Accepted(_))
    }
}

/// A transaction at work and what it will have changed.
struct Write<'c> {
    transaction: Transaction<'c>,
    advance: Advance,
}

impl Write<'_> {
    fn execute(&self, sql: &str) -> SqlResult<usize> {
        self.transaction.execute(sql, [])
    }

    fn number(&self, sql: &str) -> SqlResult<u64> {
        self.transaction.query_row(sql, [], |row| row.get(0))
    }

    fn publish(&mut self, order: u64, event: EventKind, cents: u64) -> SqlResult<()> {
        let seq = self.number("SELECT ifnull(max(seq), 0) + 1 FROM outbox")?;
        let kind = event as i64;
        self.execute(&format!("INSERT INTO outbox VALUES ({seq}, {order}, {kind}, {cents})"))?;
        self.advance.events.push(Event { seq, order, kind: event, amount: Money::from_cents(cents) });
        Ok(())
    }
}

fn known_key(write: &Write<'_>, order: &Order) -> SqlResult<Option<Placement>> {
    let key = blob(order.key.as_bytes());
    let sql = format!(
        "SELECT body_hash, status, response FROM orders \
         WHERE id = (SELECT order_id FROM idempotency WHERE key = {key})"
    );
    let known = write.transaction.query_row(&sql, [], |row| {
        let hash: Vec<u8> = row.get(0)?;
        let body: Vec<u8> = row.get(2)?;
        Ok((hash, Stored { status: row.get(1)?, body: body.into() }))
    });
    Ok(known.optional()?.map(|(hash, stored)| Placement::for_known_key(order, &hash, stored)))
}

fn take_stock(write: &Write<'_>, line: &Line) -> SqlResult<bool> {
    let Line { product, quantity, .. } = line;
    let taken = write.execute(&format!(
        "UPDATE stock SET available = available - {quantity} \
         WHERE product = {product} AND available >= {quantity}"
    ))?;
    Ok(taken == 1)
}

fn insert_order(write: &mut Write<'_>, order: &Order) -> SqlResult<Stored> {
    let id = write.number("SELECT ifnull(max(id), 0) + 1 FROM orders")?;
    let stored = Stored::accepted(id, order.total);
    let (key, hash) = (blob(order.key.as_bytes()), blob(order.body_hash.as_bytes()));
    let (status, response) = (stored.status, blob(&stored.body));
    let customer = text(&String::from_utf8_lossy(order.customer.as_bytes()));
    let (cents, document) = (order.total.cents(), blob(&order.document));
    let mut lines = String::new();
    lines::write(&order.lines, &mut lines);
    write.execute(&format!(
        "INSERT INTO orders VALUES \
         ({id}, {key}, {hash}, {status}, {response}, {customer}, {cents}, '{lines}', {document})"
    ))?;
    write.execute(&format!("INSERT INTO idempotency VALUES ({key}, {id})"))?;
    write.publish(id, EventKind::Accepted, cents)?;
    write.advance.accepted += 1;
    Ok(stored)
}

fn settle(write: &mut Write<'_>, settlement: &Settlement) -> SqlResult<Settled> {
    let Settlement { order, amount, outcome } = settlement;
    let cents = amount.cents();
    let (receipt, declined) = match outcome {
        Outcome::Charged { receipt } => (text(receipt), "NULL".to_owned()),
        Outcome::Declined { reason } => ("NULL".to_owned(), text(reason)),
    };
    let new =
        write.execute(&format!("INSERT OR IGNORE INTO payments VALUES ({order}, {cents}, {receipt}, {declined})"))?;
    let settled = match (new, outcome) {
        (0, _) => return Ok(Settled::default()),
        (_, Outcome::Charged { .. }) => {
            write.publish(*order, EventKind::Paid, cents)?;
            Settled { paid: 1, cancelled: 0 }
        }
        (_, Outcome::Declined { .. }) => {
            release_stock(write, *order)?;
            write.publish(*order, EventKind::Cancelled, cents)?;
            Settled { paid: 0, cancelled: 1 }
        }
    };
    write.advance.settled = settled;
    Ok(settled)
}

fn release_stock(write: &Write<'_>, order: u64) -> SqlResult<usize> {
    let lines = format!("FROM order_lines WHERE order_id = {order}");
    write.execute(&format!(
        "UPDATE stock SET available = available + \
         (SELECT sum(quantity) {lines} AND product = stock.product) \
         WHERE product IN (SELECT product {lines})"
    ))
}

fn effect(consumer: Consumer, seq: u64, order: u64, kind: EventKind) -> String {
    match consumer {
        Consumer::Delivery => format!("INSERT OR IGNORE INTO deliveries VALUES ({order}, {seq})"),
        Consumer::Notification => {
            format!("INSERT OR IGNORE INTO notifications VALUES ({seq}, {order}, {})", kind as i64)
        }
    }
}

/// A text as SQL writes it: in quotes, a quote inside doubled.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Bytes as SQL writes them: hexadecimal, so nothing in them can end the literal.
fn blob(bytes: &[u8]) -> String {
    let mut literal = String::from("X'");
    for byte in bytes {
        let _ = write!(literal, "{byte:02x}"); // Writing to a string cannot fail.
    }
    literal.push('\'');
    literal
}
