//! Those who wait, strictly in order of arrival.
//!
//! A waiter is a ticket number. While it waits its ticket stands in the queue; when its tokens have been set aside for
//! it, the ticket is taken out. So *not in the queue* means *granted*, and a waiter that is dropped knows from the same
//! look-up what to give back: its place, or its tokens. An ordered map makes leaving from the middle cheap, and
//! leaves no tombstones that a slow head would let pile up.
//!
//! The one exception: a change to a smaller burst turns away those who ask for more than it, as no wait would do any
//! longer. Their tickets are kept aside until they look.
//!
//! Only the head needs a timer for its tokens; whoever changes the head or its time wakes it to set the timer anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::Waker,
};

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: BTreeMap<u64, Waiter>,
    issued: u64,
    /// Tokens asked for by all who wait.
    asked: u64,
    /// Tickets that were turned away and have not been told yet.
    turned_away: BTreeSet<u64>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    tokens: u64,
    /// Whom to wake; `None` until first polled, and after a wake-up until polled again.
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// The first in line: its ticket and what it asks for.
    pub(super) fn head(&self) -> Option<(u64, u64)> {
        self.waiters.first_key_value().map(|(&ticket, waiter)| (ticket, waiter.tokens))
    }

    /// Queues a waiter for `tokens` and returns its ticket.
    pub(super) fn join(&mut self, tokens: u64) -> u64 {
        let ticket = self.issued;
        self.issued += 1;
        self.asked = self.asked.saturating_add(tokens);
        self.waiters.insert(ticket, Waiter { tokens, waker: None });
        ticket
    }

    /// Takes `ticket` out. The waker inside is to be dropped after the lock is let go.
    pub(super) fn leave(&mut self, ticket: u64) -> Left {
        if self.turned_away.remove(&ticket) {
            return Left::TurnedAway;
        }
        let place = self.waiters.remove(&ticket).inspect(|waiter| self.asked -= waiter.tokens);
        place.map_or(Left::Granted, Left::Waiting)
    }

    /// Turns away all who ask for more than `most`, and returns whom to wake.
    pub(super) fn turn_away(&mut self, most: u64) -> Vec<Waker> {
        let out: Vec<_> = self.waiters.extract_if(.., |_, waiter| waiter.tokens > most).collect();
        let told = out.into_iter().filter_map(|(ticket, waiter)| {
            self.asked -= waiter.tokens;
            self.turned_away.insert(ticket);
            waiter.waker
        });
        told.collect()
    }

    /// Takes the head out, its tokens being set aside, and returns whom to wake.
    pub(super) fn grant_head(&mut self) -> Option<Waker> {
        let (_, waiter) = self.waiters.pop_first()?;
        self.asked -= waiter.tokens;
        waiter.waker
    }

    /// Whom to wake so that the head looks again.
    pub(super) fn rouse_head(&mut self) -> Option<Waker> {
        self.waiters.first_entry()?.get_mut().waker.take()
    }

    /// Remembers whom to wake for `ticket`, unless it was granted.
    pub(super) fn listen(&mut self, ticket: u64, waker: &Waker) -> Heard {
        let Some(waiter) = self.waiters.get_mut(&ticket) else {
            return if self.turned_away.contains(&ticket) { Heard::TurnedAway } else { Heard::Granted };
        };
        if waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return Heard::Waiting(None);
        }
        Heard::Waiting(waiter.waker.replace(waker.clone()))
    }
}

/// What became of a waiter that wants to be woken.
#[derive(Debug)]
pub(super) enum Heard {
    Granted,
    /// It asks for more than the burst has become.
    TurnedAway,
    /// It waits still. The waker it replaced, if any, is to be dropped after the lock is let go: that may end a task,
    /// and with it another waiter, which would want the lock.
    Waiting(Option<Waker>),
}

/// What a ticket stood for when it was given up.
#[derive(Debug)]
pub(super) enum Left {
    Granted,
    TurnedAway,
    /// A place. Its waker is to be dropped after the lock is let go.
    Waiting(#[expect(dead_code, reason = "kept to be dropped")] Waiter),
}
