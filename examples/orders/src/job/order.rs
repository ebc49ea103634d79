//! The orders that are sent, the same for both variants.
//!
//! The bodies are made before the clock runs and then repeated, so that the generator costs the server as
//! little of the two cores as it can. Only the idempotency key tells one order from the next, and by it a
//! repeated body is a new order.

use std::sync::Arc;

use bytes::Bytes;

use crate::{generate::Generator, limits};

/// Distinct bodies: more than a server could learn by heart, two megabytes at most.
const BODIES: u64 = 4096;

/// Prepared bodies; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Bodies(Arc<[Bytes]>);

impl Bodies {
    pub(crate) fn prepare(seed: u64) -> Self {
        let generator = Generator::new(seed, limits::PRODUCTS);
        Self((0..BODIES).map(|number| generator.order(number).1).collect())
    }

    /// The body of the n-th order.
    pub(crate) fn of(&self, n: u64) -> Bytes {
        let index = usize::try_from(n % BODIES).expect("it is below the number of bodies");
        self.0[index].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_sends_the_same() {
        let (one, other) = (Bodies::prepare(7), Bodies::prepare(7));
        assert!((0..100).all(|n| one.of(n) == other.of(n)));
        assert_eq!(one.of(0), one.of(BODIES));
        assert_ne!(one.of(0), one.of(1));
    }
}
