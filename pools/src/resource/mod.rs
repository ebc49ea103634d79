//! The resource pool: connections and the like, which are dear to make, few, and break.
//!
//! One mutex guards one state machine (`core`) without clock, runtime or user code; everything else carries out what it says.
//! The way of a resource, with one file for each step:
//!
//! 1. a task of the pool makes it (`create`), never a caller; what is no longer needed is not made;
//! 2. it is given to the first who waits (`line`), or is idle until a caller takes it (`get`), proves it if that is due;
//! 3. its lease brings it back (`lease`); meanwhile a table knows who has it, since when and from where (`holders`);
//! 4. one background task watches over the idle ones (`sweep`); and a task of its own closes each (`close`).
//!
//! **Cost of a get and a return** with an idle resource that needs no proof, with every feature on:
//!
//! | | locks | clock reads | other read-modify-writes | allocations |
//! |---|---|---|---|---|
//! | get | 1 | 1 | 1, the lease's reference to the pool | 0 |
//! | return | 1 | 1 | 1, the same | 0 |
//!
//! A lock is two read-modify-writes, so six in all. (Here a clock read takes 30 ns, a lock 20, such a reference 17, so these
//! are two thirds of the time.) The leak report adds none while a resource is taken by the thread that had it last; a key
//! under a common bound adds one. No timer, and no lock is held across an await.
//!
//! **Two threads** send each other the cache lines that both write. What each get writes lies together (`core`), apart from what
//! it reads (`shared`), and the references are counted by groups of threads (`homes`): 1,700 ns per round of each of two
//! threads became 370. Rejected: trying the lock 50 times before a thread sleeps, which changed nothing.
//!
//! **Order.** A resource that comes free is handed to the first in line under the lock. A waiter that was woken competes with
//! nobody, and none can be forgotten: what it was given waits for it, or goes to the next when it gives up.
//!
//! Rejected: a semaphore for the places with a mutex for the idle ones (deadpool, mobc): two locks, and a permit in hand does
//! not say whether to take or to make, so every caller makes "its" connection. A notify and a retry loop (bb8): the woken
//! waiter competes with newcomers and is last in line again. Making in the caller's task: a cancelled caller cuts a
//! handshake short, and under a burst as many are made as there are callers (45 where HikariCP makes one).

mod builder;
mod close;
mod common;
mod core;
mod create;
mod entry;
mod error;
mod get;
mod holders;
mod homes;
mod keyed;
mod lease;
mod line;
mod manager;
mod members;
#[cfg(test)]
mod model;
#[cfg(test)]
mod model_keyed;
mod outcome;
mod shared;
mod stats;
mod step;
mod sweep;

use std::{
    fmt,
    future::{Future, poll_fn},
    panic::Location,
    pin::pin,
    task::Poll,
    time::Duration,
};

use self::{
    builder::check_sizes,
    create::Place,
    get::{Get, get_now},
    holders::Who,
    homes::Homes,
};
pub use self::{
    builder::{ResourceBuildError, ResourceBuilder, Validate},
    core::IdleOrder,
    error::{CreateError, GetError},
    holders::Holder,
    keyed::{KeyedResourceBuilder, KeyedResourcePool, KeyedResourceStats},
    lease::Lease,
    manager::Manager,
    stats::{CloseReason, ClosedCounts, ResourceStats, WaitTimes},
};

/// A pool of resources that a [`Manager`] makes.
///
/// Share it by reference or in an [`Arc`](std::sync::Arc). Dropping it closes it: idle resources are closed, those in use
/// when they come back. Times are tokio's unless it has another [`clock`](ResourceBuilder::clock): the runtime needs its time driver (any
/// Tidemill runtime has it).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_pools::{Manager, ResourcePool};
///
/// struct Numbers;
/// impl Manager for Numbers {
///     type Resource = u64;
///     type Error = std::convert::Infallible;
///     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } // a connection, say
/// }
///
/// let pool = ResourcePool::builder(Numbers).max(4).acquire_timeout(Duration::from_secs(5)).build()?;
/// let mut number = pool.get().await?; // waits in line if all are out
/// *number += 1;
/// drop(number); // returned
/// assert_eq!(*pool.get().await?, 8);
///
/// let drained = pool.drain(Duration::from_secs(5)).await;
/// assert!(drained.is_empty(), "still out: {drained:?}");
/// # Ok(()) }
/// ```
pub struct ResourcePool<M: Manager> {
    shared: Homes<M>,
}

impl<M: Manager> ResourcePool<M> {
    /// The options of a pool whose resources are made by `manager`.
    pub fn builder(manager: M) -> ResourceBuilder<M> {
        ResourceBuilder::new(manager)
    }

