//! A bounded line, first come, first served, for limiters whose head of line looks again until it is let through.
//!
//! A fair async mutex is the line; a count in front of it is its bound, and tells others that somebody waits. Who leaves, leaves a
//! place to the next by dropping it, so there is nothing to forget.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};

use crate::{Clock, Refused};

/// Callers that may wait by default, as for `RateLimiter`.
pub(crate) const MAX_WAITERS: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Line {
    turn: Mutex<()>,
    waiting: AtomicUsize,
    most: usize,
}

/// A place in the line, or its head.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    line: &'a Line,
    turn: Option<MutexGuard<'a, ()>>,
}

impl Line {
    pub(crate) fn new(most: usize) -> Self {
        Self { turn: Mutex::new(()), waiting: AtomicUsize::new(0), most }
    }

    pub(crate) fn len(&self) -> usize {
        // Relaxed: a caller that reads an old count came before those it does not see.
        self.waiting.load(Relaxed)
    }

    pub(crate) fn join(&self) -> Result<Place<'_>, Refused> {
        // Relaxed: the count guards no memory.
        let joined = self.waiting.try_update(Relaxed, Relaxed, |now| (now < self.most).then_some(now + 1));
        joined.map_err(|waiters| Refused::QueueFull { waiters })?;
        Ok(Place { line: self, turn: None })
    }
}

impl Place<'_> {
    /// Until it is our turn.
    pub(crate) async fn turn(&mut self) {
        self.turn = Some(self.line.turn.lock().await);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Before the turn is passed on, so that the next never finds more in line than there are.
        self.line.waiting.fetch_sub(1, Relaxed);
    }
}

/// Waits at the head of `line` until `attempt` succeeds, fails for good, or would by its own words succeed after `deadline` only.
pub(crate) async fn in_line<C: Clock, T>(
    line: &Line,
    clock: &C,
    deadline: Option<C::Instant>,
    mut attempt: impl FnMut() -> Result<T, Refused>,
) -> Result<T, Refused> {
    let mut place = line.join()?;
    if !before(clock, deadline, place.turn()).await {
        return attempt();
    }
    loop {
        let refused = match attempt() {
            Ok(taken) => return Ok(taken),
            Err(refused) => refused,
        };
        let Some(ready) = refused.retry_after().and_then(|wait| within(clock, wait, deadline)) else {
            return Err(refused);
        };
        clock.sleep_until(ready).await;
    }
}

/// The instant `timeout` from now, unless that is as good as never: clocks overflow.
pub(crate) fn deadline_in<C: Clock>(clock: &C, timeout: Duration) -> Option<C::Instant> {
    const NEVER: Duration = Duration::from_secs(100 * 366 * 86_400);
    (timeout < NEVER).then(|| clock.now() + timeout)
}

/// The instant `wait` from now, unless it is past the deadline.
pub(crate) fn within<C: Clock>(clock: &C, wait: Duration, deadline: Option<C::Instant>) -> Option<C::Instant> {
    let ready = clock.now() + wait;
    deadline.is_none_or(|deadline| ready <= deadline).then_some(ready)
}

/// Whether `future` was ready before the deadline.
pub(crate) async fn before<C: Clock>(
    clock: &C,
    deadline: Option<C::Instant>,
    future: impl Future<Output = ()>,
) -> bool {
    let Some(deadline) = deadline else {
        future.await;
        return true;
    };
    let (mut future, mut sleep) = (pin!(future), pin!(clock.sleep_until(deadline)));
    poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        sleep.as_mut().poll(cx).map(|()| false)
    })
    .await
}
