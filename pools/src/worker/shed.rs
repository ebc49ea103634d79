//! Why a job that was queued is not going to start.

use tidemill_context::Cause;

use super::ticket::JobError;

/// Why a queued job was put aside before it started; for the hook of
/// [`on_shed`](crate::WorkerBuilder::on_shed).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{Overflow, Shed, WorkerPool};
///
/// let (heap, shed) = std::sync::mpsc::channel();
/// let pool = WorkerPool::builder()
///     .queue(1)
///     .overflow(Overflow::DropOldest)
///     .on_shed(move |job, why| heap.send((job, why)).unwrap())
///     .build(|n: u32| async move { n })?;
/// pool.pause(); // so that nothing leaves the queue
/// pool.execute(1).await?;
/// pool.execute(2).await?; // takes the only place
/// assert_eq!(shed.try_recv()?, (1, Shed::Displaced));
/// # Ok(()) }
/// ```
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
