//! The registry: every task that is not complete, so that the end of a runtime reaches those that nobody will wake.
//!
//! A table of pointers in shards, each with a list of its free places. A task goes to the next shard of a counter that
//! its spawner keeps, so that a spawner and a machine that completes stolen tasks rarely meet at one lock. Spawn and
//! completion each lock one shard: two uncontended read-modify-writes each.
//!
//! The registry owns one reference of each task it holds.
//!
//! Rejected: intrusive lists. Their links make each task 24 bytes longer, and unlinking one touches two neighbours,
//! which with many tasks are two cache misses.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use crate::limits::REGISTRY_SHARDS;
use crate::sync::{Mutex, lock};

use super::Task;
use super::header::{Header, release};

/// All live tasks of a runtime.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Box<[Shard]>,
}

/// Two shards never share a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Shard(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    tasks: Vec<Option<Entry>>,
    free: Vec<u32>,
    spawned: u64,
    closed: bool,
}

/// A counted reference.
#[derive(Debug)]
struct Entry(NonNull<Header>);

// SAFETY: tasks may be sent and shared; an entry is a counted reference to one.
unsafe impl Send for Entry {}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { shards: (0..REGISTRY_SHARDS).map(|_| Shard(Mutex::default())).collect() }
    }

    /// Takes the registry's reference of a new task. `false`: the registry is closed, the caller still has it.
    #[must_use]
    fn insert(&self, task: NonNull<Header>, hint: usize) -> bool {
        let shard = hint % REGISTRY_SHARDS;
        let mut table = lock(&self.shards[shard].0);
        if table.closed {
            return false;
        }
        let place = table.insert(Entry(task));
        // Relaxed: whoever reads it got the task through a queue, which orders it.
        // SAFETY: the registry's reference keeps the header alive.
        unsafe { task.as_ref() }.place.store(u64::from(place) << 32 | shard as u64, Ordering::Relaxed);
        true
    }

    /// Takes a complete task out. `true`: the registry's reference is now the caller's.
    pub(crate) fn remove(&self, task: &Header) -> bool {
        let place = task.place.load(Ordering::Relaxed);
        let shard = (place & u64::from(u32::MAX)) as usize;
        lock(&self.shards[shard].0).remove((place >> 32) as u32)
    }

    /// Ends every task that is here or comes later. Futures are dropped on this thread, but for those that are being
    /// polled: their pollers drop them.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            for Entry(task) in lock(&shard.0).close().into_iter().flatten() {
                // SAFETY: the registry's reference is ours now.
                unsafe { super::shut_down(task) };
                // SAFETY: as above; it is not used again.
                unsafe { release(task, 1) };
            }
        }
    }

    /// Tasks that are not complete.
    pub(crate) fn len(&self) -> usize {
        self.sum(|table| table.tasks.len() - table.free.len())
    }

    /// Tasks ever spawned.
    pub(crate) fn spawned(&self) -> u64 {
        self.sum(|table| table.spawned)
    }

    fn sum<N: std::iter::Sum>(&self, of: impl Fn(&Table) -> N) -> N {
        self.shards.iter().map(|shard| of(&lock(&shard.0))).sum()
    }
}

impl Table {
    fn insert(&mut self, entry: Entry) -> u32 {
        self.spawned += 1;
        let Some(place) = self.free.pop() else {
            self.tasks.push(Some(entry));
            return (self.tasks.len() - 1) as u32;
        };
        self.tasks[place as usize] = Some(entry);
        place
    }

    /// `false` after `close`, which took all entries.
    fn remove(&mut self, place: u32) -> bool {
        let there = self.tasks.get_mut(place as usize).and_then(Option::take).is_some();
        if there {
            self.free.push(place);
        }
        there
    }

    fn close(&mut self) -> Vec<Option<Entry>> {
        self.closed = true;
        self.free.clear();
        std::mem::take(&mut self.tasks)
    }
}

/// Binds a new task to `registry`, or ends it at once if the registry is closed.
pub(super) fn bind(registry: &Registry, task: NonNull<Header>, hint: usize) -> Option<Task> {
    if registry.insert(task, hint) {
        // SAFETY: the queue's reference of a new task.
        return Some(unsafe { Task::from_raw(task) });
    }
    // SAFETY: both the registry's and the queue's reference are still ours.
    unsafe { super::shut_down(task) };
    // SAFETY: as above.
    unsafe { release(task, 2) };
    None
}
