//! Tokens that Redis granted in advance, per key, until they are forfeited.
//!
//! A share ends `time` after the request for it was *sent*: it was granted later than that, so it is never spent later than
//! `time` after its grant. Two shares of one key become one that ends with the earlier.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keys with a share at one time. One more gets none, and asks Redis each time.
const MOST_KEYS: usize = 65_536;

#[derive(Debug)]
pub(super) struct Shares {
    shares: Mutex<HashMap<Box<str>, Share>>,
    tokens: u64,
    nanos: u64,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    left: u64,
    until: u64,
}

impl Shares {
    pub(super) fn new(tokens: u64, nanos: u64) -> Self {
        Self { shares: Mutex::default(), tokens, nanos }
    }

    /// How many tokens to ask for.
    pub(super) fn size(&self) -> u64 {
        if self.nanos == 0 { 0 } else { self.tokens }
    }

    /// Spends `n` tokens, if the key has as many at `now`, and says how many are left.
    pub(super) fn spend(&self, key: &str, n: u64, now: u64) -> Option<u64> {
        if self.size() == 0 {
            return None;
        }
        let mut shares = self.lock();
        let share = shares.get_mut(key).filter(|share| now < share.until && share.left >= n)?;
        share.left -= n;
        Some(share.left)
    }

    /// Keeps what is left of a grant that was asked for at `sent`.
    pub(super) fn keep(&self, key: &str, tokens: u64, sent: u64) {
        if tokens == 0 || self.size() == 0 {
            return;
        }
        let until = sent.saturating_add(self.nanos);
        let mut shares = self.lock();
        if let Some(share) = shares.get_mut(key) {
            let alive = share.left > 0 && share.until > sent;
            *share = if alive {
                Share { left: share.left + tokens, until: share.until.min(until) }
            } else {
                Share { left: tokens, until }
            };
            return;
        }
        if shares.len() >= MOST_KEYS {
            shares.retain(|_, share| share.left > 0 && share.until > sent);
        }
        if shares.len() < MOST_KEYS {
            shares.insert(key.into(), Share { left: tokens, until });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Share>> {
        // No foreign code runs under it.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spent_to_its_end_in_time_or_forfeited() {
        let shares = Shares::new(10, 100);
        shares.keep("a", 9, 1_000);
        assert_eq!(shares.spend("a", 4, 1_099), Some(5));
        assert_eq!(shares.spend("a", 6, 1_099), None);
        assert_eq!(shares.spend("b", 1, 1_099), None);
        shares.keep("a", 2, 1_050);
        assert_eq!(shares.spend("a", 7, 1_099), Some(0), "both shares");
        shares.keep("a", 3, 1_060);
        assert_eq!(shares.spend("a", 1, 1_160), None, "too late");
    }

    #[test]
    fn two_shares_end_with_the_earlier() {
        let shares = Shares::new(10, 100);
        shares.keep("a", 5, 1_000);
        shares.keep("a", 5, 1_090);
        assert_eq!(shares.spend("a", 1, 1_100), None);
    }

    #[test]
    fn without_leases_nothing_is_kept() {
        for shares in [Shares::new(0, 100), Shares::new(10, 0)] {
            shares.keep("a", 5, 0);
            assert_eq!((shares.size(), shares.spend("a", 1, 0)), (0, None));
        }
    }
}
