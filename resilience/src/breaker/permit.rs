//! A call that was let pass, from there to its end.

use std::{fmt, time::Duration};

use super::{CircuitBreaker, Word, window::Counts, word::Ended, word::Kind};
use crate::{Clock, TokioClock};

/// How a call ended, as far as the breaker is concerned.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tidemill_resilience::{CircuitBreaker, Outcome, State};
///
/// let breaker = CircuitBreaker::builder().failures_in_a_row(1).build()?;
/// let by_status = |status: &u16| match status {
///     500.. => Outcome::Failure,
///     400.. => Outcome::Ignored, // a mistake of our own
///     _ => Outcome::Success,
/// };
/// assert_eq!(breaker.call_with(async { 404 }, by_status).await?, 404);
/// assert_eq!(breaker.state(), State::Closed);
/// assert_eq!(breaker.call_with(async { 503 }, by_status).await?, 503);
/// assert_eq!(breaker.state(), State::Open);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// It went well.
    Success,
    /// What is called is at fault.
    Failure,
    /// It says nothing about what is called (the caller's own mistake, for instance).
    Ignored,
}

/// A call that was let pass. Tell it how the call ended; dropped, whether by cancellation or by a panic, it counts as
/// [`Ignored`](Outcome::Ignored), and a probe's place is free again.
///
/// The report means something only to the state that let the call in: late ones change nothing.
///
/// # Examples
/// ```
/// use tidemill_resilience::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().failures_in_a_row(2).build()?;
/// breaker.try_acquire()?.failure();
/// breaker.try_acquire()?.success();
/// drop(breaker.try_acquire()?); // the caller went away: that says nothing
/// breaker.try_acquire()?.failure();
/// assert_eq!(breaker.state(), State::Closed, "no two in a row");
/// breaker.try_acquire()?.failure();
/// assert_eq!(breaker.state(), State::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped at once reports nothing"]
pub struct Permit<'a, C: Clock = TokioClock> {
    breaker: &'a CircuitBreaker<C>,
    /// The state that let it in.
    word: Word,
    /// Only if slow calls count.
    began: Option<C::Instant>,
    told: bool,
}

impl<'a, C: Clock> Permit<'a, C> {
    #[inline]
    pub(super) fn new(breaker: &'a CircuitBreaker<C>, word: Word) -> Self {
        let began = breaker.rules.slow_from.is_some().then(|| breaker.clock.now());
        Self { breaker, word, began, told: false }
    }

    /// The call went well.
    #[inline]
    pub fn success(self) {
        self.end(Outcome::Success);
    }

    /// What was called is at fault.
    #[inline]
    pub fn failure(self) {
        self.end(Outcome::Failure);
    }

    /// Whether this call is a probe of a half-open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.word.kind() == Kind::HalfOpen
    }

    /// The call ended so.
    #[inline]
    pub fn end(mut self, outcome: Outcome) {
        self.told = true;
        if outcome == Outcome::Success && self.began.is_none() && self.counts() {
            self.breaker.good(self.word);
        } else {
            self.end_otherwise(outcome);
        }
    }

    /// The call ended so, and took `duration`: for calls that were measured elsewhere, or did not run here.
    pub fn end_after(mut self, outcome: Outcome, duration: Duration) {
        self.told = true;
        let slow = self.breaker.rules.slow_from.is_some_and(|from| duration >= from);
        self.tell(outcome, slow);
    }

    #[inline]
    fn counts(&self) -> bool {
        matches!(self.word.kind(), Kind::Closed | Kind::ForcedClosed)
    }

    #[inline(never)]
    fn end_otherwise(&self, outcome: Outcome) {
        let slow = match (self.began, self.breaker.rules.slow_from) {
            (Some(began), Some(from)) if outcome != Outcome::Ignored => {
                let now = self.breaker.clock.now();
                now > began && now - began >= from
            }
            _ => false,
        };
        self.tell(outcome, slow);
    }

    fn tell(&self, outcome: Outcome, slow: bool) {
        let breaker = self.breaker;
        let failed = outcome == Outcome::Failure;
        match self.word.kind() {
            Kind::HalfOpen => breaker.probe_ended(self.word.generation(), ended(outcome, slow)),
            _ if outcome == Outcome::Ignored || !self.counts() => {}
            _ if failed || slow => {
                breaker.report(self.word, Counts { calls: 1, failed: failed.into(), slow: slow.into() });
            }
            _ => breaker.good(self.word),
        }
    }
}

/// A slow probe shows that it does not work yet.
fn ended(outcome: Outcome, slow: bool) -> Ended {
    match outcome {
        Outcome::Ignored => Ended::Unknown,
        Outcome::Success if !slow => Ended::Succeeded,
        Outcome::Success | Outcome::Failure => Ended::Failed,
    }
}

impl<C: Clock> Drop for Permit<'_, C> {
    #[inline]
    fn drop(&mut self) {
        if !self.told && self.is_probe() {
            self.breaker.probe_ended(self.word.generation(), Ended::Unknown);
        }
    }
}

impl<C: Clock> fmt::Debug for Permit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("word", &self.word).finish_non_exhaustive()
    }
}
