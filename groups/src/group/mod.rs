//! The task group: children that run in parallel as tasks of their own, and an owner that gets them all back.
//!
//! One file for each step of a child's life:
//!
//! 1. `scope` takes a seat for it in the group's state (`crate::state`), or waits for a slot (`enter`), and spawns it;
//! 2. `child` polls it behind a wall, with the group's context, and cuts it if the group is cancelled, unless it is in a
//!    `shield`; `start` is the handshake of a child that says when it is ready, `abort` ends one child alone;
//! 3. its outcome goes to the state, and to the owner, who is in this file. A first failure cancels the rest (`shared`).
//!
//! **The owner is one.** It is no clone, so `wait` can consume it and its drop can cancel. Everybody else has a
//! [`Scope`].
//!
//! **No borrows of the parent's stack.** Children that run in parallel, borrow and may be forgotten cannot be had soundly
//! (tokio#1879, tokio#2596, glommio PR#335); what is shared goes in by `Arc` or by move.

mod abort;
mod builder;
mod child;
mod current;
mod enter;
mod scope;
mod shared;
mod shield;
mod start;

use std::{
    fmt,
    future::{Future, poll_fn},
    task::{self, Poll},
};

use tidemill_context::{Cause, Context};

pub use self::{
    abort::AbortHandle,
    builder::GroupBuilder,
    scope::{GroupStats, Scope},
    shield::{Shield, shield},
    start::{Ready, StartError},
};
use self::{scope::Reserved, shared::Outcome};
use crate::{Failure, GroupError, SpawnError, TrySpawnError};

/// A group of tasks that are waited for, fail and are cancelled together.
///
/// Children give `Result<T, E>`. The first that fails, by an error or a panic, cancels the others and is the *root* of the
/// error that [`wait`](Self::wait) gives. A child is cancelled by being dropped at an `.await`; everything that waits for
/// the group waits until that has happened and the destructors have run.
///
/// Dropping the group cancels it, without waiting.
///
/// The group has a [`Context`], a child of the one where it was made. It is ambient in the children; cancelling it, or
/// its parent, or reaching its deadline, cancels the group.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_groups::TaskGroup;
///
/// let group = TaskGroup::<_, std::num::ParseIntError>::new();
/// for text in ["1", "2", "3"] {
///     group.spawn(async move { text.parse::<u32>() }).await?;
/// }
/// assert_eq!(group.wait().await?, [1, 2, 3]); // in order of spawning
/// # Ok(()) }
/// ```
#[must_use = "dropping the group cancels it"]
pub struct TaskGroup<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    scope: Scope<T, E>,
}

