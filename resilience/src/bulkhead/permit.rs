//! Permits: taken as long as they live.

use std::{fmt, sync::Arc};

use super::Bulkhead;
use crate::{Clock, TokioClock};

/// The right to run, given back when it is dropped. Borrows its bulkhead.
///
/// # Examples
/// ```
/// use tidemill_resilience::Bulkhead;
///
/// let bulkhead = Bulkhead::builder(10).build()?;
/// let mut permit = bulkhead.try_acquire_many(8)?;
/// permit.give_back(5); // the large part of the work is done
/// assert_eq!((permit.permits(), bulkhead.stats().in_use), (3, 3));
/// drop(permit);
/// assert_eq!(bulkhead.stats().in_use, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped at once guards nothing"]
pub struct BulkheadPermit<'a, C: Clock = TokioClock> {
    bulkhead: &'a Bulkhead<C>,
    permits: u32,
}

impl<'a, C: Clock> BulkheadPermit<'a, C> {
    #[inline]
    pub(super) fn new(bulkhead: &'a Bulkhead<C>, permits: u32) -> Self {
        Self { bulkhead, permits }
    }

    /// How many permits it holds.
    #[must_use]
    pub fn permits(&self) -> u32 {
        self.permits
    }

    /// Gives `permits` of them (or all, if it holds no more) back now.
    pub fn give_back(&mut self, permits: u32) {
        let some = permits.min(self.permits);
        self.permits -= some;
        self.bulkhead.semaphore.give_back(some.into());
    }
}

impl<C: Clock> Drop for BulkheadPermit<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.bulkhead.semaphore.give_back(self.permits.into());
    }
}

impl<C: Clock> fmt::Debug for BulkheadPermit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadPermit").field("permits", &self.permits).finish_non_exhaustive()
    }
}

/// The right to run, given back when it is dropped. Holds its bulkhead in an `Arc`, so it can go to another task.
///
/// # Examples
/// ```
/// use std::{sync::Arc, thread};
/// use tidemill_resilience::Bulkhead;
///
/// let bulkhead = Arc::new(Bulkhead::builder(1).build()?);
/// let permit = bulkhead.try_acquire_owned()?;
/// assert!(bulkhead.try_acquire().is_err());
/// thread::spawn(move || drop(permit)).join().expect("it does not panic");
/// assert!(bulkhead.try_acquire().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped at once guards nothing"]
pub struct OwnedBulkheadPermit<C: Clock = TokioClock> {
    bulkhead: Arc<Bulkhead<C>>,
    permits: u32,
}

impl<C: Clock> OwnedBulkheadPermit<C> {
    pub(super) fn new(bulkhead: Arc<Bulkhead<C>>, permits: u32) -> Self {
        Self { bulkhead, permits }
    }

    /// How many permits it holds.
    #[must_use]
    pub fn permits(&self) -> u32 {
        self.permits
    }
}

impl<C: Clock> Drop for OwnedBulkheadPermit<C> {
    fn drop(&mut self) {
        self.bulkhead.semaphore.give_back(self.permits.into());
    }
}

impl<C: Clock> fmt::Debug for OwnedBulkheadPermit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedBulkheadPermit").field("permits", &self.permits).finish_non_exhaustive()
    }
}
