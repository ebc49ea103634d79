//! The scope: everything that children and others may do with a group; all but to wait for its end.

use std::{borrow::Cow, fmt, future::Future, sync::Arc};

use tidemill_context::{Cause, Context};
use tidemill_spawner::Spawner;

use super::{
    abort::{AbortHandle, Ask},
    child::{Child, Member, Tie},
    current,
    enter::{Enter, Entered},
    shared::{Outcome, Shared},
    start::{Ready, Start, StartError, Starting},
};
use crate::{
    SpawnError, TrySpawnError,
    state::{Counts, Entry, Seat, UNLIMITED},
};

/// A handle through which anybody, children included, spawns into a [`TaskGroup`](crate::TaskGroup) or cancels it.
///
/// A clone is the same group. It keeps nothing alive but itself: when the group is over, it refuses.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::pin::Pin;
/// use tidemill_groups::{Scope, TaskGroup};
///
/// type Walk = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>>;
///
/// /// Counts the leaves of a tree, each branch a child.
/// fn walk(depth: u32, scope: Scope<u32, &'static str>) -> Walk {
///     Box::pin(async move {
///         if depth == 0 {
///             return Ok(1);
///         }
///         for _ in 0..2 {
///             scope.spawn(walk(depth - 1, scope.clone())).await.map_err(|_| "refused")?;
///         }
///         Ok(0)
///     })
/// }
///
/// let group = TaskGroup::builder().limit(2).build().unwrap(); // full at once; nobody gets stuck
/// group.spawn(walk(5, group.scope())).await.unwrap();
/// assert_eq!(group.wait().await.unwrap().iter().sum::<u32>(), 32);
/// # }
/// ```
pub struct Scope<T, E> {
    pub(super) shared: Arc<Shared<T, E>>,
}

