//! The slot before a machine's queue: the first task made ready since the slot was last empty.
//!
//! The owner alone fills it, and only when it is empty, so filling is a plain store. Anybody may take it, so taking is
//! a swap. Go and tokio put the *latest* task here and move the displaced one to the queue, which costs a swap per
//! push; with "first come" a burst stays in order, and a request and its answer still follow each other at once, for
//! the slot is empty when a poll begins.

use std::ptr::{self, NonNull};

use crate::sync::{AtomicPtr, Ordering, fill};
use crate::task::{Header, Task};

#[derive(Debug, Default)]
pub(crate) struct RunNext(AtomicPtr<Header>);

impl RunNext {
    /// Fills the slot, or gives the task back. By the owner only.
    pub(crate) fn put(&self, task: Task) -> Result<(), Task> {
        // Relaxed: only the owner stores a task, so it cannot be full unless the owner sees it.
        if !self.is_empty() {
            return Err(task);
        }
        // Pairs with the Acquire of `take`.
        fill(&self.0, task.into_raw().as_ptr());
        Ok(())
    }

    /// Empties the slot. By anybody.
    pub(crate) fn take(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        // Acquire: pairs with `put`.
        let task = NonNull::new(self.0.swap(ptr::null_mut(), Ordering::Acquire))?;
        // SAFETY: the pointer came from `into_raw`, and the swap gave it to us alone.
        Some(unsafe { Task::from_raw(task) })
    }

    /// A hint for all but the owner.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }
}

impl Drop for RunNext {
    fn drop(&mut self) {
        drop(self.take());
    }
}
