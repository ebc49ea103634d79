//! A bound on the retries and hedges of a whole client, whatever single calls are allowed.
//!
//! When a server fails altogether, every call retries, and the load triples exactly when it should fall. A budget ties
//! further requests to what still works. Two rules are known in the field, and one word holds either:
//! - **Reserve** ([`RetryBudget::new`], as in Finagle): each success pays in a share of a retry, each retry takes out a whole
//!   one, and the reserve (which is also the most that can be saved) carries a client over a short failure.
//! - **Tokens** ([`RetryBudget::tokens`], as in gRPC A6): each retryable failure costs a token, each success returns a share of
//!   one, and there are retries only while more than half of the tokens are left.
//!
//! Time plays no part in either: no clock is read. Rejected: a rolling window with a least number of retries per second (as in
//! tower); it reads the clock on every call, and what it allows to a dead server for ever is what a budget is there to stop.
//!
//! **Nothing is minted.** The balance is one word in thousandths of a request. Every change is one compare-and-swap from the
//! value that justified it, so of a reserve at any time `1000 * retries <= 1000 * reserve + 10 * percent * successes`, and of
//! tokens the balance is at most the maximum. All orderings are `Relaxed`: each word carries nothing but its own value. A
//! success under a full budget, the usual case, is one load.
//!
//! **Counted once.** Whoever sends a further request pays for it, and only he; whoever sees an answer first records it, and
//! those around him do not record it again (`nesting`). So a hedge inside a retry, both on one budget, is charged for the
//! requests it added, and one failure costs one token.

mod error;
#[cfg(all(test, tidemill_loom))]
mod loom_models;
mod nesting;
#[cfg(all(test, not(tidemill_loom)))]
mod tests;

pub use self::error::InvalidBudget;
pub(crate) use self::nesting::{Counted, under};
use crate::sync::{AtomicU32, AtomicU64, Ordering::Relaxed, const_unless_loom};

/// The price of a further request: the balance is kept in thousandths, because gRPC states ratios with three digits.
const REQUEST: u64 = 1000;

/// Thousandths of a request in a percent of one.
const PERCENT: u64 = REQUEST / 100;

/// Further requests left to a client, shared by all its retries and hedges to one server.
///
/// # Examples
/// ```
/// use tidemill_resilience::RetryBudget;
///
/// let budget = RetryBudget::new(2, 10)?;
/// assert!(budget.withdraw().is_some() && budget.withdraw().is_some());
/// assert!(budget.withdraw().is_none(), "the reserve of two is spent");
/// for _ in 0..10 { budget.success(); }
/// assert!(budget.withdraw().is_some(), "ten successes at 10 % pay for one");
/// # Ok::<(), tidemill_resilience::InvalidBudget>(())
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    balance: AtomicU64,
    in_flight: AtomicU32,
    rules: Rules,
}

/// What each event does to the balance, in thousandths of a request.
#[derive(Clone, Copy, Debug)]
struct Rules {
    max: u64,
    success: u64,
    failure: u64,
    price: u64,
    /// The least balance at which a further request is allowed.
    least: u64,
    max_in_flight: u32,
}

impl RetryBudget {
    const_unless_loom! {
        /// A budget of `reserve` retries, filled, to which each success adds `percent` hundredths of one.
        ///
        /// Ten percent and a reserve of ten are common: they bound the load of a failing server to 1.1 times the usual.
        ///
        /// # Errors
        /// If `reserve` is zero (no success could ever pay for a retry) or `percent` is above 100.
        pub fn new(reserve: u32, percent: u32) -> Result<Self, InvalidBudget> {
            if reserve == 0 {
                return Err(InvalidBudget::NoReserve);
            }
            if percent > 100 {
                return Err(InvalidBudget::Percent(percent));
            }
            let max = reserve as u64 * REQUEST;
            let success = percent as u64 * PERCENT;
            Ok(Self::by(Rules { max, success, failure: 0, price: REQUEST, least: REQUEST, max_in_flight: u32::MAX }))
        }
    }