impl<T, E> Scope<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// Starts a child, as a task of its own. If the group has a limit and it is reached, waits for a slot, in order of
    /// arrival; else it is ready at once.
    ///
    /// A child that spawns into its own full group hands its slot to the new child, and then waits for a slot to go on: so a
    /// group whose children all spawn gets on, and the limit holds.
    ///
    /// *Cancel safe* in the sense that a dropped call leaves neither a child nor a claim on a slot; except that a child
    /// of the group that has handed over its slot has spawned, and goes on without a slot.
    ///
    /// # Errors
    /// [`SpawnError`]: the group is cancelled or over, or the *caller's* ambient context is cancelled while it waits. The
    /// future is dropped.
    ///
    /// # Cost
    /// The runtime's spawn, a compare-and-swap (with a limit, the group's lock), and the group's lock when the child ends; once
    /// more if its first poll is pending. No allocation beside the task's.
    pub async fn spawn<F>(&self, future: F) -> Result<(), SpawnError>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        match self.try_spawn(future) {
            Ok(()) => Ok(()),
            Err(TrySpawnError::Full(future)) => self.spawn_in_turn(future).await,
            Err(TrySpawnError::Refused(_, why)) => Err(why),
        }
    }

    /// Waits for a slot. Apart, so that what is ready at once is not moved about in it.
    async fn spawn_in_turn<F>(&self, future: F) -> Result<(), SpawnError>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let spawner = self.spawner()?;
        let Entered { seat, lent } = self.enter().await?;
        self.launch(&spawner, seat, future, None);
        if let Some(lent) = lent {
            lent.await;
        }
        Ok(())
    }

    /// As [`spawn`](Self::spawn), and gives a handle by which this one child can be ended.
    ///
    /// *Cancel safe* as `spawn` is; except that a child of the group that has handed over its slot leaves its new child
    /// without a handle.
    ///
    /// # Errors
    /// As `spawn`.
    ///
    /// # Cost
    /// As `spawn`, and an allocation and a turn of the group's lock.
    pub async fn spawn_abortable<F>(&self, future: F) -> Result<AbortHandle, SpawnError>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let spawner = self.spawner()?;
        let Entered { mut seat, lent } = self.enter().await?;
        self.shared.state.settle(&mut seat);
        let ask = Arc::new(Ask::default());
        self.launch(&spawner, seat, future, Some(ask.clone()));
        if let Some(lent) = lent {
            lent.await;
        }
        Ok(AbortHandle::new(ask, Arc::clone(&self.shared), seat))
    }

    /// Starts a child if a slot is free now and nobody has waited for it longer.
    ///
    /// # Errors
    /// [`TrySpawnError`] with the future, if all slots are taken or the group takes no more children.
    pub fn try_spawn<F>(&self, future: F) -> Result<(), TrySpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let spawner = match self.spawner() {
            Ok(spawner) => spawner,
            Err(why) => return Err(TrySpawnError::Refused(future, why)),
        };
        match self.shared.state.enter() {
            Entry::In(seat) => {
                self.launch(&spawner, seat, future, None);
                Ok(())
            }
            Entry::Full => Err(TrySpawnError::Full(future)),
            refused => Err(TrySpawnError::Refused(future, self.refusal(refused))),
        }
    }

    /// Starts a child and waits until it says that it is ready; gives what it says.
    ///
    /// What the child does before is the caller's business: if it fails, the caller gets the failure and the group goes on;
    /// if this call is dropped, the child is. From the moment it is ready it is a child as any.
    ///
    /// # Errors
    /// [`StartError`]: refused as by [`spawn`](Self::spawn), failed before it was ready, or ended without.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tidemill_groups::TaskGroup;
    /// use tokio::net::TcpListener;
    ///
    /// let group = TaskGroup::<(), std::io::Error>::new();
    /// let address = group.start(|ready| async move {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     if ready.set(listener.local_addr()?).is_err() {
    ///         return Ok(()); // nobody waits any more
    ///     }
    ///     loop {
    ///         listener.accept().await?;
    ///     }
    /// }).await?;
    /// tokio::net::TcpStream::connect(address).await?; // it listens for sure
    /// group.cancel("enough");
    /// # Ok(()) }
    /// ```
    pub async fn start<V, F>(&self, child: impl FnOnce(Ready<V>) -> F) -> Result<V, StartError<E>>
    where
        V: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let spawner = self.spawner()?;
        let start = Start::new();
        // Before it has a seat, as it may panic.
        let future = child(Ready::new(Arc::clone(&start)));
        let Entered { mut seat, lent } = self.enter().await?;
        self.shared.state.settle(&mut seat);
        let tie: Arc<dyn Tie<E>> = start.clone();
        let starting = Starting { start, group: Arc::clone(&self.shared), seat, over: false };
        self.launch(&spawner, seat, future, Some(tie));
        let news = obeying_the_caller(starting).await.map_err(|cause| self.caller(cause));
        if let Some(lent) = lent {
            lent.await;
        }
        news?
    }

    /// Waits for a slot, to be filled or left later.
    pub(super) async fn reserve(&self) -> Result<Reserved<'_, T, E>, SpawnError> {
        let spawner = self.spawner()?;
        let Entered { seat, lent } = self.enter().await?;
        let reserved = Reserved { scope: self, spawner, seat: Some(seat) };
        if let Some(lent) = lent {
            lent.await;
        }
        Ok(reserved)
    }

    /// Ends the group: children are dropped at their next `.await` that has to wait (see [`shield`](crate::shield)), no more
    /// are taken, and the group's context is cancelled. Who waits for the group gets the cause, unless a child failed
    /// before, or all have succeeded.
    pub fn cancel(&self, cause: impl Into<Cause>) {
        self.shared.cancel(cause.into());
    }

    /// Whether the group was cancelled, by a failure, a deadline or a call.
    pub fn is_cancelled(&self) -> bool {
        self.shared.state.is_cancelled()
    }

    /// The context of the group: ambient in all children, and cancelled with the group.
    pub fn context(&self) -> &Context {
        &self.shared.context
    }

    /// Changes how many children may run at the same time. A lower limit ends no child; it holds as they end.
    ///
    /// # Errors
    /// [`BuildError::NoSlots`](crate::BuildError::NoSlots) for 0.
    pub fn set_limit(&self, limit: usize) -> Result<(), crate::BuildError> {
        if limit == 0 {
            return Err(crate::BuildError::NoSlots);
        }
        self.shared.state.set_limit(limit);
        Ok(())
    }

    /// Counts, all of one moment. Cost: the group's lock.
    pub fn stats(&self) -> GroupStats {
        let Counts { running, waiting, spawned, unread, limit } = self.shared.state.counts();
        GroupStats { running, waiting, spawned, unread, limit: (limit != UNLIMITED).then_some(limit) }
    }

    /// That of the group; if it was made outside of every runtime, the one of this thread.
    fn spawner(&self) -> Result<Cow<'_, Spawner>, SpawnError> {
        match &self.shared.spawner {
            Some(spawner) => Ok(Cow::Borrowed(spawner)),
            None => Spawner::current().map(Cow::Owned).ok_or(SpawnError::NoRuntime),
        }
    }

    /// A seat, at once if there is one.
    async fn enter(&self) -> Result<Entered<'_, Outcome<T, E>>, SpawnError> {
        match self.shared.state.enter() {
            Entry::In(seat) => Ok(Entered { seat, lent: None }),
            Entry::Full => {
                let enter = Enter::new(&self.shared.state, self.as_child());
                match obeying_the_caller(enter).await {
                    Ok(entered) => entered.map_err(|refused| self.refusal(refused)),
                    Err(cause) => Err(self.caller(cause)),
                }
            }
            refused => Err(self.refusal(refused)),
        }
    }

    fn launch<F>(&self, spawner: &Spawner, seat: Seat, future: F, tie: Option<Arc<dyn Tie<E>>>)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let child = Child::new(future, Member::new(Arc::clone(&self.shared), seat, tie));
        // A child brings the group's context along; tidemill would wrap it in the spawner's as well.
        Context::without_current(|| spawner.spawn(child));
    }

    /// The number of the child of this group that runs this code, if one does.
    fn as_child(&self) -> Option<usize> {
        current::child_of(Arc::as_ptr(&self.shared).addr())
    }

    fn refusal(&self, entry: Entry) -> SpawnError {
        if entry == Entry::Closed { SpawnError::Closed } else { SpawnError::Cancelled(self.shared.cause()) }
    }

    /// A caller that is in the group's context was cancelled with the group.
    fn caller(&self, cause: Cause) -> SpawnError {
        if self.shared.state.is_cancelled() {
            SpawnError::Cancelled(self.shared.cause())
        } else {
            SpawnError::Caller(cause)
        }
    }
}

