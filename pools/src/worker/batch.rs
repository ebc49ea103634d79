//! Many jobs submitted together, answered together and in order.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    WorkerPool, ambient,
    entry::{Entry, NEVER, Tag},
    submit::SubmitError,
    ticket::{JobError, Ticket},
};

/// The results of a batch, in the order of its jobs: `Future<Output = Vec<Result<T, JobError>>>`.
///
/// Dropping it lets the jobs go on unobserved. Cost: one allocation per job for its ticket and two for the batch.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let pool = tidemill_pools::WorkerPool::builder().build(|n: u64| async move { n * n }).unwrap();
/// let squares = pool.submit_batch([1, 2, 3]).await.unwrap().await;
/// assert_eq!(squares.into_iter().map(Result::unwrap).sum::<u64>(), 14);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "awaiting the batch gives the results"]
pub struct Batch<T> {
    tickets: std::vec::IntoIter<Ticket<T>>,
    current: Option<Ticket<T>>,
    results: Vec<Result<T, JobError>>,
}

impl<T> Batch<T> {
    pub(super) fn new(tickets: Vec<Ticket<T>>) -> Self {
        let results = Vec::with_capacity(tickets.len());
        let mut tickets = tickets.into_iter();
        Self { current: tickets.next(), tickets, results }
    }

    /// The tickets not yet awaited, one per job and in order, for those who want each result as it comes.
    pub fn into_tickets(self) -> impl Iterator<Item = Ticket<T>> {
        self.current.into_iter().chain(self.tickets)
    }
}

/// Results are stored by value and never pinned.
impl<T> Unpin for Batch<T> {}

impl<T> Future for Batch<T> {
    type Output = Vec<Result<T, JobError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(ticket) = &mut this.current {
            let result = ready!(Pin::new(ticket).poll(cx));
            this.results.push(result);
            this.current = this.tickets.next();
        }
        Poll::Ready(std::mem::take(&mut this.results))
    }
}

/// A batch of which some jobs were refused.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_pools::{BatchError, Overflow, WorkerPool};
///
/// let pool = WorkerPool::builder().queue(2).overflow(Overflow::Reject).build(|n: u64| async move { n * n })?;
/// pool.pause(); // so that nothing leaves the queue
/// let BatchError { refused, accepted } = pool.submit_batch([1, 2, 3]).await.unwrap_err();
/// assert_eq!(refused.into_job(), [3]); // to be tried again
/// pool.resume();
/// let squares: Result<Vec<u64>, _> = accepted.await.into_iter().collect(); // the others run
/// assert_eq!(squares?, [1, 4]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct BatchError<J, T> {
    /// The jobs from the first refused one on, and why.
    pub refused: SubmitError<Vec<J>>,
    /// The results of those before.
    pub accepted: Batch<T>,
}

impl<J, T> fmt::Display for BatchError<J, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a batch was not queued to its end: {}", self.refused)
    }
}

impl<J: fmt::Debug, T: fmt::Debug> Error for BatchError<J, T> {}

/// See [`WorkerPool::submit_batch`].
pub(super) async fn submit<J: Send + 'static, T: Send + 'static>(
    pool: &WorkerPool<J, T>,
    jobs: impl IntoIterator<Item = J>,
) -> Result<Batch<T>, BatchError<J, T>> {
    let shared = &pool.shared;
    let refused = |refusal| BatchError { refused: shared.refuse(refusal), accepted: Batch::new(Vec::new()) };
    let Some(start_by) = shared.start_by(None) else {
        return Err(refused(SubmitError::Expired(jobs.into_iter().collect())));
    };
    let context = match ambient::to_take_along() {
        Ok(context) => context,
        Err(cause) => return Err(refused(SubmitError::Interrupted(jobs.into_iter().collect(), cause))),
    };
    let terms = start_by != NEVER || context.is_some();
    let tag = || terms.then(|| Box::new(Tag { start_by, context: context.clone(), ..Tag::default() }));
    let (mut entries, mut tickets): (Vec<_>, Vec<_>) = jobs
        .into_iter()
        .map(|job| {
            let (answer, ticket) = Ticket::new(shared.id);
            (Entry::new(job, Some(answer), tag()), ticket)
        })
        .unzip();
    let mut rest = entries.drain(..);
    let mut queued = 0;
    loop {
        shared.enter_many(&mut rest, |number| {
            tickets[queued].number(number);
            queued += 1;
        });
        let Some(entry) = rest.next() else { break };
        match pool.enter(entry).await {
            Ok(number) => tickets[queued].number(number),
            Err(refusal) => {
                tickets.truncate(queued);
                let refused = refusal.map(|job| std::iter::once(job).chain(rest.map(|entry| entry.job)).collect());
                return Err(BatchError { refused, accepted: Batch::new(tickets) });
            }
        }
        queued += 1;
    }
    Ok(Batch::new(tickets))
}
