//! The latest events of the log, in memory.
//!
//! Three stages follow the log, mostly a few milliseconds behind it. Read from the table that was three
//! queries for each event; from here it is a copy of 32 bytes. Who is further behind than this reaches,
//! after a start or a long time-out of the provider, reads the table.

use std::collections::VecDeque;

use super::Event;
use crate::limits;

/// Events without a gap between them, up to the head of the log.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<Event>);

impl Tail {
    /// Adds events that have been committed.
    pub(super) fn push(&mut self, events: &[Event]) {
        let follows = |first: &Event| self.0.back().is_none_or(|last| last.seq + 1 == first.seq);
        if !events.first().is_none_or(follows) {
            self.0.clear();
        }
        self.0.extend(events);
        let excess = self.0.len().saturating_sub(limits::TAIL);
        self.0.drain(..excess);
    }

    /// The events after `seq`, oldest first, at most `limit`; `None` if this does not reach back so far.
    pub(super) fn after(&self, seq: u64, limit: usize) -> Option<Vec<Event>> {
        let skipped = (seq + 1).checked_sub(self.0.front()?.seq)?;
        let skipped = usize::try_from(skipped).ok()?.min(self.0.len());
        Some(self.0.range(skipped..).take(limit).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Money, store::EventKind};

    fn events(seqs: std::ops::Range<u64>) -> Vec<Event> {
        seqs.map(|seq| Event { seq, order: seq, kind: EventKind::Accepted, amount: Money::ZERO }).collect()
    }

    #[test]
    fn it_reaches_back_so_far_and_no_further() {
        let mut tail = Tail::default();
        assert_eq!(tail.after(0, 10), None);
        tail.push(&events(5..8));
        tail.push(&[]);
        tail.push(&events(8..10));
        assert_eq!(tail.after(3, 10), None);
        assert_eq!(tail.after(4, 10), Some(events(5..10)));
        assert_eq!(tail.after(6, 2), Some(events(7..9)));
        assert_eq!(tail.after(9, 10), Some(vec![]));
        assert_eq!(tail.after(12, 10), Some(vec![]));
        tail.push(&events(20..22));
        assert_eq!((tail.after(9, 10), tail.after(19, 10)), (None, Some(events(20..22))));
    }

    #[test]
    fn it_forgets_the_oldest() {
        let (mut tail, more) = (Tail::default(), limits::TAIL as u64 + 10);
        tail.push(&events(1..more));
        assert_eq!(tail.after(8, 1), None);
        assert_eq!(tail.after(9, 1), Some(events(10..11)));
    }
}
