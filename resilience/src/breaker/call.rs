//! Calls through a breaker, and waiting for it.
//!
//! One who waits listens before it looks, so a change between the look and the wait wakes it. An open breaker says when its
//! time is over, which is what the timer is set to; a half-open one is listened to, since any probe's end may make room.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::{
    BreakerOpen, BreakerWait, CallError, CircuitBreaker, Counts, Entry, Kind, NANOS_PER_MILLI, Outcome, Permit, State,
    Word,
};
use crate::{
    Clock,
    ambient::{obeying, time_left},
};

impl<C: Clock> CircuitBreaker<C> {
    /// Runs `operation` if the breaker lets it pass; its errors count as failures.
    ///
    /// *Cancel safe*: dropped, it reports nothing, and a probe's place is free again. The same holds for a panic.
    ///
    /// # Errors
    /// [`CallError::Open`] without a poll of `operation`; [`CallError::Failed`] with its error.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tidemill_resilience::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder().failures_in_a_row(3).build()?;
    /// let answer: Result<u32, _> = breaker.call(async { Ok::<_, std::io::Error>(42) }).await;
    /// assert_eq!(answer?, 42);
    /// # Ok(()) }
    /// ```
    pub async fn call<T, E>(&self, operation: impl Future<Output = Result<T, E>>) -> Result<T, CallError<E>> {
        self.call_with(operation, by_result).await?.map_err(CallError::Failed)
    }

    /// Runs `operation` if the breaker lets it pass; `classify` says what its result means, for results that are no `Result`,
    /// values that tell of a failure, and errors that do not.
    ///
    /// *Cancel safe* as [`call`](Self::call) is.
    ///
    /// # Errors
    /// [`BreakerOpen`] without a poll of `operation`.
    pub async fn call_with<R>(
        &self,
        operation: impl Future<Output = R>,
        classify: impl FnOnce(&R) -> Outcome,
    ) -> Result<R, BreakerOpen> {
        if let Some(word) = self.untracked() {
            let result = operation.await;
            self.end_untracked(word, classify(&result));
            return Ok(result);
        }
        let permit = self.try_acquire()?;
        let result = operation.await;
        permit.end(classify(&result));
        Ok(result)
    }

    /// Runs `operation` on this thread if the breaker lets it pass; its errors count as failures.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_blocking<T, E>(&self, operation: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        if let Some(word) = self.untracked() {
            let result = operation();
            self.end_untracked(word, by_result(&result));
            return result.map_err(CallError::Failed);
        }
        let permit = self.try_acquire()?;
        let result = operation();
        permit.end(by_result(&result));
        result.map_err(CallError::Failed)
    }

    /// The state, if a call in it needs no permit: nothing has to be freed should it never end, and no time is taken.
    #[inline]
    fn untracked(&self) -> Option<Word> {
        let word = self.load();
        (word.kind() == Kind::Closed && self.rules.slow_from.is_none()).then_some(word)
    }

    #[inline]
    fn end_untracked(&self, word: Word, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.good(word),
            Outcome::Failure => self.report(word, Counts { calls: 1, failed: 1, slow: 0 }),
            Outcome::Ignored => {}
        }
    }

    /// Waits until the breaker lets this call pass: through its open time, and for a probe's place.
    ///
    /// Of many who wait only as many pass as there are probes. *Cancel safe*.
    ///
    /// # Errors
    /// [`BreakerWait`], if the ambient [`Context`](tidemill_context::Context) ends before, or will: then at once.
    pub async fn acquire(&self) -> Result<Permit<'_, C>, BreakerWait> {
        if let Ok(permit) = self.try_acquire() {
            return Ok(permit);
        }
        self.wait_for(|| self.try_acquire().ok()).await
    }

    /// Waits until a call has a chance: the breaker is closed, or its open time is over, or a probe's place is free.
    ///
    /// Nothing is reserved; [`acquire`](Self::acquire) does that. *Cancel safe*.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub async fn wait_ready(&self) -> Result<(), BreakerWait> {
        self.wait_for(|| self.refused().is_none().then_some(())).await
    }

    async fn wait_for<T>(&self, passes: impl Fn() -> Option<T>) -> Result<T, BreakerWait> {
        let waiting = async {
            loop {
                let mut changed = pin!(self.slow.0.changed.notified());
                changed.as_mut().enable();
                if let Some(passed) = passes() {
                    return Ok(passed);
                }
                if let Some(refused) = self.refused() {
                    self.check_time(&refused)?;
                    self.wait(refused.again_ms, changed).await;
                }
            }
        };
        obeying(waiting).await
    }

    /// An open time that ends after the caller's is not waited for.
    fn check_time(&self, refused: &Refused) -> Result<(), BreakerWait> {
        let retry_after = refused.again_ms.map(Duration::from_millis);
        let is_too_long = time_left()?.zip(retry_after).is_some_and(|(left, wait)| left <= wait);
        if refused.kind == Kind::Open && is_too_long {
            return Err(BreakerWait::TooLong(BreakerOpen { state: State::Open, retry_after }));
        }
        Ok(())
    }

    /// Whether a call would be refused now.
    fn refused(&self) -> Option<Refused> {
        let (word, now_ms) = (self.load(), self.nanos() / NANOS_PER_MILLI);
        let again_ms = match word.enter(now_ms, self.rules.trial) {
            Entry::Pass | Entry::Become(_) => return None,
            Entry::Refused(None) if word.kind() == Kind::HalfOpen => Some(word.trial_left_ms(now_ms)),
            Entry::Refused(left) => left,
        };
        Some(Refused { kind: word.kind(), again_ms })
    }

    async fn wait(&self, again_ms: Option<u64>, changed: impl Future<Output = ()>) {
        match again_ms {
            None => changed.await,
            Some(left) => {
                let at = self.clock.now() + Duration::from_millis(left);
                either(changed, self.clock.sleep_until(at)).await;
            }
        }
    }
}

/// No call passes.
struct Refused {
    kind: Kind,
    /// After so many milliseconds that changes by itself.
    again_ms: Option<u64>,
}

/// Ends as soon as one of the two does.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| if one.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { other.as_mut().poll(cx) }).await;
}

fn by_result<T, E>(result: &Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Success } else { Outcome::Failure }
}
