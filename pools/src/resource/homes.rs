//! The way home that a lease keeps: a counted reference to the pool, with a count for each of a few groups of threads.
//!
//! Two threads that count in one place send its cache line back and forth twice for each get and return.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::{manager::Manager, shared::Shared};
use crate::limits::HOMES;

/// On cache lines of its own: two, because processors fetch them in pairs. In an `Arc` its counts are apart as well.
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

/// What a lease holds.
pub(super) type Home<M> = Arc<Apart<Arc<Shared<M>>>>;

/// Owned by the pool's handle; a reference to what is shared, besides.
pub(super) struct Homes<M: Manager> {
    shared: Arc<Shared<M>>,
    of_thread: [Home<M>; HOMES],
}

/// The next thread's number. Relaxed: it orders nothing.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THIS_THREAD: usize = THREADS.fetch_add(1, Relaxed);
}

impl<M: Manager> Homes<M> {
    pub(super) fn new(shared: Arc<Shared<M>>) -> Self {
        let of_thread = std::array::from_fn(|_| Arc::new(Apart(Arc::clone(&shared))));
        Self { shared, of_thread }
    }

    /// This thread's.
    pub(super) fn mine(&self) -> Home<M> {
        Arc::clone(&self.of_thread[THIS_THREAD.with(|number| number % HOMES)])
    }
}

impl<M: Manager> Deref for Homes<M> {
    type Target = Arc<Shared<M>>;

    fn deref(&self) -> &Arc<Shared<M>> {
        &self.shared
    }
}
