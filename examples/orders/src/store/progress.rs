//! How far everybody is, as known in memory: what has been committed and nothing else.
//!
//! The head of the log is at the same time the wake-up for those who follow it. It is a hint: a stage
//! that misses one still finds the events, the latest in memory and all of them in the table.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use rusqlite::Connection;
use tokio::sync::watch;

use super::{Consumer, Event, tail::Tail};
use crate::crash::{self, Step};

/// How many orders a settlement brought to a new state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Paid now.
    pub paid: u64,
    /// Cancelled now.
    pub cancelled: u64,
}

/// The log's head, the consumers' offsets and the number of unpaid orders.
#[derive(Debug)]
pub struct Progress {
    head: watch::Sender<u64>,
    offsets: [AtomicU64; Consumer::ALL.len()],
    unpaid: AtomicU64,
    tail: Mutex<Tail>,
}

/// What one transaction changed; told after its commit.
#[derive(Debug, Default)]
pub(super) struct Advance {
    pub(super) accepted: u64,
    pub(super) settled: Settled,
    pub(super) offsets: [Option<u64>; Consumer::ALL.len()],
    /// In their order.
    pub(super) events: Vec<Event>,
    /// New effects of events.
    pub(super) effects: u64,
}

impl Advance {
    /// As new, with the room for events it had.
    pub(super) fn clear(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        *self = Self { events, ..Self::default() };
    }

    /// All of it is written, and not committed.
    pub(super) fn is_written(&self) {
        self.pass([Step::OrderWritten, Step::SettlementWritten, Step::EffectsWritten]);
    }

    /// All of it is committed, and nobody has been told.
    pub(super) fn is_committed(&self) {
        self.pass([Step::OrderCommitted, Step::SettlementCommitted, Step::EffectsCommitted]);
    }

    fn pass(&self, steps: [Step; 3]) {
        let done = [self.accepted, self.settled.paid + self.settled.cancelled, self.effects];
        steps.into_iter().zip(done).filter(|(_, done)| *done > 0).for_each(|(step, _)| crash::passing(step));
    }
}

impl Progress {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
        let head = number("SELECT ifnull(max(seq), 0) FROM outbox")?;
        let orders = number("SELECT count(*) FROM orders")?;
        let settled = number("SELECT count(*) FROM payments")?;
        let offset = |consumer: Consumer| {
            let number = consumer as i64;
            number_of(connection, "SELECT ifnull(max(seq), 0) FROM offsets WHERE consumer = ?", number)
        };
        Ok(Self {
            head: watch::Sender::new(head),
            offsets: [AtomicU64::new(offset(Consumer::Delivery)?), AtomicU64::new(offset(Consumer::Notification)?)],
            unpaid: AtomicU64::new(orders - settled),
            tail: Mutex::default(),
        })
    }

    /// The counts are statistics, and `drained` reads them only after the channel below has told it
    /// of the commit; hence relaxed.
    pub(super) fn advance(&self, by: &Advance) {
        self.unpaid.fetch_add(by.accepted, Ordering::Relaxed);
        self.unpaid.fetch_sub(by.settled.paid + by.settled.cancelled, Ordering::Relaxed);
        for (offset, to) in self.offsets.iter().zip(by.offsets) {
            if let Some(to) = to {
                offset.store(to, Ordering::Relaxed);
            }
        }
        if let Some(last) = by.events.last() {
            self.tail().push(&by.events);
            self.head.send_replace(last.seq);
        }
    }

    /// The events after `seq`, oldest first, at most `limit`; `None` if memory does not reach back so far.
    pub(super) fn recent(&self, seq: u64, limit: usize) -> Option<Vec<Event>> {
        self.tail().after(seq, limit)
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        // A panic can only come from a lack of memory, before anything has changed.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the head of the log.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// The last sequence number of the log.
    #[must_use]
    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// How far a consumer has got.
    #[must_use]
    pub fn offset(&self, consumer: Consumer) -> u64 {
        self.offsets[consumer.index()].load(Ordering::Relaxed)
    }

    /// Events that some consumer has not dealt with yet.
    #[must_use]
    pub fn outbox_depth(&self) -> u64 {
        let behind = Consumer::ALL.map(|consumer| self.offset(consumer)).into_iter().min();
        self.head().saturating_sub(behind.unwrap_or_default())
    }

    /// Accepted orders without an outcome of their payment.
    #[must_use]
    pub fn unpaid(&self) -> u64 {
        self.unpaid.load(Ordering::Relaxed)
    }

    /// Whether every order is settled and every event dealt with.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.unpaid() == 0 && self.outbox_depth() == 0
    }
}

fn number_of(connection: &Connection, sql: &str, of: i64) -> rusqlite::Result<u64> {
    connection.query_row(sql, [of], |row| row.get(0))
}
