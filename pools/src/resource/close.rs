//! Closing resources: in a task of their own, because it may take a round trip. A resource that is being closed keeps its
//! place under the maximum, as its server counts it, too, until it is gone.

use std::{convert::Infallible, sync::Arc};

use super::{entry::Entry, manager::Manager, shared::Shared, step::step};

/// Frees the place of a closed resource, also when the runtime drops the task that closes it.
struct Burial<M: Manager>(Arc<Shared<M>>);

impl<M: Manager> Drop for Burial<M> {
    fn drop(&mut self) {
        let todo = self.0.lock().buried();
        self.0.carry_out(todo);
    }
}

/// Closes a resource; `counted` if the pool counts it as being closed.
pub(super) fn bury<M: Manager>(shared: &Arc<Shared<M>>, entry: Box<Entry<M::Resource>>, counted: bool) {
    let burial = counted.then(|| Burial(Arc::clone(shared)));
    let closer = Arc::clone(shared);
    shared.spawn(async move {
        let _burial = burial; // dropped last
        let close = || async {
            closer.manager.close(entry.resource).await;
            Ok::<(), Infallible>(())
        };
        // Closed, given up on, or its manager panicked: it is gone in any case.
        let _ = step(&closer.rules, close).await;
    });
}
