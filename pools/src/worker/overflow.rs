//! What happens to a job that finds the queue full.

/// What a [`WorkerPool`](crate::WorkerPool) does with a job that finds its queue full.
///
/// | policy | `submit`, `execute`, `submit_blocking` | `try_submit`, `try_execute` | `submit_batch` |
/// |---|---|---|---|
/// | `Wait` | wait for a place | `Full` | waits, job by job |
/// | `Reject` | `Full`, at once | `Full` | the first jobs that fit; the others come back |
/// | `DropOldest` | displace | displace | displaces, also jobs of the same batch |
/// | `DropLowest` | displace, or `Full` | displace, or `Full` | as `submit`, until the first refusal |
/// | `CallerRuns` | run the job in place, then return | `Full` | runs in place what does not fit |
///
/// A displaced job's ticket resolves as [`JobError::Displaced`](crate::JobError::Displaced), and the job goes to the hook
/// of [`on_shed`](crate::WorkerBuilder::on_shed). Before any policy is asked, jobs whose time to start has passed make
/// room.
///
/// Cost: none before the queue is full. Displacing costs the look for the job: O(1), or O(tenants) once priorities or
/// tenants are in use.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{JobError, Overflow, WorkerPool};
///
/// let pool = WorkerPool::builder().queue(1).overflow(Overflow::DropOldest).build(|n: u32| async move { n })?;
/// pool.pause(); // so that nothing leaves the queue
/// let old = pool.submit(1).await?;
/// let new = pool.submit(2).await?; // takes the only place
/// pool.resume();
/// assert!(matches!(old.await, Err(JobError::Displaced)));
/// assert_eq!(new.await?, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The submitter waits for a place, in order of arrival, and holds no thread while it does.
    #[default]
    Wait,
    /// The job is refused at once.
    Reject,
    /// The job that was queued first gives way, whatever its priority: for data of which only the latest counts.
    DropOldest,
    /// A job of the lowest priority in the queue gives way, if that is below the newcomer's: of the tenant with most
    /// jobs there, the youngest. Else the newcomer is refused.
    DropLowest,
    /// The submitter does the work itself, and so sends nothing more meanwhile. Such jobs are not counted against the
    /// number of workers.
    CallerRuns,
}