/// A slot that is held for a child to come. Dropped, it is free again.
pub(crate) struct Reserved<'a, T, E: fmt::Display> {
    scope: &'a Scope<T, E>,
    spawner: Cow<'a, Spawner>,
    seat: Option<Seat>,
}

impl<T, E> Reserved<'_, T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// Starts the child.
    pub(crate) fn spawn(mut self, future: impl Future<Output = Result<T, E>> + Send + 'static) {
        let seat = self.seat.take().expect("it is given away once");
        self.scope.launch(&self.spawner, seat, future, None);
    }
}

impl<T, E: fmt::Display> Drop for Reserved<'_, T, E> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.scope.shared.finish(seat, None);
        }
    }
}

/// Waits, but no longer than the caller's ambient context lets it.
async fn obeying_the_caller<F: Future>(future: F) -> Result<F::Output, Cause> {
    match Context::try_current() {
        Some(context) => context.run(future).await,
        None => Ok(future.await),
    }
}

impl<T, E> Clone for Scope<T, E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T, E> fmt::Debug for Scope<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("counts", &self.shared.state.counts()).finish_non_exhaustive()
    }
}

/// Counts of a group; from [`Scope::stats`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use tidemill_groups::TaskGroup;
///
/// let mut group = TaskGroup::<u32, String>::builder().limit(4).build().unwrap();
/// for number in 0..3 {
///     group.spawn(async move { Ok(number) }).await.unwrap();
/// }
/// assert_eq!((group.stats().running, group.stats().limit), (3, Some(4)));
/// group.idle().await;
/// let stats = group.stats();
/// assert_eq!((stats.running, stats.spawned, stats.unread), (0, 3, 3));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupStats {
    /// Children that have not ended.
    pub running: usize,
    /// Spawns that wait for a slot.
    pub waiting: usize,
    /// Children that were ever taken.
    pub spawned: usize,
    /// Outcomes that nobody has asked for yet.
    pub unread: usize,
    /// How many children may run at the same time, if there is a limit.
    pub limit: Option<usize>,
}
