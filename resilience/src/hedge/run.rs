//! The loop of a hedged call: poll everything that is under way, and see what came first, an answer or the time for a hedge.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tidemill_context::Cause;

use super::{Admit, Hedge, HedgeError, hedging::Delays};
use crate::{
    Clock, Decision, RetryBudget, Spend, ambient,
    retry::{Classify, Counted},
};

/// What an attempt is told.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidemill_resilience::Hedge;
///
/// let hedge = Hedge::after(Duration::from_millis(50)).build()?;
/// let answer = hedge
///     .run(|attempt| async move {
///         let server = ["a:80", "b:80"][attempt.number as usize - 1]; // a hedge goes elsewhere
///         if attempt.is_hedge() { Ok(server) } else { Err("a:80 is down") }
///     })
///     .await;
/// assert_eq!(answer, Ok("b:80"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HedgeInfo {
    /// 1 for the first request, 2 for the first hedge.
    pub number: u32,
}

impl HedgeInfo {
    /// It is not the first request.
    #[must_use]
    pub const fn is_hedge(&self) -> bool {
        self.number > 1
    }
}

/// All that one call needs, borrowed.
pub(super) struct Run<'h, 'c, F, L, C> {
    pub(super) hedge: &'h Hedge,
    pub(super) classify: &'c F,
    pub(super) limit: &'c L,
    pub(super) budget: Option<&'h RetryBudget>,
    pub(super) delays: Option<Delays<'h>>,
    pub(super) clock: &'c C,
}

/// An attempt under way, with what it holds while it is.
struct Flight<'h, A, P> {
    attempt: Counted<'h, A>,
    paid: Option<Spend<'h>>,
    _permit: Option<P>,
    /// It was polled: the request may have gone out.
    begun: bool,
}

/// A hedge that was paid for and never begun, because another answer was there in the same poll, is refunded.
impl<A, P> Drop for Flight<'_, A, P> {
    fn drop(&mut self) {
        if let Some(paid) = self.paid.take().filter(|_| !self.begun) {
            paid.refund();
        }
    }
}

/// When the next hedge is due.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// This long after whatever was sent last has been polled once.
    After(Duration),
    Never,
}

/// What happened first.
enum Event<'h, T, E> {
    Ended(Ended<'h, T, E>),
    Due,
    Cancelled(Cause),
}

/// An attempt that ended.
struct Ended<'h, T, E> {
    result: Result<T, E>,
    /// It was recorded inside.
    recorded: bool,
    /// Of a hedge, if there is a budget.
    paid: Option<Spend<'h>>,
    is_first: bool,
}

/// A first request that was overtaken is taken to need this many times what it had taken by then. How far above the quantile a
/// sample lies does not move the quantile; if all of them are overtaken, because everything got slower, it lets it climb fast.
const OVERTAKEN: u32 = 2;

/// The attempts of a call.
struct Flights<'h, 'f, Fut, P> {
    first: Option<Flight<'h, Pin<&'f mut Fut>, P>>,
    hedges: Vec<Flight<'h, Pin<Box<Fut>>, P>>,
    sent: u32,
}