    const_unless_loom! {
        /// gRPC's retry throttle: `max` tokens, one lost with each retryable failure, `per_mille` thousandths of one won back
        /// with each success, and retries only while more than half of `max` are left.
        ///
        /// # Errors
        /// If `max` is zero or above 1000, or `per_mille` is zero (what gRPC refuses as well).
        pub fn tokens(max: u32, per_mille: u32) -> Result<Self, InvalidBudget> {
            if max == 0 || max > 1000 {
                return Err(InvalidBudget::Tokens(max));
            }
            if per_mille == 0 {
                return Err(InvalidBudget::NoRatio);
            }
            let max = max as u64 * REQUEST;
            let success = per_mille as u64 * REQUEST / 1000;
            Ok(Self::by(Rules { max, success, failure: REQUEST, price: 0, least: max / 2 + 1, max_in_flight: u32::MAX }))
        }
    }

    const_unless_loom! {
        fn by(rules: Rules) -> Self {
            Self { balance: AtomicU64::new(rules.max), in_flight: AtomicU32::new(0), rules }
        }
    }

    /// Allows at most `limit` further requests at the same time, whatever the balance. Default: any number.
    #[must_use]
    pub const fn max_in_flight(mut self, limit: u32) -> Self {
        self.rules.max_in_flight = limit;
        self
    }

    /// Records a request that succeeded. One load when the budget is full, else one compare-and-swap.
    #[inline]
    pub fn success(&self) {
        self.pay_in(self.rules.success);
    }

    /// Records a request that failed in a way worth a retry. Of a reserve it changes nothing.
    #[inline]
    pub fn failure(&self) {
        if self.rules.failure > 0 {
            self.change(|balance| (balance > 0).then(|| balance.saturating_sub(self.rules.failure)));
        }
    }

    /// Pays for one further request; `None` if the budget does not allow it. The request is under way until the [`Spend`] is
    /// dropped.
    pub fn withdraw(&self) -> Option<Spend<'_>> {
        let Rules { price, least, max_in_flight, .. } = self.rules;
        let is_capped = max_in_flight < u32::MAX;
        if is_capped && !self.take_place(max_in_flight) {
            return None;
        }
        // From here on a refusal gives the place back.
        let spend = Spend { budget: self, is_capped };
        self.change(|balance| (balance >= least).then(|| balance - price)).then_some(spend)
    }

    /// Whole requests that could be paid for now.
    pub fn left(&self) -> u64 {
        let Rules { least, price, .. } = self.rules;
        let balance = self.balance.load(Relaxed);
        balance.checked_div(price).unwrap_or_else(|| balance.saturating_sub(least - 1).div_ceil(REQUEST))
    }

    /// Further requests under way, if [`max_in_flight`](Self::max_in_flight) is set; else zero, for then nobody counts.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    #[inline]
    fn pay_in(&self, amount: u64) {
        let max = self.rules.max;
        self.change(|balance| (balance < max).then(|| (balance + amount).min(max)));
    }

    /// One compare-and-swap from the balance that `rule` looked at; `false` and no change if it says so.
    #[inline]
    fn change(&self, rule: impl Fn(u64) -> Option<u64>) -> bool {
        let mut seen = self.balance.load(Relaxed);
        while let Some(next) = rule(seen) {
            match self.balance.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Adds one to those under way if that keeps them within `most`.
    fn take_place(&self, most: u32) -> bool {
        let mut seen = self.in_flight.load(Relaxed);
        while seen < most {
            match self.in_flight.compare_exchange_weak(seen, seen + 1, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }
}

/// One further request that a [`RetryBudget`] allowed and was paid for. Dropping it ends the request; it stays paid for.
///
/// # Examples
/// ```
/// use tidemill_resilience::RetryBudget;
///
/// let budget = RetryBudget::new(1, 10)?;
/// let spend = budget.withdraw().expect("the reserve");
/// assert_eq!(budget.left(), 0);
/// spend.refund(); // the request was not sent after all
/// assert_eq!(budget.left(), 1);
/// # Ok::<(), tidemill_resilience::InvalidBudget>(())
/// ```
#[derive(Debug)]
#[must_use = "dropped, the request counts as over"]
pub struct Spend<'b> {
    budget: &'b RetryBudget,
    is_capped: bool,
}

impl Spend<'_> {
    /// Takes the price back: the request was not sent after all.
    pub fn refund(self) {
        self.budget.pay_in(self.budget.rules.price);
    }
}

impl Drop for Spend<'_> {
    fn drop(&mut self) {
        if self.is_capped {
            self.budget.in_flight.fetch_sub(1, Relaxed);
        }
    }
}
