//! Checked options of a group.

use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::{Duration, Instant},
};

use tidemill_context::Context;
use tidemill_spawner::Spawner;

use super::{
    TaskGroup,
    scope::Scope,
    shared::{OnFailure, Shared, Values},
};
use crate::{
    BuildError,
    state::{State, UNLIMITED},
};

/// Options of a [`TaskGroup`]; made by [`TaskGroup::builder`], ended by [`build`](Self::build).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_context::Cause;
/// use tidemill_groups::{BuildError, Failure, TaskGroup};
///
/// let group = TaskGroup::<(), &str>::builder().limit(8).timeout(Duration::from_millis(5)).build()?;
/// group.spawn(std::future::pending()).await?;
/// let error = group.wait().await.unwrap_err();
/// assert!(matches!(error.root(), Failure::Cancelled(Cause::DeadlineExceeded)));
///
/// assert_eq!(TaskGroup::<(), &str>::builder().limit(0).build().unwrap_err(), BuildError::NoSlots);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct GroupBuilder<T, E> {
    limit: usize,
    on_failure: OnFailure,
    values: Values,
    context: Option<Context>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    spawner: Option<Spawner>,
    children: PhantomData<fn() -> (T, E)>,
}

impl<T, E> GroupBuilder<T, E>
where
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    pub(super) fn new() -> Self {
        Self {
            limit: UNLIMITED,
            on_failure: OnFailure::CancelAll,
            values: Values::Keep,
            context: None,
            timeout: None,
            deadline: None,
            spawner: None,
            children: PhantomData,
        }
    }

    /// How many children may run at the same time. Default: no limit. 0 is refused by [`build`](Self::build).
    pub fn limit(mut self, children: usize) -> Self {
        self.limit = children;
        self
    }

    /// A child that fails leaves the others alone, and every failure is kept. Default: the first failure cancels the rest.
    pub fn supervise(mut self) -> Self {
        self.on_failure = OnFailure::GoOn;
        self
    }

    /// Values of children are dropped as they come, failures are kept: for a group that spawns without end and whose outcomes
    /// nobody reads. Default: they are kept until they are read.
    pub fn drop_values(mut self) -> Self {
        self.values = Values::Drop;
        self
    }

    /// The context that the group's own is a child of. Default: the ambient one where `build` is called, if there is one.
    pub fn context(mut self, parent: Context) -> Self {
        self.context = Some(parent);
        self
    }

    /// The group is cancelled when this time has passed since `build`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The group is cancelled at this time. With a [`timeout`](Self::timeout), or with a deadline of the ambient context, the
    /// earliest counts.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The runtime to spawn on. Default: the one this thread is inside of when `build` is called; outside of any, the one that
    /// each spawn finds.
    pub fn on(mut self, runtime: impl Into<Spawner>) -> Self {
        self.spawner = Some(runtime.into());
        self
    }

    /// The group.
    ///
    /// Cost: an allocation for the group, and those of a [context](Context::child) with a function that waits for its cancel.
    ///
    /// # Errors
    /// [`BuildError`] names the option at fault.
    pub fn build(self) -> Result<TaskGroup<T, E>, BuildError> {
        if self.limit == 0 {
            return Err(BuildError::NoSlots);
        }
        let shared = Arc::new(Shared {
            state: State::new(self.limit),
            context: self.own_context(),
            spawner: self.spawner.or_else(Spawner::current),
            on_failure: self.on_failure,
            values: self.values,
        });
        shared.obey_context();
        Ok(TaskGroup { scope: Scope { shared } })
    }

    /// One level below the parent, so that the group's cancel is not the parent's.
    fn own_context(&self) -> Context {
        match &self.context {
            Some(parent) => self.below(parent),
            None => Context::with_current(|ambient| match ambient {
                Some(parent) => self.below(parent),
                None => self.below(&Context::background()),
            }),
        }
    }

    fn below(&self, parent: &Context) -> Context {
        match (self.timeout, self.deadline) {
            (None, None) => parent.child(),
            (Some(timeout), None) => parent.with_timeout(timeout),
            (None, Some(deadline)) => parent.with_deadline(deadline),
            (Some(timeout), Some(deadline)) => parent.with_timeout(timeout).with_deadline(deadline),
        }
    }
}
