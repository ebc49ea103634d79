//! Lines for keys that somebody waits for: made by the first, gone with the last.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::{Refused, line::Line};

/// Shards of the map, so that waiters for different keys seldom meet.
const SHARDS: usize = 16;

#[derive(Debug)]
pub(super) struct Waits {
    shards: [Mutex<HashMap<u64, Arc<Line>>>; SHARDS],
    waiting: AtomicUsize,
    most: usize,
}

/// A waiter's share in the line of its key.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    waits: &'a Waits,
    hash: u64,
    line: Arc<Line>,
}

impl Waits {
    pub(super) fn new(most: usize) -> Self {
        Self { shards: Default::default(), waiting: AtomicUsize::new(0), most }
    }

    pub(super) fn len(&self) -> usize {
        // Relaxed, here and below: a caller that reads an old count came before those it does not see.
        self.waiting.load(Relaxed)
    }

    pub(super) fn anyone(&self) -> bool {
        self.len() > 0
    }

    pub(super) fn anyone_for(&self, hash: u64) -> bool {
        self.anyone() && self.shard(hash).get(&hash).is_some_and(|line| line.len() > 0)
    }

    pub(super) fn join(&self, hash: u64) -> Result<Queue<'_>, Refused> {
        let joined = self.waiting.try_update(Relaxed, Relaxed, |now| (now < self.most).then_some(now + 1));
        joined.map_err(|waiters| Refused::QueueFull { waiters })?;
        // The bound is that of all lines together.
        let line = Arc::clone(self.shard(hash).entry(hash).or_insert_with(|| Arc::new(Line::new(usize::MAX))));
        Ok(Queue { waits: self, hash, line })
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, HashMap<u64, Arc<Line>>> {
        // No foreign code runs under it.
        self.shards[hash as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue<'_> {
    pub(super) fn line(&self) -> &Line {
        &self.line
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        let mut shard = self.waits.shard(self.hash);
        // The map's and ours: others get theirs under this lock.
        if Arc::strong_count(&self.line) == 2 {
            shard.remove(&self.hash);
        }
        drop(shard);
        self.waits.waiting.fetch_sub(1, Relaxed);
    }
}
