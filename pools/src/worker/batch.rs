//! Many jobs submitted together, answered together and in order.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::ticket::{JobError, Ticket};

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
