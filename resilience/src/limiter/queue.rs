//! Those who wait, strictly in order of arrival.
//!
//! A waiter is a ticket number. While it waits its ticket stands in the queue; when its tokens have been set aside for
//! it, the ticket is taken out. So *not in the queue* means *granted*, and a waiter that is dropped knows from the same
//! look-up what to give back: its place, or its tokens. An ordered map makes leaving from the middle cheap, and
//! leaves no tombstones that a slow head would let pile up.
//!
//! Only the head needs a timer for its tokens; whoever changes the head or its time wakes it to set the timer anew.

use std::{collections::BTreeMap, task::Waker};

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: BTreeMap<u64, Waiter>,
    issued: u64,
    /// Tokens asked for by all who wait.
    asked: u64,
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

    /// Takes `ticket` out, unless it was granted already. The waker inside is to be dropped after the lock is let go.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        self.waiters.remove(&ticket).inspect(|waiter| self.asked -= waiter.tokens)
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
            return Heard::Granted;
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
    /// It waits still. The waker it replaced, if any, is to be dropped after the lock is let go: that may end a task,
    /// and with it another waiter, which would want the lock.
    Waiting(Option<Waker>),
}
