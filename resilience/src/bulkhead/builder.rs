//! The options of a bulkhead, checked once.

use std::time::Duration;

use super::{Bulkhead, InvalidBulkhead, semaphore::Semaphore};
use crate::{Clock, TokioClock};

/// Calls that may wait by default: generous, since one costs some 50 bytes here besides its own task, but bounded.
const MAX_WAITERS: usize = 65_536;

/// Options of a [`Bulkhead`]; made by [`Bulkhead::builder`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::{Bulkhead, BulkheadFull};
///
/// let waited = Duration::from_millis(50);
/// let bulkhead = Bulkhead::builder(1).max_waiters(100).max_wait(waited).build()?;
/// let _permit = bulkhead.acquire().await?;
/// assert_eq!(bulkhead.acquire().await.unwrap_err(), BulkheadFull::TimedOut { waited });
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder<C = TokioClock> {
    limit: u32,
    max_waiters: usize,
    max_wait: Option<Duration>,
    may_keep: bool,
    clock: C,
}

impl Builder {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, max_waiters: MAX_WAITERS, max_wait: None, may_keep: true, clock: TokioClock }
    }
}

impl<C> Builder<C> {
    /// How many calls may wait at once; the next is refused. Default 65,536. Zero: nobody waits.
    pub fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// How long a call waits at most. Default: as long as it takes.
    pub fn max_wait(mut self, max: Duration) -> Self {
        self.max_wait = Some(max);
        self
    }

    /// The clock to read and to sleep by, for `max_wait`. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        let Self { limit, max_waiters, max_wait, may_keep, .. } = self;
        Builder { limit, max_waiters, max_wait, may_keep, clock }
    }

    /// Threads keep no permits, so that [`in_use`](Bulkhead::in_use) is right.
    pub(crate) fn without_keeping(mut self) -> Self {
        self.may_keep = false;
        self
    }
}

impl<C: Clock> Builder<C> {
    /// The bulkhead, empty.
    ///
    /// # Errors
    /// [`InvalidBulkhead::NoLimit`] if the limit is zero.
    pub fn build(self) -> Result<Bulkhead<C>, InvalidBulkhead> {
        if self.limit == 0 {
            return Err(InvalidBulkhead::NoLimit);
        }
        let limit = self.limit.into();
        let semaphore = if self.may_keep { Semaphore::new(limit) } else { Semaphore::without_keeping(limit) };
        Ok(Bulkhead::new(semaphore, self.max_waiters, self.max_wait, self.clock))
    }
}
