//! A resource in use, and its way back.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{entry::Entry, homes::Home, manager::Manager, shared::Shared, stats::CloseReason};

/// A resource of a [`ResourcePool`](crate::ResourcePool) in use. Dropping it returns the resource, to the first caller
/// that waits for one if there is any.
///
/// It borrows nothing: keep it in a struct, across an `await`, send it to another task; it may outlive the pool, which then
/// closes it. Dropped by a panic, the resource is closed: nobody knows what it was in the middle of. Forgetting the lease
/// takes its place from the pool for good; [`ResourcePool::holders`](crate::ResourcePool::holders) tells who did it, and
/// [`ResourcePool::forfeit`](crate::ResourcePool::forfeit) gives the place back.
///
/// **Cost of a return**: one lock, one clock read, no allocation.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{Lease, Manager, ResourcePool};
///
/// struct Session { number: Lease<Numbers> } // borrows nothing
///
/// let pool = ResourcePool::builder(Numbers).build()?;
/// let mut session = Session { number: pool.get().await? };
/// *session.number += 1; // the resource itself
/// assert_eq!(session.number.uses(), 1);
/// drop(session); // returned
/// assert_eq!(pool.get().await?.detach(), 8); // the same one, now out of the pool for good
/// # Ok(()) }
/// ```
#[must_use = "dropping it returns the resource at once"]
pub struct Lease<M: Manager> {
    home: Home<M>,
    /// Present until the lease is dropped or detached.
    entry: Option<Box<Entry<M::Resource>>>,
    /// Why it is not to be kept.
    verdict: Option<CloseReason>,
    /// Whether its return shows that it works.
    used: bool,
}

const PRESENT: &str = "the resource is in the lease until the lease ends";

impl<M: Manager> Lease<M> {
    pub(super) fn new(home: Home<M>, entry: Box<Entry<M::Resource>>) -> Self {
        Self { home, entry: Some(entry), verdict: None, used: true }
    }

    /// Has the resource closed, not kept, when the lease is dropped.
    pub fn mark_broken(&mut self) {
        self.verdict = Some(CloseReason::Broken);
    }

    /// Takes the resource out of the pool for good; its place is free for another one.
    pub fn detach(mut self) -> M::Resource {
        let entry = self.entry.take().expect(PRESENT);
        let todo = self.shared().lock().detach(&entry);
        self.shared().carry_out(todo);
        entry.resource
    }

    /// The resource's number; the pool never gives it to another one.
    pub fn id(&self) -> u64 {
        self.entry().id
    }

    /// How long ago it was made. Cost: one clock read.
    pub fn age(&self) -> Duration {
        self.shared().now().duration_since(self.entry().born)
    }

    /// How often it was taken, this time included.
    pub fn uses(&self) -> u64 {
        self.entry().uses
    }

    fn shared(&self) -> &Arc<Shared<M>> {
        &self.home.0
    }

    pub(super) fn entry(&self) -> &Entry<M::Resource> {
        self.entry.as_ref().expect(PRESENT)
    }

    /// Why the resource cannot be given to anybody; user code.
    pub(super) fn flaw(&self, now: Instant) -> Option<CloseReason> {
        if self.entry().is_expired(now) {
            return Some(CloseReason::MaxLife);
        }
        self.shared().manager.is_broken(self).then_some(CloseReason::Broken)
    }

    /// What is returned unused has proven nothing.
    pub(super) fn set_used(&mut self, used: bool) {
        self.used = used;
    }

    pub(super) fn judge(&mut self, verdict: Option<CloseReason>) {
        self.verdict = verdict;
    }
}

impl<M: Manager> Deref for Lease<M> {
    type Target = M::Resource;

    fn deref(&self) -> &M::Resource {
        &self.entry().resource
    }
}

impl<M: Manager> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut M::Resource {
        &mut self.entry.as_mut().expect(PRESENT).resource
    }
}

impl<M: Manager> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.id()).field("uses", &self.uses()).finish_non_exhaustive()
    }
}

impl<M: Manager> Drop for Lease<M> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.shared().give_back(entry, self.used, self.verdict);
        }
    }
}