    /// A resource that works: an idle one, or the first that comes free or is made. Callers are served in order of arrival.
    /// One that has to wait obeys the ambient [`Context`](tidemill_context::Context): it ends when that is cancelled, and
    /// does not begin if it is.
    ///
    /// **Cancel safe**: a dropped call loses its place in line, and nothing else. Only a resource that it was just having
    /// validated is closed. A call that is kept but no longer polled keeps what it was given from everyone else.
    ///
    /// # Errors
    /// [`GetError::Timeout`] after the builder's `acquire_timeout`, with the reason if resources cannot be made;
    /// [`GetError::Cancelled`] with the context; [`GetError::TooManyWaiting`]; [`GetError::Closed`].
    ///
    /// # Panics
    /// If it has to wait, without tokio's time driver.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Lease<M>, GetError<M::Error>>> + Send {
        self.get_by(self.shared.rules.acquire_timeout, Location::caller())
    }

    /// As [`get`](Self::get), with a time-out of its own. Zero takes what is idle and needs no validation, and does not wait.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// # Panics
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn get_within(&self, timeout: Duration) -> impl Future<Output = Result<Lease<M>, GetError<M::Error>>> + Send {
        self.get_by(Some(timeout), Location::caller())
    }

    fn get_by(
        &self,
        patience: Option<Duration>,
        location: &'static Location<'static>,
    ) -> impl Future<Output = Result<Lease<M>, GetError<M::Error>>> + Send {
        Get::new(&self.shared, Who::new(location, self.shared.rules.detail), patience)
    }

    /// An idle resource, if there is one that works and needs no validation now.
    #[track_caller]
    pub fn try_get(&self) -> Option<Lease<M>> {
        get_now(&self.shared, &Who::new(Location::caller(), self.shared.rules.detail), self.shared.now())
    }

    /// Puts a resource that was made elsewhere into the pool, or hands it back if the pool is full or closed.
    ///
    /// # Errors
    /// The resource, if there is no place for it.
    pub fn add(&self, resource: M::Resource) -> Result<(), M::Resource> {
        let free = self.shared.lock().reserve();
        if !free {
            return Err(resource);
        }
        Place::new(self.shared.clone()).fill(resource);
        Ok(())
    }

    /// Sets how many resources there may be. If there are more, idle ones are closed now and others when they come back; if
    /// callers wait and there may be more, they are made.
    ///
    /// # Errors
    /// [`ResourceBuildError`] if it is 0, or below `min_idle`.
    pub fn set_max(&self, max: usize) -> Result<(), ResourceBuildError> {
        self.resize(|_, min_idle| (max, min_idle))
    }

    /// Sets how many idle resources the pool keeps ready.
    ///
    /// # Errors
    /// [`ResourceBuildError`] if it is above the maximum.
    pub fn set_min_idle(&self, min_idle: usize) -> Result<(), ResourceBuildError> {
        self.resize(|max, _| (max, min_idle))
    }

    fn resize(&self, change: impl FnOnce(usize, usize) -> (usize, usize)) -> Result<(), ResourceBuildError> {
        let (surplus, todo) = {
            let mut core = self.shared.lock();
            let (max, min_idle) = change(core.limits.max, core.limits.min_idle);
            check_sizes(max, min_idle)?;
            core.resize(max, min_idle)
        };
        surplus.into_iter().for_each(|placed| self.shared.settle(placed));
        self.shared.carry_out(todo);
        Ok(())
    }

    /// Parts with every resource there is: the idle ones are closed now, the others when they come back. For after a
    /// fail-over, or a change of password.
    pub fn evict(&self) {
        let (idle, todo) = self.shared.lock().evict();
        idle.into_iter().for_each(|placed| self.shared.settle(placed));
        self.shared.carry_out(todo);
    }

    /// Everybody who has a resource now, longest first. Cost: the lock, and a pass over the table of resources.
    pub fn holders(&self) -> Vec<Holder> {
        self.holders_over(Duration::ZERO)
    }

    /// Everybody who has had a resource for at least `held`, longest first.
    pub fn holders_over(&self, held: Duration) -> Vec<Holder> {
        let now = self.shared.now();
        self.shared.lock().holders.over(held, now)
    }

    /// Gives the resource with that number up for lost: its place is free for another one, and it is closed if its holder
    /// returns it after all. Until then one resource more than the maximum may exist. `false` if nobody holds it.
    pub fn forfeit(&self, id: u64) -> bool {
        let todo = self.shared.lock().forfeit(id);
        let found = todo.is_some();
        todo.into_iter().for_each(|todo| self.shared.carry_out(todo));
        found
    }

    /// Closes the pool: who waits and who comes is told [`GetError::Closed`], idle resources are closed now and the others
    /// when they come back.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Whether the pool is closed.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Closes the pool and waits until every resource is closed, at most for `patience`; see
    /// [`drain_until`](Self::drain_until).
    ///
    /// # Panics
    /// On tokio's clock, without its time driver.
    pub async fn drain(&self, patience: Duration) -> Vec<Holder> {
        self.drain_until(self.shared.rules.clock.sleep(patience)).await
    }

    /// Closes the pool, waits until every resource is closed or `deadline` is ready, and says who still has one.
    ///
    /// A dropped call has closed the pool; call it again to go on waiting.
    pub async fn drain_until(&self, deadline: impl Future<Output = ()>) -> Vec<Holder> {
        self.close();
        let (mut ended, mut deadline) = (pin!(self.ended()), pin!(deadline));
        poll_fn(|cx| match ended.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => deadline.as_mut().poll(cx),
        })
        .await;
        self.holders()
    }

    /// Waits until the closed pool has nothing left.
    async fn ended(&self) {
        let over = self.shared.over.notified();
        let is_over = self.shared.lock().is_over();
        if !is_over {
            over.await;
        }
    }

    /// What there is now, and what has happened so far. Cost: the lock.
    pub fn stats(&self) -> ResourceStats {
        self.shared.lock().stats()
    }

    /// The most resources there may be.
    pub fn max(&self) -> usize {
        self.shared.lock().limits.max
    }

    /// The manager that makes the resources.
    pub fn manager(&self) -> &M {
        &self.shared.manager
    }
}

impl<M: Manager> Drop for ResourcePool<M> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<M: Manager> fmt::Debug for ResourcePool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourcePool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
