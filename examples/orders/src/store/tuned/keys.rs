//! The keys of the latest orders, in memory until they go into the index, and the order in which they go.
//!
//! A key can be anywhere in the index, so one inserted by itself writes a page of its own. Here some ten
//! thousand wait, sorted, and a sweep goes round and round over them like an elevator: every thousand orders it
//! moves as many into the index, all from one short stretch of it, which therefore lies on few pages.
//! Nothing is lost by waiting, for each order's row has its key and `marks.keys_below` says which orders
//! the index may lack. When a sweep has come round, that is none of those from before it began.
//!
//! Rejected: moving all of them at once when there are too many, which costs the same and holds up one
//! commit by tens of milliseconds.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

use crate::domain::IdempotencyKey;

/// Keys move when the excess is this part of the room. A transaction that splits a page of an index has SQLite walk
/// through its whole page cache at the end (4 % of the server's CPU time when every commit moved some).
const CHUNKS: usize = 32;

/// Keys that the index does not have, and whose they are.
#[derive(Debug)]
pub(super) struct RecentKeys {
    orders: BTreeMap<IdempotencyKey, u64>,
    /// The last key this sweep has moved.
    hand: Option<IdempotencyKey>,
    /// The order that was next when this sweep began: all before it are moved when the sweep ends.
    began_at: u64,
}

impl RecentKeys {
    /// None, where the index has all keys of the orders before `next_order`.
    pub(super) const fn new(next_order: u64) -> Self {
        Self { orders: BTreeMap::new(), hand: None, began_at: next_order }
    }

    /// The order of that key, if it is a recent one.
    pub(super) fn get(&self, key: &IdempotencyKey) -> Option<u64> {
        self.orders.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: IdempotencyKey, order: u64) {
        self.orders.insert(key, order);
    }

    /// Moves keys into the index until `room` are left, if a few more than that wait. If a sweep has come round by that, the
    /// first order that the index may lack.
    pub(super) fn sweep<E>(
        &mut self,
        room: usize,
        next_order: u64,
        mut index: impl FnMut(&IdempotencyKey, u64) -> Result<(), E>,
    ) -> Result<Option<u64>, E> {
        let mut came_round = None;
        let mut excess = self.orders.len().saturating_sub(room);
        if excess <= room / CHUNKS {
            return Ok(None);
        }
        while excess > 0 {
            let from = self.hand.take().map_or(Unbounded, Excluded);
            for (key, order) in self.orders.extract_if((from, Unbounded), |_, _| true).take(excess) {
                index(&key, order)?;
                excess -= 1;
                self.hand = Some(key);
            }
            if excess > 0 {
                self.hand = None;
                came_round = Some(self.began_at);
                self.began_at = next_order;
            }
        }
        Ok(came_round)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{collections::HashMap, convert::Infallible};

    fn key(n: u64) -> IdempotencyKey {
        n.to_string().parse().unwrap()
    }

    /// Keys come in any order; whatever the room and the size of the groups, each is in exactly one place, and
    /// the mark never passes an order whose key is not in the index.
    #[test]
    fn every_key_is_in_one_place_and_the_mark_tells_the_truth() {
        for (room, group) in [(0, 1), (1, 1), (10, 3), (10, 30), (100, 7)] {
            let mut dice = fastrand::Rng::with_seed(7);
            let (mut keys, mut index, mut below) = (RecentKeys::new(1), HashMap::new(), 1);
            let mut names: Vec<u64> = (0..1_000).collect();
            dice.shuffle(&mut names);
            for order in 1..=1_000_u64 {
                keys.insert(key(names[order as usize - 1]), order);
                if order % group != 0 {
                    continue;
                }
                let put = |key: &IdempotencyKey, order| {
                    assert_eq!(index.insert(key.clone(), order), None);
                    Ok::<_, Infallible>(())
                };
                let Ok(came_round) = keys.sweep(room, order + 1, put);
                assert!(keys.orders.len() <= room + room / CHUNKS);
                below = came_round.unwrap_or(below);
                for (order, &name) in (1..=order).zip(&names) {
                    let (recent, indexed) = (keys.get(&key(name)), index.get(&key(name)).copied());
                    assert_eq!((recent.or(indexed), recent.and(indexed)), (Some(order), None));
                    assert!(order >= below || indexed.is_some(), "{order} of {below}, room {room}");
                }
            }
            assert!(below + 2 * (room as u64 + group) >= 1_000 / 2, "{below}: the mark stands still");
        }
    }
}
