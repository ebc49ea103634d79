//! Where orders become durable: one transaction for {order, stock, idempotency key, outbox}.
//!
//! **Naive** runs each write on the caller's thread, behind a lock, in a transaction and an `fsync` of
//! its own, with SQL put together as text. **Tuned** gives the connection to one writer thread, which
//! takes whatever has queued up into one transaction of prepared statements and answers everybody after
//! its commit (group commit): the `fsync` is paid once per group, and no lock is ever contended.
//!
//! The tuned form writes no more than the order's own row and its event: the tables of the stock and of the
//! keys are projections of those, brought up in bulk and at every opening (`schema`).
//!
//! Reads go through connections of their own ([`Reader`]) and never wait for the writer (WAL).
//!
//! Not taken: several writing connections (SQLite has one writer at a time, they would queue inside it
//! with worse manners), and savepoints per order (an order that cannot be taken is found out before its
//! first row is written, so there is nothing to roll back).

mod lines;
mod naive;
mod progress;
mod reader;
mod records;
mod schema;
mod tail;
mod tuned;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

pub use progress::{Progress, Settled};
pub use reader::{OrderView, Reader};
pub use records::{Consumer, Event, EventKind, Placement, Settlement, StoreError, Stored};

pub(crate) use schema::open_reader;

use crate::{Variant, catalogue::ProductRow, domain::Order};

/// The store in one of its forms.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    variant: Variant,
    progress: Arc<Progress>,
    path: PathBuf,
}

#[derive(Debug)]
enum Writer {
    Naive(naive::Writer),
    Tuned(tuned::Writer),
}

/// What a new store is filled with, and how far it may put off what it could do with every order.
#[derive(Clone, Copy, Debug)]
pub struct Shop<'a> {
    /// Its products.
    pub products: &'a [ProductRow],
    /// Pieces of each.
    pub stock: u64,
    /// Orders whose keys the index, and events whose stock the table may lack; see [`limits::LAG`].
    ///
    /// [`limits::LAG`]: crate::limits::LAG
    pub lag: usize,
}

/// Events a consumer has dealt with: their effects are to be recorded.
#[derive(Clone, Debug)]
pub struct Consumption {
    /// Who deals with them.
    pub consumer: Consumer,
    /// Those it acts on: all of the log between the first and the last of them.
    pub events: Vec<Event>,
    /// How far it has read, if it wants that recorded too.
    pub offset: Option<u64>,
}

impl Consumption {
    /// The events of `page` that concern `consumer`, and that all of `page` was read.
    #[must_use]
    pub fn of_page(consumer: Consumer, page: &[Event]) -> Self {
        let events = page.iter().filter(|event| consumer.acts_on(event.kind));
        let events = events.copied().collect();
        Self { consumer, events, offset: page.last().map(|event| event.seq) }
    }

    /// The first and the last event it acts on.
    fn range(&self) -> Option<(u64, u64)> {
        Some((self.events.first()?.seq, self.events.last()?.seq))
    }
}

impl Store {
    /// Opens the database, and makes it and fills the shop if it is new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(variant: Variant, path: &Path, shop: &Shop<'_>) -> Result<Self, StoreError> {
        let connection = schema::open(path, variant, shop)?;
        let progress = Arc::new(Progress::load(&connection)?);
        let writer = match variant {
            Variant::Naive => Writer::Naive(naive::Writer::new(connection, Arc::clone(&progress))),
            Variant::Tuned => Writer::Tuned(tuned::Writer::start(connection, shop.lag, Arc::clone(&progress))?),
        };
        Ok(Self { writer, variant, progress, path: path.to_owned() })
    }

    /// Takes an order, unless the `deadline` passes before its transaction begins. An `Ok` is durable. Dropped
    /// while waiting, the order may be taken or not.
    ///
    /// # Errors
    /// If the transaction failed; a repeat under the same key is safe.
    pub async fn place(&self, order: Order, deadline: Option<Instant>) -> Result<Placement, StoreError> {
        match &self.writer {
            Writer::Naive(writer) => writer.place(&order, deadline),
            Writer::Tuned(writer) => writer.place(order, deadline).await,
        }
    }

    /// Records outcomes of payments, and releases the stock of those declined. An order that is
    /// settled already stays as it is.
    ///
    /// # Errors
    /// If the transaction failed; nothing is recorded then.
    pub async fn settle(&self, settlements: Vec<Settlement>) -> Result<Settled, StoreError> {
        match &self.writer {
            Writer::Naive(writer) => writer.settle(&settlements),
            Writer::Tuned(writer) => writer.settle(settlements).await,
        }
    }

    /// Records the effects of events, each with its inbox row; an event in the inbox has no second
    /// effect. Returns how many were new.
    ///
    /// # Errors
    /// If the transaction failed; nothing is recorded then.
    pub async fn consume(&self, consumption: Consumption) -> Result<u64, StoreError> {
        match &self.writer {
            Writer::Naive(writer) => writer.consume(&consumption),
            Writer::Tuned(writer) => writer.consume(consumption).await,
        }
    }

    /// The events after `seq`, oldest first, at most `limit`: from memory if they are recent, else with
    /// `reader`, which blocks on the disk.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, reader: &Reader, seq: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        match self.recent(seq, limit) {
            Some(events) => Ok(events),
            None => tidemill::blocking(|| reader.events(seq, limit)),
        }
    }

    /// Of the events after `seq`, the acceptances that had no outcome of their payment when their follower,
    /// of which there must be only one, asks for them the first time; and how far in the log that reaches.
    ///
    /// What is recent was accepted in this run, and nobody can have settled it before it was handed out here.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unpaid(&self, reader: &Reader, seq: u64, limit: usize) -> Result<(Vec<Event>, u64), StoreError> {
        if let Some(mut events) = self.recent(seq, limit) {
            let reach = events.last().map_or(seq, |event| event.seq);
            events.retain(|event| event.kind == EventKind::Accepted);
            return Ok((events, reach));
        }
        // A page that is not full covers all that was committed before it was read.
        let head = self.progress.head();
        let page = tidemill::blocking(|| reader.unpaid(seq, limit))?;
        let last = page.last().map_or(0, |event| event.seq);
        let reach = if page.len() < limit { head.max(last) } else { last };
        Ok((page, reach))
    }

    /// The naive form reads everything from the table.
    fn recent(&self, seq: u64, limit: usize) -> Option<Vec<Event>> {
        if self.variant == Variant::Naive {
            return None;
        }
        self.progress.recent(seq, limit)
    }

    /// A connection of its own to read with.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// How far everybody is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}

#[cfg(test)]
mod tests;
