//! The call side of a hedge: which errors are final, which budget pays, what bounds the concurrency, and whose clock it is.

use std::{fmt, future::Future, time::Duration};

use super::{Hedge, HedgeError, HedgeInfo, run::Run};
use crate::{
    Clock, Decision, RetryBudget, TokioClock,
    retry::{Always, ByOutcome, Classify},
};

/// A [`Hedge`] together with what it cannot know. Reusable; made by [`Hedge::plain`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::{Decision, Hedge};
///
/// let hedge = Hedge::after(Duration::from_millis(50)).build()?;
/// let decide = |error: &&str| if *error == "no such user" { Decision::Stop } else { Decision::Retry };
/// let hedging = hedge.plain().classify(decide);
/// let failed = hedging.run(async |_| Err::<(), _>("no such user")).await.unwrap_err();
/// assert_eq!(failed.attempts(), 1, "another server would say the same");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing runs before `run`"]
pub struct Hedging<'h, F = Always, L = Unlimited, C: Clock = TokioClock> {
    hedge: &'h Hedge,
    classify: F,
    limit: L,
    budget: Option<&'h RetryBudget>,
    delays: Option<Delays<'h>>,
    clock: C,
}

/// Says for a hedge, 2 for the first, how long it waits for an answer of those before it.
#[derive(Clone, Copy)]
pub(super) struct Delays<'h>(pub(super) &'h (dyn Fn(u32) -> Option<Duration> + Sync));

impl fmt::Debug for Delays<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delays")
    }
}

/// Says whether a hedge may be sent now: a closure that gives out permits, or the default.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::{Hedge, Hedging, seams::{Admit, Always}};
///
/// /// Takes whatever bound its caller has set.
/// async fn attempts<L: Admit>(hedging: &Hedging<'_, Always, L>) -> u32 {
///     hedging.run(async |_| Err::<(), _>("down")).await.unwrap_err().attempts()
/// }
/// let hedge = Hedge::after(Duration::from_millis(50)).build()?;
/// assert_eq!(attempts(&hedge.plain()).await, 2);
/// assert_eq!(attempts(&hedge.plain().limit(|| None::<()>)).await, 1, "no permit, no hedge");
/// # Ok(()) }
/// ```
pub trait Admit {
    /// Held while the hedge is under way.
    type Permit;

    /// A permit for one hedge, without waiting.
    fn admit(&self) -> Option<Self::Permit>;
}

/// The default: every hedge may be sent.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl Admit for Unlimited {
    type Permit = ();

    fn admit(&self) -> Option<()> {
        Some(())
    }
}

impl<P, F: Fn() -> Option<P>> Admit for F {
    type Permit = P;

    fn admit(&self) -> Option<P> {
        self()
    }
}

impl Hedge {
    /// Runs `operation`, and again while no answer is there. See [`Hedging::run`].
    ///
    /// # Errors
    /// As [`Hedging::run`].
    pub fn run<T, E, Fut>(
        &self,
        operation: impl FnMut(HedgeInfo) -> Fut,
    ) -> impl Future<Output = Result<T, HedgeError<E>>>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let hedging = self.plain();
        async move { hedging.run(operation).await }
    }

    /// Adds nothing yet: where a chain of [`Hedging`]'s methods begins.
    pub const fn plain(&self) -> Hedging<'_> {
        Hedging { hedge: self, classify: Always, limit: Unlimited, budget: None, delays: None, clock: TokioClock }
    }
}

impl<'h, F, L: Admit, C: Clock> Hedging<'h, F, L, C> {
    /// Decides by `classify` what to do about an error: [`Decision::Stop`] ends the call, anything else sends the next hedge, after
    /// the time it names or at once. By default no error is final.
    pub fn classify<E, G: Fn(&E) -> Decision>(self, classify: G) -> Hedging<'h, G, L, C> {
        self.with_classify(classify)
    }

    /// Decides by `classify` about errors and values alike; for a value, [`Decision::Stop`] says that it is the answer. If no
    /// attempt brought an answer, and the last brought a value, that is returned.
    pub fn classify_outcome<T, E, G>(self, classify: G) -> Hedging<'h, ByOutcome<G>, L, C>
    where
        G: Fn(Result<&T, &E>) -> Decision,
    {
        self.with_classify(ByOutcome(classify))
    }

    pub(crate) fn with_classify<G>(self, classify: G) -> Hedging<'h, G, L, C> {
        let Self { hedge, limit, budget, delays, clock, .. } = self;
        Hedging { hedge, classify, limit, budget, delays, clock }
    }

    /// Pays for hedges out of `budget`, and records answers in it, unless a layer inside has.
    pub const fn budget(mut self, budget: &'h RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Sends a hedge only with a permit from `limit`, which it holds until it ends. The first request is the caller's own affair.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use tidemill_resilience::Hedge;
    /// # use tokio::sync::Semaphore;
    /// # let hedge = Hedge::after(Duration::from_millis(50)).build().expect("sound");
    /// let connections = Semaphore::new(10);
    /// let hedging = hedge.plain().limit(|| connections.try_acquire().ok());
    /// ```
    pub fn limit<P, G: Fn() -> Option<P>>(self, limit: G) -> Hedging<'h, F, G, C> {
        let Self { hedge, classify, budget, delays, clock, .. } = self;
        Hedging { hedge, classify, limit, budget, delays, clock }
    }

    /// Decides by `delays` how long each hedge waits, in place of the hedge's own delay: it is asked for the number of the one to be
    /// sent, 2 for the first, when those before it are under way. `None`: not before an attempt fails.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill_resilience::Hedge;
    /// # let hedge = Hedge::after(Duration::from_millis(50)).max_hedges(3).build().expect("sound");
    /// // The first soon, each further one later than the one before.
    /// let delays = |number: u32| Some(Duration::from_millis(10) * 2u32.pow(number));
    /// let hedging = hedge.plain().delays(&delays);
    /// ```
    pub const fn delays(mut self, delays: &'h (dyn Fn(u32) -> Option<Duration> + Sync)) -> Self {
        self.delays = Some(Delays(delays));
        self
    }

    /// Reads and sleeps by `clock`.
    pub fn clock<D: Clock>(self, clock: D) -> Hedging<'h, F, L, D> {
        let Self { hedge, classify, limit, budget, delays, .. } = self;
        Hedging { hedge, classify, limit, budget, delays, clock }
    }

    /// Runs `operation`, again after each delay until there is an answer, and returns the first.
    ///
    /// The first attempt is polled in place, each hedge is one allocation. With a fixed delay, a first attempt that is ready at
    /// once reads no clock; with a quantile two. *Cancel safe* as far as `operation` is: dropped, it drops every attempt.
    ///
    /// # Errors
    /// [`HedgeError::Failed`] with a final error, or the last if all attempts failed; [`HedgeError::Cancelled`] if the ambient context
    /// is cancelled before there is an answer.
    pub fn run<T, E, Fut>(
        &self,
        operation: impl FnMut(HedgeInfo) -> Fut,
    ) -> impl Future<Output = Result<T, HedgeError<E>>>
    where
        F: Classify<T, E>,
        Fut: Future<Output = Result<T, E>>,
    {
        let Self { hedge, classify, limit, budget, delays, clock } = self;
        Run { hedge, classify, limit, budget: *budget, delays: *delays, clock }.call(operation)
    }
}
