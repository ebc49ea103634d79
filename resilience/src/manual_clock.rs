//! A clock that moves only when told, for tests that take no real time and replay exactly.
//!
//! Sleepers wait in one ordered map keyed by (due time, arrival); moving the clock wakes those that came due, in
//! that order. The wakers run after the lock is let go, since a waker may call back into the clock.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::Clock;

/// A clock that stands still until [`advance`](Self::advance) or [`set`](Self::set). Clones share one time.
///
/// Its instants are durations since its creation.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{ManualClock, Rate, RateLimiter};
///
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::builder().rate(Rate::per_second(10)).burst(1).clock(clock.clone()).build()?;
/// assert!(limiter.try_acquire(1).is_ok());
/// assert!(limiter.try_acquire(1).is_err());
/// clock.advance(Duration::from_millis(100));
/// assert!(limiter.try_acquire(1).is_ok());
/// # Ok::<(), tidemill_resilience::InvalidLimiter>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    face: Arc<Mutex<Face>>,
}

#[derive(Debug, Default)]
struct Face {
    now: Duration,
    arrivals: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl ManualClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the time on by `step` and wakes every sleeper that came due.
    pub fn advance(&self, step: Duration) {
        let now = self.face().now;
        self.set(now.saturating_add(step));
    }

    /// Sets the time, backwards too (to test what a broken clock does), and wakes every sleeper that is due.
    pub fn set(&self, now: Duration) {
        let due = {
            let mut face = self.face();
            face.now = now;
            let later = face.sleepers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut face.sleepers, later)
        };
        for waker in due.into_values() {
            waker.wake();
        }
    }

    /// When the earliest sleeper is due, if anyone sleeps: what an automatic test driver sets the clock to.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.face().sleepers.keys().next().map(|&(due, _)| due)
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        // Every critical section leaves the face whole, so a panic elsewhere does not spoil it.
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.face().now
    }

    fn sleep_until(&self, at: Duration) -> impl Future<Output = ()> {
        ManualSleep { clock: self.clone(), at, place: None }
    }

    /// Moves the clock itself: a blocking sleep is the passage of time.
    fn block(&self, delay: Duration) {
        self.advance(delay);
    }

    /// As [`block`](Self::block).
    fn park(&self, delay: Duration) {
        self.advance(delay);
    }
}

/// The sleep of a [`ManualClock`]; dropping it leaves nothing behind.
#[derive(Debug)]
struct ManualSleep {
    clock: ManualClock,
    at: Duration,
    /// Our arrival number while we stand among the sleepers.
    place: Option<u64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut face = this.clock.face();
        if face.now >= this.at {
            return Poll::Ready(());
        }
        let place = *this.place.get_or_insert_with(|| {
            face.arrivals += 1;
            face.arrivals
        });
        face.sleepers.insert((this.at, place), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.face().sleepers.remove(&(self.at, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{pin::pin, task::Waker};

    fn poll(sleep: Pin<&mut impl Future<Output = ()>>) -> bool {
        sleep.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_sleeper_is_due_exactly_at_its_time() {
        let clock = ManualClock::new();
        let mut sleep = pin!(clock.sleep_until(Duration::from_nanos(10)));
        assert!(!poll(sleep.as_mut()));
        assert_eq!(clock.next_due(), Some(Duration::from_nanos(10)));
        clock.advance(Duration::from_nanos(9));
        assert!(!poll(sleep.as_mut()));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(clock.next_due(), None, "the due sleeper was woken and left the map");
        assert!(poll(sleep.as_mut()));
    }

    #[test]
    fn a_dropped_sleeper_leaves_nothing_behind() {
        let clock = ManualClock::new();
        {
            let mut sleep = pin!(clock.sleep_until(Duration::from_secs(1)));
            assert!(!poll(sleep.as_mut()));
        }
        assert_eq!(clock.next_due(), None);
    }
}
