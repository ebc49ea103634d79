//! A job on its way from the submitter to a worker, and what was asked for it.

use std::time::Duration;

use tidemill_context::Context;

use super::{
    group::Member,
    lines::{NO_TENANT, PLAIN_LEVEL, Queued},
    reply::{Answer, Reply},
};

/// A moment on the pool's clock, in nanoseconds; one word, as each job carries some.
pub(super) type Nanos = u64;

/// The moment that never comes, or that was not taken.
pub(super) const NEVER: Nanos = u64::MAX;

/// More than five hundred years are taken as never.
pub(super) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// How urgent a job is; see [`Submission::priority`](crate::Submission::priority).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_pools::{Priority, WorkerPool};
///
/// let (log, started) = std::sync::mpsc::channel();
/// let pool = WorkerPool::builder().workers(1).build_sync(move |job: &'static str| log.send(job).unwrap())?;
/// pool.pause(); // so that both are queued
/// pool.job("mail").priority(Priority::Low).execute().await?;
/// pool.job("page").priority(Priority::High).execute().await?;
/// pool.drain(Duration::from_secs(5)).await; // ends the pause
/// assert_eq!(started.try_iter().collect::<Vec<_>>(), ["page", "mail"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// May wait for all others.
    Low,
    /// What a job has of which nothing is said.
    #[default]
    Normal,
    /// Before the normal ones.
    High,
    /// Before all others.
    Urgent,
}

/// What was asked for one job beyond the pool's options. Most jobs have none, and pay one null pointer.
#[derive(Debug)]
pub(super) struct Tag<T> {
    /// When it is too late to start.
    pub(super) start_by: Nanos,
    pub(super) priority: Priority,
    pub(super) tenant: (u64, u32),
    pub(super) run_within: Option<Duration>,
    /// When it was queued, for one job of some.
    pub(super) sampled: Nanos,
    /// The context it was submitted in, and is run in.
    pub(super) context: Option<Context>,
    /// The group that the result goes to.
    pub(super) member: Option<Member<T>>,
}

impl<T> Default for Tag<T> {
    fn default() -> Self {
        Self {
            start_by: NEVER,
            priority: Priority::Normal,
            tenant: NO_TENANT,
            run_within: None,
            sampled: NEVER,
            context: None,
            member: None,
        }
    }
}

/// What the submitter asks for.
#[derive(Debug)]
pub(super) struct Asked<T> {
    pub(super) start_within: Option<Duration>,
    pub(super) tag: Option<Box<Tag<T>>>,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self { start_within: None, tag: None }
    }
}

/// A job on its way. Four words with a job of one, so that two share a cache line: where submitters and workers are on different
/// processors, moving these lines to and fro is what a job costs most.
#[derive(Debug)]
pub(super) struct Entry<J, T> {
    pub(super) job: J,
    /// The ticket that the result goes to, if there is one.
    pub(super) answer: Option<Answer<T>>,
    /// Given as it is queued, ascending; 0 before.
    pub(super) number: u64,
    pub(super) tag: Option<Box<Tag<T>>>,
}

impl<J, T> Entry<J, T> {
    #[inline]
    pub(super) fn new(job: J, answer: Option<Answer<T>>, tag: Option<Box<Tag<T>>>) -> Self {
        Self { job, answer, number: 0, tag }
    }

    /// When it is too late to start.
    #[inline]
    pub(super) fn start_by(&self) -> Nanos {
        self.tag.as_ref().map_or(NEVER, |tag| tag.start_by)
    }

    /// The job, and what its result goes to.
    pub(super) fn into_job_and_reply(mut self) -> (J, Option<Reply<T>>) {
        let reply = Reply::of(self.answer, self.tag.as_deref_mut());
        (self.job, reply)
    }
}

impl<J, T> Queued for Entry<J, T> {
    fn number(&self) -> u64 {
        self.number
    }

    #[inline]
    fn is_plain(&self) -> bool {
        let plain = |tag: &Tag<T>| tag.priority == Priority::Normal && tag.tenant == NO_TENANT;
        self.tag.is_none() || self.tag.as_deref().is_some_and(plain)
    }

    fn level(&self) -> usize {
        self.tag.as_ref().map_or(PLAIN_LEVEL, |tag| Priority::Urgent as usize - tag.priority as usize)
    }

    fn tenant(&self) -> (u64, u32) {
        self.tag.as_ref().map_or(NO_TENANT, |tag| tag.tenant)
    }
}
