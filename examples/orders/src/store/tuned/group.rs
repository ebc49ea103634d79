//! The writer's loop: wait for a command, take everything that has queued up behind it into the same
//! transaction, commit once, answer everybody.
//!
//! Nobody waits for a group to fill. While one commit is on its way to the disk the next group queues
//! up by itself, so groups grow with the load and a lone order is committed at once.
//!
//! No command can fail alone in the middle of a group: what may be wrong with an order is found out
//! before its first row is written. An error of SQLite fails the whole group, whose answers all say so,
//! and what the writer had in its head is read back from the tables.

use std::time::Instant;

use rusqlite::Connection;

use super::{Command, Reply, book::Book, filter::KeyFilter, keys::RecentKeys, tables::Tables};
use crate::{
    crash::{self, Step},
    domain::{Money, Order, Reject},
    limits,
    store::{
        Consumption, Event, EventKind, Placement, Progress, Settled, Settlement, StoreError, Stored, progress::Advance,
        schema,
    },
};
use orders_payment::Outcome;

type SqlResult<T> = rusqlite::Result<T>;

/// Runs until every sender of commands is gone and the queue is empty.
pub(super) fn run(
    connection: &Connection,
    book: Book,
    filter: KeyFilter,
    lag: usize,
    progress: &Progress,
    queue: &flume::Receiver<Command>,
) {
    let tables = Tables::prepare(connection).expect("the tables were made by this very program");
    let keys = RecentKeys::new(book.next_order());
    let (advance, totals) = (Advance::default(), Vec::new());
    let mut writer = Group { connection, tables, book, keys, filter, lag, began: Instant::now(), advance, totals };
    let mut answers = Vec::with_capacity(limits::GROUP);
    while let Ok(first) = queue.recv() {
        match writer.commit(first, queue, &mut answers) {
            Ok(()) => {
                progress.advance(&writer.advance);
                answers.drain(..).for_each(Answer::send);
            }
            Err(error) => {
                let error = StoreError::from(error);
                answers.drain(..).for_each(|answer| answer.fail(&error));
                if writer.recover().is_err() {
                    // Without its book it must not write; callers are told that the store is closed.
                    return;
                }
            }
        }
    }
}

struct Group<'c> {
    connection: &'c Connection,
    tables: Tables<'c>,
    book: Book,
    keys: RecentKeys,
    filter: KeyFilter,
    lag: usize,
    began: Instant,
    advance: Advance,
    /// Of the orders that this group has accepted, which are the last ones.
    totals: Vec<Money>,
}