impl<'h, F, L: Admit, C: Clock> Run<'h, '_, F, L, C> {
    pub(super) async fn call<T, E, Fut>(self, mut operation: impl FnMut(HedgeInfo) -> Fut) -> Result<T, HedgeError<E>>
    where
        F: Classify<T, E>,
        Fut: Future<Output = Result<T, E>>,
    {
        let own_delay = if self.delays.is_none() { self.hedge.delay() } else { None };
        let started = self.hedge.learns().then(|| self.clock.now());
        let mut first = pin!(operation(HedgeInfo { number: 1 }));
        let mut flights = Flights::new(self.flight(first.as_mut(), None, None));
        // How long the hedge that is next waits.
        let later = |sent: u32| {
            let delay = self.delays.map_or(own_delay, |delays| delays.0(sent + 1));
            delay.map_or(Next::Never, Next::After)
        };
        let (mut next, mut last) = (later(1), None);
        loop {
            let event = self.next_event(&mut flights, next).await;
            if let Event::Cancelled(cause) = event {
                return Err(HedgeError::Cancelled { cause, attempts: flights.sent });
            }
            if let Event::Ended(ended) = event {
                let is_first = ended.is_first;
                let (decision, result) = self.judge(ended);
                if decision == Decision::Stop {
                    if result.is_ok() && (is_first || flights.first.is_some()) {
                        self.learn(started, if is_first { 1 } else { OVERTAKEN });
                    }
                    return result.map_err(|last| HedgeError::Failed { last, attempts: flights.sent });
                }
                last = Some(result);
                if let (Decision::RetryAfter(wait) | Decision::NotSent(Some(wait)), true) =
                    (decision, self.may_send(&flights))
                {
                    next = Next::After(wait);
                    continue;
                }
            }
            // A hedge that is not allowed is left out, until an attempt fails.
            let is_next = self.send(&mut flights, &mut operation) && self.may_send(&flights);
            next = if is_next { later(flights.sent) } else { Next::Never };
            if flights.is_empty()
                && let Some(last) = last.take()
            {
                return last.map_err(|last| HedgeError::Failed { last, attempts: flights.sent });
            }
        }
    }

    /// Whether this call has hedges left.
    fn may_send<Fut, P>(&self, flights: &Flights<'_, '_, Fut, P>) -> bool {
        flights.sent <= self.hedge.max_hedges
    }

    /// Sends a hedge if the call, the limit and the budget allow it, in this order: the budget is the one that is paid.
    fn send<Fut>(
        &self,
        flights: &mut Flights<'h, '_, Fut, L::Permit>,
        operation: &mut impl FnMut(HedgeInfo) -> Fut,
    ) -> bool {
        if !self.may_send(flights) {
            return false;
        }
        let Some(permit) = self.limit.admit() else { return false };
        let paid = self.budget.map(RetryBudget::withdraw);
        if matches!(paid, Some(None)) {
            return false;
        }
        flights.sent += 1;
        let attempt = Box::pin(operation(HedgeInfo { number: flights.sent }));
        flights.hedges.push(self.flight(attempt, paid.flatten(), Some(permit)));
        true
    }

    fn flight<A>(&self, attempt: A, paid: Option<Spend<'h>>, permit: Option<L::Permit>) -> Flight<'h, A, L::Permit> {
        Flight { attempt: Counted::new(self.budget, attempt), paid, _permit: permit, begun: false }
    }

    /// The first attempt that ends, or the time for the next hedge, or the end of the ambient context. Timer and context are looked
    /// at only if nothing is ready; a hedge that would be sent at the deadline or later is left out.
    async fn next_event<T, E, Fut>(&self, flights: &mut Flights<'h, '_, Fut, L::Permit>, next: Next) -> Event<'h, T, E>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let mut timer = pin!(ambient::until_cancelled(async {
            match next {
                Next::After(delay) if ambient::admits(delay).is_ok() => {
                    self.clock.sleep_until(self.clock.now() + delay).await;
                }
                _ => pending().await,
            }
        }));
        poll_fn(|cx| match flights.poll(cx) {
            Poll::Pending => timer.as_mut().poll(cx).map(|due| due.map_or_else(Event::Cancelled, |()| Event::Due)),
            ended => ended,
        })
        .await
    }

    /// What to make of an attempt that ended; it is recorded on the way.
    fn judge<T, E>(&self, ended: Ended<'_, T, E>) -> (Decision, Result<T, E>)
    where
        F: Classify<T, E>,
    {
        let Ended { result, recorded, paid, .. } = ended;
        let decision = match &result {
            Ok(value) => self.classify.on_value(value),
            Err(error) => self.classify.on_error(error),
        };
        match (self.budget, decision, &result) {
            (Some(budget), Decision::Stop, Ok(_)) => budget.record(recorded, RetryBudget::success),
            (Some(budget), Decision::Retry | Decision::RetryAfter(_), _) => {
                budget.record(recorded, RetryBudget::failure);
            }
            (_, Decision::NotSent(_), _) => paid.into_iter().for_each(Spend::refund),
            _ => {}
        }
        (decision, result)
    }

    /// Records how long the first request has taken, `times` over.
    fn learn(&self, started: Option<C::Instant>, times: u32) {
        if let Some(started) = started {
            let now = self.clock.now();
            self.hedge.learn(if now > started { (now - started).saturating_mul(times) } else { Duration::ZERO });
        }
    }
}

impl<A: Future + Unpin, P> Flight<'_, A, P> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(A::Output, bool)> {
        self.begun = true;
        Pin::new(&mut self.attempt).poll(cx)
    }
}

impl<'h, 'f, Fut, P> Flights<'h, 'f, Fut, P> {
    fn new(first: Flight<'h, Pin<&'f mut Fut>, P>) -> Self {
        Self { first: Some(first), hedges: Vec::new(), sent: 1 }
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.hedges.is_empty()
    }

    /// Polls all in the order they were sent, up to the first that has ended, and takes that out.
    fn poll<T, E>(&mut self, cx: &mut Context<'_>) -> Poll<Event<'h, T, E>>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(flight) = &mut self.first
            && let Poll::Ready((result, recorded)) = flight.poll(cx)
        {
            self.first = None;
            return Poll::Ready(Event::Ended(Ended { result, recorded, paid: None, is_first: true }));
        }
        for index in 0..self.hedges.len() {
            if let Poll::Ready((result, recorded)) = self.hedges[index].poll(cx) {
                let mut flight = self.hedges.remove(index);
                return Poll::Ready(Event::Ended(Ended {
                    result,
                    recorded,
                    paid: flight.paid.take(),
                    is_first: false,
                }));
            }
        }
        Poll::Pending
    }
}
