//! What slabs know of their runtime, and the slabs for tasks that are spawned from outside.

use std::future::Future;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::Shared;
use crate::current;
use crate::limits::OUTSIDE_SLABS;
use crate::machine::{Route, count};
use crate::sync::Mutex;
use crate::task::{self, Claimant, Claims, JoinHandle, Origin, Place, Schedule, Slab, Task};

/// A runtime, not counted: its slabs are a part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home(*const Shared);

// SAFETY: `Shared` is `Send` and `Sync`; the pointer is followed by those only who may (see `task/slab.rs`).
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

impl Home {
    /// `shared` is the pointer of an `Arc`, and outlives the slabs that this is for.
    pub(super) fn new(shared: *const Shared) -> Self {
        Self(shared)
    }

    /// Is `shared` this runtime?
    fn is(self, shared: &Shared) -> bool {
        ptr::eq(self.0, shared)
    }
}

impl Schedule for Home {
    type Route = Route;
    type Keep = Arc<Shared>;

    fn route(&self) -> Route {
        if current::machine(|local| local.is_some_and(|local| self.is(local.shared()))) {
            Route::Here
        } else {
            Route::Outside(self.keep())
        }
    }

    fn keep(&self) -> Arc<Shared> {
        // SAFETY: the pointer of an `Arc`; the slab that asks lives, and so does its runtime.
        unsafe { Arc::increment_strong_count(self.0) };
        // SAFETY: with the count of the line above.
        unsafe { Arc::from_raw(self.0) }
    }

    unsafe fn take_kept(&self) -> Arc<Shared> {
        // SAFETY: with the count that the caller knows of.
        unsafe { Arc::from_raw(self.0) }
    }

    fn wake_joiner(waker: &Waker) {
        current::machine(|local| match local {
            Some(local) => local.wake_joiner(waker),
            None => waker.wake_by_ref(),
        });
    }

    fn retire(slab: &Slab<Self>, place: Place) -> bool {
        current::machine(|local| {
            let local = local.expect("tasks complete on machines");
            let mine = slab.remove(place, local.claims_of(slab));
            if mine {
                count(&local.machine.counters.completed);
            }
            mine
        })
    }

    fn panicked() {
        current::machine(|local| local.map(|local| local.machine.watch.panicked()));
    }
}

/// The slabs for tasks spawned by threads that are no machines. A thread keeps to one, and locks it to spawn.
#[derive(Debug)]
pub(crate) struct Outside([(Slab<Home>, Mutex<Claims>); OUTSIDE_SLABS]);

impl Outside {
    pub(super) fn new(home: Home) -> Self {
        Self(std::array::from_fn(|_| {
            let (slab, claims) = Slab::new(home);
            (slab, Mutex::new(claims))
        }))
    }

    /// Makes a task; none to queue if the runtime has ended.
    pub(crate) fn spawn<F>(&self, future: F, origin: Origin) -> (Option<Task>, JoinHandle<F::Output>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (slab, claims) = &self.0[number_of_this_thread() % OUTSIDE_SLABS];
        task::spawn(future, slab, claims, origin)
    }

    pub(super) fn close(&self) {
        for (slab, claims) in &self.0 {
            // Under the lock: who has inserted before is drained, who comes later finds it closed.
            claims.with(|_| slab.close());
        }
    }

    pub(super) fn slabs(&self) -> impl Iterator<Item = &Slab<Home>> {
        self.0.iter().map(|(slab, _)| slab)
    }
}

/// A small number that a thread keeps for life. Under shuttle all threads have one, for the number is not replayed.
fn number_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.try_with(|number| *number).unwrap_or(0)
}
