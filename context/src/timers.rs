//! Deadlines in order: a tree sorted by time, so that the first is found, and any other removed, in logarithmic time.
//!
//! A node is known weakly: most contexts are gone long before their deadline, and take their entry with them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Instant,
};

use crate::node::Node;

/// The number tells deadlines of the same time apart; it is above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) at: Instant,
    pub(crate) number: u64,
}

#[derive(Default)]
pub(crate) struct Timers {
    nodes: BTreeMap<Key, Weak<Node>>,
    entered: u64,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { nodes: BTreeMap::new(), entered: 0 }
    }

    pub(crate) fn enter(&mut self, at: Instant, node: &Arc<Node>) -> Key {
        self.entered += 1;
        let key = Key { at, number: self.entered };
        self.nodes.insert(key, Arc::downgrade(node));
        key
    }

    pub(crate) fn leave(&mut self, key: Key) {
        self.nodes.remove(&key);
    }

    pub(crate) fn first(&self) -> Option<Instant> {
        self.nodes.first_key_value().map(|(key, _)| key.at)
    }

    /// Takes out the first node, if its time has come at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Instant, Weak<Node>)> {
        let first = self.nodes.first_entry().filter(|first| first.key().at <= now)?;
        let (key, node) = first.remove_entry();
        Some((key.at, node))
    }
}
