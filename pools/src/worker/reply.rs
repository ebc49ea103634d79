//! Where the result of a job goes: to its ticket, or to the group it belongs to.

use std::sync::Arc;

use super::{entry::Tag, group::Member, shared::Shared, ticket::JobError};

/// The worker's end. Dropped without an answer, it resolves as [`JobError::Cancelled`].
#[derive(Debug)]
pub(super) enum Reply<T> {
    Ticket(Answer<T>),
    Member(Member<T>),
}

/// The worker's end of a ticket.
pub(super) type Answer<T> = oneshot::Sender<Result<T, JobError>>;

impl<T> Reply<T> {
    /// What a job on its way says about it.
    #[inline]
    pub(super) fn of(answer: Option<Answer<T>>, tag: Option<&mut Tag<T>>) -> Option<Self> {
        match answer {
            Some(answer) => Some(Self::Ticket(answer)),
            None => tag?.member.take().map(Self::Member),
        }
    }
}

impl<T: Send + 'static> Reply<T> {
    /// Answers; gives the result back if nobody waits for it any more. A group may cancel its other jobs on a failure.
    pub(super) fn answer<J: Send + 'static>(
        self,
        outcome: Result<T, JobError>,
        failed: bool,
        shared: &Arc<Shared<J, T>>,
    ) -> Option<Result<T, JobError>> {
        match self {
            Self::Ticket(sender) => sender.send(outcome).err().map(oneshot::SendError::into_inner),
            Self::Member(member) => {
                shared.cancel_members(&member.answer(outcome, failed));
                None
            }
        }
    }
}
