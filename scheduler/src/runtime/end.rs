//! The end of a runtime, on a thread of its own: dropping its tasks runs destructors, which may do anything.
//!
//! A destructor that blocks for good must not hang whoever ends the runtime. So the tasks are dropped beside it, by a
//! thread that counts among those it waits for, up to its time-out. That thread is inside of the runtime, so that a
//! destructor may spawn (the task is cancelled at once) and use tokio.

use std::sync::Arc;
use std::time::Duration;

use super::{Handle, Shared};
use crate::sync::thread;
use crate::{blocking, current};

/// Ends the runtime of `handle`; returns when all its threads but the calling one have ended, or after `timeout`.
pub(super) fn end(handle: &Handle, timeout: Duration) {
    let shared = handle.shared();
    shared.stop();
    let name = format!("{}-end", shared.options.thread_name);
    let inside = handle.clone();
    shared.threads.started();
    let ended = Ended(Arc::clone(shared));
    let spawned = thread::Builder::new().name(name).spawn(move || {
        let _ended = ended;
        end_tasks(&inside);
    });
    if spawned.is_err() {
        // The system has no thread to give: then here.
        end_tasks(handle);
    }
    let own = current::machine(|local| local.is_some_and(|local| Arc::ptr_eq(local.shared(), shared)));
    // Inside of a task the others go on meanwhile; one of them may be what a thread of this runtime waits for.
    blocking(|| shared.threads.wait_until_at_most(usize::from(own), timeout));
}

fn end_tasks(handle: &Handle) {
    let shared = handle.shared();
    let _reactor = shared.reactor.enter();
    let _handle = current::enter(handle.clone());
    shared.end_tasks();
}

/// Reports the end of the thread, also if it unwinds or was never started.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.threads.ended();
    }
}
