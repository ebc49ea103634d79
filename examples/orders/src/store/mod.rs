//! Where orders become durable: one transaction for {order, stock, idempotency key, outbox}.
//!
//! **Naive** runs each write on the caller's thread, behind a lock, in a transaction and an `fsync` of
//! its own, with SQL put together as text. **Tuned** gives the connection to one writer thread, which
//! takes whatever has queued up into one transaction of prepared statements and answers everybody after
//! its commit (group commit): the `fsync` is paid once per group, and no lock is ever contended.
//!
//! Reads go through connections of their own ([`Reader`]) and never wait for the writer (WAL).
//!
//! Not taken: several writing connections (SQLite has one writer at a time, they would queue inside it
//! with worse manners), and savepoints per order (an order that cannot be taken is found out before its
//! first row is written, so there is nothing to roll back).

mod naive;
mod progress;
mod reader;
mod records;
mod schema;
mod tuned;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
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
    progress: Arc<Progress>,
    path: PathBuf,
}

#[derive(Debug)]
enum Writer {
    Naive(naive::Writer),
    Tuned(tuned::Writer),
}

/// Events a consumer has dealt with: their effects are to be recorded.
#[derive(Clone, Debug)]
pub struct Consumption {
    /// Who deals with them.
    pub consumer: Consumer,
    /// Those it acts on.
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
}

impl Store {
    /// Opens the database, and makes it and fills the shop if it is new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(variant: Variant, path: &Path, shop: &[ProductRow], stock: u64) -> Result<Self, StoreError> {
        let connection = schema::open(path, shop, stock)?;
        let progress = Arc::new(Progress::load(&connection)?);
        let writer = match variant {
            Variant::Naive => Writer::Naive(naive::Writer::new(connection, Arc::clone(&progress))),
            Variant::Tuned => Writer::Tuned(tuned::Writer::start(connection, Arc::clone(&progress))?),
        };
        Ok(Self { writer, progress, path: path.to_owned() })
    }

    /// Takes an order. An `Ok` is durable. Dropped while waiting, the order may be taken or not.
    ///
    /// # Errors
    /// If the transaction failed; a repeat under the same key is safe.
    pub async fn place(&self, order: Order) -> Result<Placement, StoreError> {
        match &self.writer {
            Writer::Naive(writer) => writer.place(&order),
            Writer::Tuned(writer) => writer.place(order).await,
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
