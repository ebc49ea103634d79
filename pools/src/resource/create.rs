//! Making resources: in tasks of their own, never in the caller's. A caller that gives up interrupts no handshake, and one
//! that is served otherwise leaves behind a resource for the next.
//!
//! A task holds one place under the maximum from its start until the resource is there. Before each attempt it asks
//! whether the resource is still needed. After a failure it pauses, each time twice as long, with jitter, so that the
//! pools of a hundred processes do not knock at a recovering server in step.

use std::{sync::Arc, time::Duration};

use super::{manager::Manager, shared::Shared, step::step};

/// A place kept for a resource in the making. Dropped with its task by an ending runtime, it gives the place back.
pub(super) struct Place<M: Manager> {
    shared: Arc<Shared<M>>,
    held: bool,
}

impl<M: Manager> Place<M> {
    pub(super) fn new(shared: Arc<Shared<M>>) -> Self {
        Self { shared, held: true }
    }

    pub(super) fn fill(mut self, resource: M::Resource) {
        self.held = false;
        let now = self.shared.now();
        let expires = self.shared.end_of_life(now);
        let placed = self.shared.lock().created(resource, expires, now);
        self.shared.settle(placed);
    }

    fn give_up(mut self) {
        self.held = false;
        let todo = self.shared.lock().give_up_creating();
        self.shared.carry_out(todo);
    }
}

impl<M: Manager> Drop for Place<M> {
    fn drop(&mut self) {
        if self.held {
            // No other attempt is started from here: this runtime runs nothing any more.
            let todo = self.shared.lock().lose_creating();
            self.shared.carry_out(todo);
        }
    }
}

/// Makes one resource, as long as it is needed.
pub(super) async fn make<M: Manager>(place: Place<M>) {
    let shared = Arc::clone(&place.shared);
    let (mut pause, longest) = shared.rules.backoff;
    while shared.lock().still_needed() {
        match step(&shared.rules, || shared.manager.create()).await {
            Ok(resource) => {
                shared.note_create_error(None);
                return place.fill(resource);
            }
            Err(error) => shared.note_create_error(Some(error)),
        }
        rest(&shared, pause).await;
        pause = pause.saturating_mul(2).min(longest);
    }
    place.give_up();
}

/// A pause of half of `pause` to all of it, cut short when the pool is closed.
async fn rest<M: Manager>(shared: &Shared<M>, pause: Duration) {
    let closing = shared.closing.notified();
    if !shared.lock().closed {
        // Either end of the pause leads to the same question: is it still needed?
        let _ = shared.rules.clock.timeout(pause.mul_f64(0.5 + shared.chance() / 2.0), closing).await;
    }
}