impl Group<'_> {
    fn commit(&mut self, first: Command, queue: &flume::Receiver<Command>, answers: &mut Vec<Answer>) -> SqlResult<()> {
        self.advance.clear();
        self.totals.clear();
        let began = self.tables.begin();
        // After the wait for the lock of another process.
        self.began = Instant::now();
        let mut weight = 0;
        let mut next = Some(first);
        let mut applied = began;
        while let Some(command) = next {
            weight += command.weight();
            // After an error the rest of the queue waits for the next group; this command fails.
            applied = self.apply(command, answers, applied);
            let more = applied.is_ok() && weight < limits::GROUP;
            next = if more { queue.try_recv().ok() } else { None };
        }
        applied?;
        self.publish_acceptances()?;
        self.project()?;
        self.advance.is_written();
        self.tables.commit()?;
        self.advance.is_committed();
        Ok(())
    }

    /// Writes what has come due of the projections.
    fn project(&mut self) -> SqlResult<()> {
        let Self { tables, book, keys, lag, .. } = self;
        let index = |key: &_, order| tables.insert_key(key, order);
        if let Some(order) = keys.sweep(*lag, book.next_order(), index)? {
            tables.mark_keys(order)?;
        }
        if book.unnoted() > *lag as u64 {
            for (product, available) in book.drain_touched() {
                tables.update_stock(product, available)?;
            }
            tables.mark_stock(book.note())?;
            crash::passing(Step::ProjectionsWritten);
        }
        Ok(())
    }

    /// Carries a command out, unless the group has failed already, and keeps its answer for later.
    fn apply(&mut self, command: Command, answers: &mut Vec<Answer>, so_far: SqlResult<()>) -> SqlResult<()> {
        match command {
            Command::Place(order, deadline, reply) => {
                let is_late = deadline.is_some_and(|deadline| deadline <= self.began);
                let late = || Ok(Placement::Rejected(Reject::late()));
                let outcome = so_far.and_then(|()| if is_late { late() } else { self.place(&order) });
                keep(outcome, reply, Answer::Place, answers)
            }
            Command::Settle(settlements, reply) => {
                let outcome = so_far.and_then(|()| self.settle(&settlements));
                keep(outcome, reply, Answer::Settle, answers)
            }
            Command::Consume(consumption, reply) => {
                let outcome = so_far.and_then(|()| self.consume(&consumption));
                keep(outcome, reply, Answer::Consume, answers)
            }
        }
    }

    fn place(&mut self, order: &Order) -> SqlResult<Placement> {
        if self.filter.may_know(&order.key)
            && let Some(known) = self.known_key(order)?
        {
            return Ok(known);
        }
        if let Err(number) = self.book.take_stock(&order.lines) {
            return Ok(Placement::out_of_stock(number));
        }
        let id = self.book.take_order();
        let answer = Stored::accepted(id, order.total);
        self.tables.insert_order(order, id, &answer)?;
        self.keys.insert(order.key.clone(), id);
        self.filter.add(&order.key);
        self.totals.push(order.total);
        self.advance.accepted += 1;
        Ok(Placement::Accepted(answer))
    }

    fn known_key(&mut self, order: &Order) -> SqlResult<Option<Placement>> {
        let known = match self.keys.get(&order.key) {
            Some(id) => Some(id),
            None => self.tables.select_key(&order.key)?,
        };
        let Some(id) = known else { return Ok(None) };
        let (hash, stored) = self.tables.select_answer(id)?;
        Ok(Some(Placement::for_known_key(order, &hash, stored)))
    }

    /// The events of all orders of this group, behind those of the payments that came with them.
    fn publish_acceptances(&mut self) -> SqlResult<()> {
        if self.totals.is_empty() {
            return Ok(());
        }
        let first = self.book.next_order() - self.totals.len() as u64;
        self.tables.insert_acceptances(first, self.book.next_seq())?;
        for (order, &amount) in (first..).zip(&self.totals) {
            let seq = self.book.take_seq();
            self.advance.events.push(Event { seq, order, kind: EventKind::Accepted, amount });
        }
        Ok(())
    }

    fn publish(&mut self, order: u64, kind: EventKind, amount: Money) -> SqlResult<()> {
        let event = Event { seq: self.book.take_seq(), order, kind, amount };
        self.advance.events.push(event);
        self.tables.insert_event(&event)
    }

    fn settle(&mut self, settlements: &[Settlement]) -> SqlResult<Settled> {
        let mut settled = Settled::default();
        for settlement in settlements {
            if !self.tables.insert_payment(settlement)? {
                continue;
            }
            let kind = match settlement.outcome {
                Outcome::Charged { .. } => {
                    settled.paid += 1;
                    EventKind::Paid
                }
                Outcome::Declined { .. } => {
                    settled.cancelled += 1;
                    self.release_stock(settlement.order)?;
                    EventKind::Cancelled
                }
            };
            self.publish(settlement.order, kind, settlement.amount)?;
        }
        self.advance.settled.paid += settled.paid;
        self.advance.settled.cancelled += settled.cancelled;
        Ok(settled)
    }

    fn release_stock(&mut self, order: u64) -> SqlResult<()> {
        for (product, quantity) in self.tables.select_lines(order)? {
            self.book.put_back(product, quantity);
        }
        Ok(())
    }

    fn consume(&mut self, consumption: &Consumption) -> SqlResult<u64> {
        let consumer = consumption.consumer;
        let new = match consumption.range() {
            Some((first, last)) => self.tables.insert_effects(consumer, first, last)?,
            None => 0,
        };
        self.advance.effects += new;
        if let Some(seq) = consumption.offset {
            self.tables.replace_offset(consumer, seq)?;
            self.advance.offsets[consumer.index()] = Some(seq);
        }
        Ok(new)
    }

    /// Back to what the tables say.
    fn recover(&mut self) -> SqlResult<()> {
        // Some errors have rolled the transaction back already, and then there is none to end.
        let _ = self.connection.execute_batch("ROLLBACK");
        let recovering = self.connection.unchecked_transaction()?;
        schema::catch_up(&recovering)?;
        recovering.commit()?;
        self.book = Book::load(self.connection)?;
        self.keys = RecentKeys::new(self.book.next_order());
        Ok(())
    }
}

/// An answer that waits for the commit.
enum Answer {
    Place(Reply<Placement>, Option<Placement>),
    Settle(Reply<Settled>, Option<Settled>),
    Consume(Reply<u64>, Option<u64>),
}

/// Puts the outcome of a command where its answer will be sent from.
fn keep<T>(
    outcome: SqlResult<T>,
    reply: Reply<T>,
    answer: fn(Reply<T>, Option<T>) -> Answer,
    answers: &mut Vec<Answer>,
) -> SqlResult<()> {
    let (value, result) = match outcome {
        Ok(value) => (Some(value), Ok(())),
        Err(error) => (None, Err(error)),
    };
    answers.push(answer(reply, value));
    result
}

impl Answer {
    fn send(self) {
        fn give<T>(reply: Reply<T>, value: Option<T>) {
            // Nobody waits for it any more, but it is durable all the same.
            let _ = reply.send(value.ok_or(StoreError::Closed));
        }
        match self {
            Self::Place(reply, value) => give(reply, value),
            Self::Settle(reply, value) => give(reply, value),
            Self::Consume(reply, value) => give(reply, value),
        }
    }

    fn fail(self, error: &StoreError) {
        let error = error.clone();
        // As above: who has gone needs no answer.
        match self {
            Self::Place(reply, _) => drop(reply.send(Err(error))),
            Self::Settle(reply, _) => drop(reply.send(Err(error))),
            Self::Consume(reply, _) => drop(reply.send(Err(error))),
        }
    }
}
