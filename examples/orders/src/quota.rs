//! How many orders each customer may send: a token bucket for each, and what the answers say of it.
//!
//! Behind the prices and before the store: a customer's number is known only then, and what breaks a rule costs
//! the customer nothing. An answer tells of the limit when it is near (`RateLimit`), for who is far from it
//! has no use for that, and the service has one allocation less per order.

use std::{fmt, time::Duration};

use tidemill::resilience::{
    InvalidLimiter, KeyedRateLimiter, Rate, Refused,
    http::{QuotaPolicy, ServiceLimit},
};

use crate::{
    domain::{CustomerId, Kind, Reject},
    limits,
};

/// The name of the policy in the fields.
const NAME: &str = "customer";

/// Orders of one customer: per second, and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Orders per second in the long run.
    pub rate: u64,
    /// Orders at once.
    pub burst: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { rate: limits::CUSTOMER_RATE, burst: limits::CUSTOMER_BURST }
    }
}

impl Quota {
    /// As good as none: for orders that come from a file, where nobody is kept from ordering by another.
    pub const WIDE: Self = Self { rate: 1_000_000, burst: 1_000_000 };

    /// The value of `RateLimit-Policy`.
    ///
    /// ```
    /// assert_eq!(orders::Quota { rate: 50, burst: 200 }.policy(), r#""customer";q=200;w=4"#);
    /// ```
    #[must_use]
    pub fn policy(&self) -> String {
        // Builders of this crate make no quota without a rate.
        let window = self.burst.div_ceil(self.rate.max(1));
        QuotaPolicy::new(NAME, self.burst).window(Duration::from_secs(window)).to_string()
    }

    /// The value of `RateLimit` for a customer with so many left, who gets more after `reset`.
    #[must_use]
    pub fn left(remaining: u64, reset: Duration) -> String {
        ServiceLimit::new(NAME, remaining).reset(reset).to_string()
    }
}

/// The limits of all customers.
pub(crate) struct Customers {
    quota: Quota,
    limiter: KeyedRateLimiter<[u8]>,
}

impl Customers {
    pub(crate) fn new(quota: Quota) -> Result<Self, InvalidLimiter> {
        let limiter = KeyedRateLimiter::builder().rate(Rate::per_second(quota.rate)).burst(quota.burst);
        Ok(Self { quota, limiter: limiter.max_keys(limits::CUSTOMERS).build()? })
    }

    pub(crate) fn quota(&self) -> Quota {
        self.quota
    }

    /// Counts an order of that customer. How many more he may send at once, if that is less than half.
    pub(crate) fn admit(&self, customer: &CustomerId) -> Result<Option<u64>, Reject> {
        let key = customer.as_bytes();
        match self.limiter.try_acquire(key, 1) {
            Ok(()) => Ok(Some(self.limiter.available(key)).filter(|left| *left < self.quota.burst / 2)),
            Err(refused) => Err(rejection(&refused)),
        }
    }
}

fn rejection(refused: &Refused) -> Reject {
    let reject = Reject::new(Kind::RateLimited, "customer", "has sent too many orders");
    Reject { retry_after: refused.retry_after().or(reject.retry_after), ..reject }
}

impl fmt::Debug for Customers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customers").field("quota", &self.quota).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_customer_has_his_burst_and_hears_of_it_when_half_is_gone() {
        let customers = Customers::new(Quota { rate: 1, burst: 4 }).unwrap();
        let [ann, bob] = ["ann", "bob"].map(|name| CustomerId::new(name).unwrap());
        let heard: Vec<_> = (0..4).map(|_| customers.admit(&ann).unwrap()).collect();
        assert_eq!(heard, [None, None, Some(1), Some(0)]);
        let refused = customers.admit(&ann).unwrap_err();
        assert_eq!(refused.kind, Kind::RateLimited);
        assert!(refused.retry_after.unwrap() <= Duration::from_secs(1));
        assert_eq!(customers.admit(&bob), Ok(None));
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_named() {
        for quota in [Quota { rate: 0, burst: 1 }, Quota { rate: 1, burst: 0 }] {
            assert!(Customers::new(quota).is_err(), "{quota:?}");
        }
    }
}