impl<T, E> TaskGroup<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// A group without limit, in which the first failure cancels the rest, on the runtime of this thread. See
    /// [`GroupBuilder`] for what can be chosen.
    pub fn new() -> Self {
        Self::builder().build().expect("nothing is chosen that could be refused")
    }

    /// The options, to be ended by [`build`](GroupBuilder::build).
    pub fn builder() -> GroupBuilder<T, E> {
        GroupBuilder::new()
    }

    /// A handle through which others spawn into the group.
    pub fn scope(&self) -> Scope<T, E> {
        self.scope.clone()
    }

    /// Starts a child; waits for a slot if there is a limit. See [`Scope::spawn`].
    ///
    /// # Errors
    /// As [`Scope::spawn`]. The reason why a group takes no more is the business of [`wait`](Self::wait): a loop that spawns
    /// breaks here.
    pub fn spawn<F>(&self, future: F) -> impl Future<Output = Result<(), SpawnError>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.scope.spawn(future)
    }

    /// Starts a child that can be ended alone. See [`Scope::spawn_abortable`].
    ///
    /// # Errors
    /// As [`Scope::spawn`].
    pub async fn spawn_abortable<F>(&self, future: F) -> Result<AbortHandle, SpawnError>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.scope.spawn_abortable(future).await
    }

    /// Starts a child if a slot is free. See [`Scope::try_spawn`].
    ///
    /// # Errors
    /// As [`Scope::try_spawn`].
    pub fn try_spawn<F>(&self, future: F) -> Result<(), TrySpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.scope.try_spawn(future)
    }

    /// Starts a child and waits until it is ready. See [`Scope::start`].
    ///
    /// # Errors
    /// As [`Scope::start`].
    pub async fn start<V, F>(&self, child: impl FnOnce(Ready<V>) -> F) -> Result<V, StartError<E>>
    where
        V: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.scope.start(child).await
    }

    /// Cancels the group. See [`Scope::cancel`].
    pub fn cancel(&self, cause: impl Into<Cause>) {
        self.scope.cancel(cause);
    }

    /// Whether the group was cancelled, by a failure, a deadline or a call.
    pub fn is_cancelled(&self) -> bool {
        self.scope.is_cancelled()
    }

    /// The context of the group: ambient in all children, and cancelled with the group.
    pub fn context(&self) -> &Context {
        self.scope.context()
    }

    /// Counts, all of one moment. Cost: the group's lock.
    pub fn stats(&self) -> GroupStats {
        self.scope.stats()
    }

    /// The next outcome, in the order in which children end; `None` when no child is left. More may be spawned afterwards.
    ///
    /// After the first failure the outcomes of the children that it cancelled still come, each when its child is gone.
    /// *Cancel safe*: no outcome is lost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use tidemill_groups::TaskGroup;
    ///
    /// let mut group = TaskGroup::<u32, &str>::new();
    /// for number in [3, 1] {
    ///     let steps = async move { for _ in 0..number { tokio::task::yield_now().await; } Ok(number) };
    ///     group.spawn(steps).await.unwrap();
    /// }
    /// assert_eq!(group.next().await.unwrap().unwrap(), 1); // the shorter one
    /// assert_eq!(group.next().await.unwrap().unwrap(), 3);
    /// assert!(group.next().await.is_none());
    /// # }
    /// ```
    pub async fn next(&mut self) -> Option<Result<T, Failure<E>>> {
        self.next_numbered().await.map(|(_, outcome)| outcome)
    }

    /// As [`next`](Self::next), with the child's number in order of spawning, from 0.
    pub async fn next_numbered(&mut self) -> Option<(usize, Result<T, Failure<E>>)> {
        poll_fn(|cx| self.poll_next_numbered(cx)).await
    }

    pub(crate) fn poll_next_numbered(&mut self, cx: &task::Context<'_>) -> Poll<Option<(usize, Outcome<T, E>)>> {
        self.scope.shared.state.poll_next(cx.waker())
    }

    /// Waits until no child is left, and takes nothing. *Cancel safe*.
    pub async fn idle(&mut self) {
        poll_fn(|cx| self.poll_idle(cx)).await;
    }

    pub(crate) fn poll_idle(&mut self, cx: &task::Context<'_>) -> Poll<()> {
        self.scope.shared.state.poll_end(false, cx.waker())
    }

    /// Waits for a slot, to be filled or left later.
    pub(crate) async fn reserve(&self) -> Result<Reserved<'_, T, E>, SpawnError> {
        self.scope.reserve().await
    }

    /// Waits until every child has ended and its destructors have run, those that children spawned included; gives the values
    /// in order of spawning. Nobody spawns into the group afterwards.
    ///
    /// Dropping this future drops the group, and so cancels it.
    ///
    /// # Errors
    /// [`GroupError`] if a child failed, or was cut by a cancel, or was refused because of it. A child that was
    /// [aborted](AbortHandle) alone is left out, and no error. That the group was cancelled
    /// when all children had succeeded, or went on to, is none.
    ///
    /// # Panics
    /// Never: a child's panic is an error. [`GroupError::resume_panic`] goes on with it.
    pub async fn wait(self) -> Result<Vec<T>, GroupError<E>> {
        self.ended().await;
        let (done, root, refused) = self.scope.shared.state.take_done();
        collect(done.into(), root, refused, || self.scope.shared.cause())
    }

    /// As [`wait`](Self::wait), and gives every outcome, whatever it is, in order of spawning.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use tidemill_groups::TaskGroup;
    ///
    /// let group = TaskGroup::builder().supervise().build().unwrap();
    /// for number in 0..3 {
    ///     group.spawn(async move { if number == 1 { Err("one") } else { Ok(number) } }).await.unwrap();
    /// }
    /// let outcomes = group.outcomes().await;
    /// assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_ok());
    /// # }
    /// ```
    pub async fn outcomes(self) -> Vec<Result<T, Failure<E>>> {
        self.ended().await;
        let (done, ..) = self.scope.shared.state.take_done();
        let mut done: Vec<_> = done.into();
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Cancels the group, and waits until every child is gone.
    pub async fn shutdown(self) {
        self.cancel(Cause::Shutdown);
        self.ended().await;
    }

    /// Ready when no child is left, and none may come.
    async fn ended(&self) {
        poll_fn(|cx| self.scope.shared.state.poll_end(true, cx.waker())).await;
    }
}

/// Makes of all outcomes what `wait` gives. `refused`: not even all children were started. `cause`: why the group was
/// cancelled, if nobody in it is to blame.
fn collect<T, E>(
    mut done: Vec<(usize, Outcome<T, E>)>,
    root: Option<usize>,
    refused: bool,
    cause: impl FnOnce() -> Cause,
) -> Result<Vec<T>, GroupError<E>> {
    let all_well = |(_, outcome): &(usize, Outcome<T, E>)| matches!(outcome, Ok(_) | Err(Failure::Aborted));
    if !refused && done.iter().all(all_well) {
        done.sort_unstable_by_key(|(number, _)| *number);
        return Ok(done.into_iter().filter_map(|(_, outcome)| outcome.ok()).collect());
    }
    let (mut failures, mut cancelled) = (Vec::new(), 0);
    for (number, outcome) in done {
        match outcome {
            Ok(_) | Err(Failure::Aborted) => {}
            Err(Failure::Cancelled(_)) => cancelled += 1,
            Err(failure) => failures.push((number, failure)),
        }
    }
    let first = root.and_then(|root| failures.iter().position(|(number, _)| *number == root));
    let (root, child) = match first.map(|first| failures.remove(first)) {
        Some((number, failure)) => (failure, Some(number)),
        // Cancelled from outside; or the owner has taken the root before.
        None => (Failure::Cancelled(cause()), None),
    };
    Err(GroupError { root, child, others: failures, cancelled })
}

impl<T, E> Default for TaskGroup<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Cancels the group. Its children end soon; nobody waits for them.
impl<T, E> Drop for TaskGroup<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    fn drop(&mut self) {
        let shared = &self.scope.shared;
        if shared.state.close() {
            shared.cancel(Cause::Cancelled);
        }
    }
}

impl<T, E> fmt::Debug for TaskGroup<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
