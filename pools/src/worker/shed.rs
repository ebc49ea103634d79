//! Why a job that was queued is not going to start.

use tidemill_context::Cause;

use super::ticket::JobError;

/// Why a queued job was put aside before it started; for the hook of
/// [`on_shed`](crate::WorkerBuilder::on_shed).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Shed {
    /// It gave way to another: the queue was full.
    Displaced,
    /// The time within which it was to start had passed.
    Expired,
    /// Its group failed.
    Cancelled,
    /// The context it was submitted in was cancelled.
    Interrupted(Cause),
}

impl From<Shed> for JobError {
    fn from(why: Shed) -> Self {
        match why {
            Shed::Displaced => Self::Displaced,
            Shed::Expired => Self::Expired,
            Shed::Cancelled => Self::Cancelled,
            Shed::Interrupted(cause) => Self::Interrupted(cause),
        }
    }
}
