//! A job on its way from the submitter to a worker, and what was asked for it.

use std::time::Duration;

use tidemill_context::Context;

use super::{
    lines::{NO_TENANT, PLAIN_LEVEL, Queued},
    reply::Reply,
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
pub(super) struct Tag {
    pub(super) priority: Priority,
    pub(super) tenant: (u64, u32),
    pub(super) run_within: Option<Duration>,
    /// When it was queued, for one job of some.
    pub(super) sampled: Nanos,
    /// The context it was submitted in, and is run in.
    pub(super) context: Option<Context>,
}

impl Default for Tag {
    fn default() -> Self {
        Self { priority: Priority::Normal, tenant: NO_TENANT, run_within: None, sampled: NEVER, context: None }
    }
}

/// What the submitter asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) start_within: Option<Duration>,
    pub(super) tag: Option<Box<Tag>>,
}

/// A job on its way.
#[derive(Debug)]
pub(super) struct Entry<J, T> {
    pub(super) job: J,
    /// What the result goes to, if anybody wants it.
    pub(super) reply: Option<Reply<T>>,
    /// Given as it is queued, ascending; 0 before.
    pub(super) number: u64,
    /// When it is too late to start.
    pub(super) start_by: Nanos,
    pub(super) tag: Option<Box<Tag>>,
}

impl<J, T> Entry<J, T> {
    pub(super) fn new(job: J, reply: Option<Reply<T>>, start_by: Nanos, tag: Option<Box<Tag>>) -> Self {
        Self { job, reply, number: 0, start_by, tag }
    }
}

impl<J, T> Queued for Entry<J, T> {
    fn number(&self) -> u64 {
        self.number
    }

    #[inline]
    fn is_plain(&self) -> bool {
        let plain = |tag: &Tag| tag.priority == Priority::Normal && tag.tenant == NO_TENANT;
        self.tag.is_none() || self.tag.as_deref().is_some_and(plain)
    }

    fn level(&self) -> usize {
        self.tag.as_ref().map_or(PLAIN_LEVEL, |tag| Priority::Urgent as usize - tag.priority as usize)
    }

    fn tenant(&self) -> (u64, u32) {
        self.tag.as_ref().map_or(NO_TENANT, |tag| tag.tenant)
    }
}
