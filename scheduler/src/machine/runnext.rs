//! The slot before a machine's queue: the first task made ready since the slot was last empty.
//!
//! The owner alone fills it, and only when it is empty, so filling is a plain store. Anybody may take it, so taking is
//! a swap. Go and tokio put the *latest* task here and move the displaced one to the queue, which costs a swap per
//! push; with "first come" a burst stays in order, and a request and its answer still follow each other at once, for
//! the slot is empty when a poll begins.

use std::ptr::{self, NonNull};

use super::queue::Item;
use crate::sync::{AtomicPtr, Ordering, fill};

#[derive(Debug)]
pub(crate) struct RunNext<I: Item>(AtomicPtr<I::Target>);

// SAFETY: items are handed from thread to thread, one at a time.
unsafe impl<I: Item + Send> Send for RunNext<I> {}
// SAFETY: as above.
unsafe impl<I: Item + Send> Sync for RunNext<I> {}

impl<I: Item> RunNext<I> {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Fills the slot, or gives the task back. By the owner only.
    pub(crate) fn put(&self, task: I) -> Result<(), I> {
        // Relaxed: only the owner stores a task, so it cannot be full unless the owner sees it.
        if !self.is_empty() {
            return Err(task);
        }
        // Pairs with the Acquire of `take`.
        fill(&self.0, task.into_raw().as_ptr());
        Ok(())
    }

    /// Empties the slot. By anybody.
    pub(crate) fn take(&self) -> Option<I> {
        if self.is_empty() {
            return None;
        }
        // Acquire: pairs with `put`.
        let task = NonNull::new(self.0.swap(ptr::null_mut(), Ordering::Acquire))?;
        // SAFETY: the pointer came from `into_raw`, and the swap gave it to us alone.
        Some(unsafe { I::from_raw(task) })
    }

    /// A hint for all but the owner.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }
}

impl<I: Item> Drop for RunNext<I> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
