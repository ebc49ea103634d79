//! A bound on the retries of a whole client, whatever single calls are allowed.
//!
//! When a server fails altogether, every call retries, and the load triples exactly when it should fall. A budget ties
//! retries to what still works: each success pays in a share of a retry, each retry takes out a whole one, and the reserve
//! (which is also the most that can be saved) carries a client over a short failure. As in gRPC's throttle and Finagle's
//! budget, time plays no part: no clock is read.
//!
//! **Nothing is minted.** The balance is one word in hundredths of a retry. Every change is one compare-and-swap from the value
//! that justified it, so at any time `100 * retries <= 100 * reserve + percent * successes`. All orderings are `Relaxed`:
//! the word carries nothing but its own value. A deposit into a full budget, the usual case, is one load.

use std::{
    error::Error,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The price of a retry: the balance is kept in hundredths, so that a percentage is a whole number of them.
const RETRY: u64 = 100;

/// Retries left to a client, shared by all its calls (and hedges) to one server.
///
/// # Examples
/// ```
/// use tidemill_resilience::RetryBudget;
///
/// let budget = RetryBudget::new(2, 10)?;
/// assert!(budget.withdraw() && budget.withdraw());
/// assert!(!budget.withdraw(), "the reserve of two is spent");
/// for _ in 0..10 { budget.deposit(); }
/// assert!(budget.withdraw(), "ten successes at 10 % pay for one");
/// # Ok::<(), tidemill_resilience::InvalidBudget>(())
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    balance: AtomicU64,
    max: u64,
    percent: u64,
}

impl RetryBudget {
    /// A budget of `reserve` retries, filled, to which each success adds `percent` hundredths of one.
    ///
    /// Ten percent and a reserve of ten are common: they bound the load of a failing server to 1.1 times the usual.
    ///
    /// # Errors
    /// If `reserve` is zero (no success could ever pay for a retry) or `percent` is above 100.
    pub const fn new(reserve: u32, percent: u32) -> Result<Self, InvalidBudget> {
        if reserve == 0 {
            return Err(InvalidBudget::NoReserve);
        }
        if percent > 100 {
            return Err(InvalidBudget::Percent(percent));
        }
        let max = reserve as u64 * RETRY;
        Ok(Self { balance: AtomicU64::new(max), max, percent: percent as u64 })
    }

    /// Records a success. One load when the budget is full, else one compare-and-swap.
    #[inline]
    pub fn deposit(&self) {
        let mut balance = self.balance.load(Relaxed);
        while balance < self.max {
            let raised = (balance + self.percent).min(self.max);
            match self.balance.compare_exchange_weak(balance, raised, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => balance = now,
            }
        }
    }

    /// Pays for one retry: `false` if the budget does not hold it.
    pub fn withdraw(&self) -> bool {
        self.balance.try_update(Relaxed, Relaxed, |balance| balance.checked_sub(RETRY)).is_ok()
    }

    /// Whole retries left.
    pub fn left(&self) -> u64 {
        self.balance.load(Relaxed) / RETRY
    }
}

/// The budget makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidBudget {
    /// The reserve is zero.
    NoReserve,
    /// More than one retry for each success.
    Percent(u32),
}

impl fmt::Display for InvalidBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReserve => f.write_str("a retry budget without a reserve never allows a retry"),
            Self::Percent(percent) => write!(f, "a retry budget of {percent} % is above 100 %"),
        }
    }
}

impl Error for InvalidBudget {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::thread;

    #[test]
    fn a_senseless_budget_is_named() {
        assert_eq!(RetryBudget::new(0, 10).unwrap_err(), InvalidBudget::NoReserve);
        assert_eq!(RetryBudget::new(1, 101).unwrap_err(), InvalidBudget::Percent(101));
    }

    proptest! {
        #[test]
        fn no_retry_is_minted(reserve in 1u32..20, percent in 0u32..=100, ops: Vec<bool>) {
            let budget = RetryBudget::new(reserve, percent).unwrap();
            let (mut successes, mut retries) = (0u64, 0u64);
            for success in ops {
                if success { budget.deposit(); successes += 1; } else { retries += u64::from(budget.withdraw()); }
                prop_assert!(100 * retries <= 100 * u64::from(reserve) + u64::from(percent) * successes);
                prop_assert!(budget.left() <= u64::from(reserve));
            }
        }
    }

    /// Below its maximum, with threads at it from both sides, every hundredth is accounted for.
    #[test]
    fn nothing_is_minted_or_lost_between_threads() {
        const EACH: u64 = 50_000;
        let budget = RetryBudget::new(u32::MAX, 7).unwrap();
        let start = budget.balance.load(Relaxed) / 2;
        budget.balance.store(start, Relaxed);
        let retries: u64 = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..EACH)
                            .map(|_| {
                                budget.deposit();
                                u64::from(budget.withdraw())
                            })
                            .sum::<u64>()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(budget.balance.load(Relaxed), start + 4 * EACH * 7 - retries * RETRY);
    }
}
