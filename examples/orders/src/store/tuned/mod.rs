//! The handle of the writer thread: puts commands into its queue and waits for the commit.

mod book;
mod filter;
mod group;
mod keys;
mod tables;

use std::{io, sync::Arc, thread, time::Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Consumption, Placement, Progress, Settled, Settlement, StoreError};
use crate::{domain::Order, limits};

#[derive(Debug)]
pub(super) struct Writer {
    /// `None` only while dropping, which is how the thread learns that no more will come.
    commands: Option<flume::Sender<Command>>,
    thread: Option<thread::JoinHandle<()>>,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer can be asked to do. Each is answered after the commit that made it durable.
#[expect(clippy::large_enum_variant, reason = "nearly all are orders, and a box would be an allocation for each")]
enum Command {
    /// Not if the group begins after that moment.
    Place(Order, Option<Instant>, Reply<Placement>),
    Settle(Vec<Settlement>, Reply<Settled>),
    Consume(Consumption, Reply<u64>),
}

impl Command {
    /// How much of a group it fills.
    fn weight(&self) -> usize {
        match self {
            Self::Place(..) => 1,
            Self::Settle(settlements, _) => settlements.len(),
            Self::Consume(consumption, _) => consumption.events.len(),
        }
    }
}

impl Writer {
    /// The projections may lack the keys of `lag` orders, and the stock of as many events.
    pub(super) fn start(connection: Connection, lag: usize, progress: Arc<Progress>) -> Result<Self, StoreError> {
        let book = book::Book::load(&connection)?;
        let filter = filter::KeyFilter::load(&connection, book.next_order())?;
        let (commands, queue) = flume::bounded(limits::WRITER_QUEUE);
        let thread = thread::Builder::new()
            .name("orders-writer".to_owned())
            .spawn(move || group::run(&connection, book, filter, lag, &progress, &queue))
            .map_err(|error| no_thread(&error))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    pub(super) async fn place(&self, order: Order, deadline: Option<Instant>) -> Result<Placement, StoreError> {
        self.ask(|reply| Command::Place(order, deadline, reply)).await
    }

    pub(super) async fn settle(&self, all: Vec<Settlement>) -> Result<Settled, StoreError> {
        self.ask(|reply| Command::Settle(all, reply)).await
    }

    pub(super) async fn consume(&self, consumption: Consumption) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Consume(consumption, reply)).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(StoreError::Closed)?;
        commands.send_async(command(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    /// Waits until everything in the queue is durable.
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been told to everybody who waited for an answer.
            let _ = thread.join();
        }
    }
}

fn no_thread(error: &io::Error) -> StoreError {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOMEM);
    rusqlite::Error::SqliteFailure(code, Some(format!("no writer thread: {error}"))).into()
}
