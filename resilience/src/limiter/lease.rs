//! Leases: tokens a thread may spend with one atomic operation and no look at the clock.
//!
//! A clock read costs three times an atomic operation, and an atomic operation on a line that two cores share costs
//! ten times one on a line of one's own. So a hot thread sets some tokens aside for itself, in its *home* (a cache
//! line of its own), and spends them there. The bucket learns of it when the home is settled: emptied with one
//! `swap`, **then** the clock is read, then what is missing is charged at that time. That order makes every charge
//! at or after its spending, which is all the proof in `bucket` asks for.
//!
//! **Size.** What this home spent since its last settling says what it will spend in the next `lease_time`: that is
//! the lease, and never more than an eighth of what is open. So leases shrink to nothing as the bucket runs low and
//! decisions at the limit are exact; a slow caller gets none; and under a clock that stands still (tests) there are
//! none, for time that does not move foretells nothing. Anyone who finds the bucket short, or wants to queue, settles
//! every home first, so a token lies idle in a foreign home only while there are others to take.
//!
//! **Cost of the guess.** Tokens of a lease are charged when it is settled. If a hot thread stops dead, comes back an
//! hour later and asks for the whole burst, what it spent from its last lease is charged only then, so up to an eighth of
//! the burst may take its time to come back once more. This errs on the safe side; a `lease_time` of zero turns it off.
//!
//! **Orderings.** One word per home; all that travels in it is a count, so the spending is `Relaxed`. The `swap` is
//! `Acquire` so that the clock read after it stays after it. Grants are made under the core's lock, by `fetch_add`,
//! since threads that share a home may be spending there at the time.
//!
//! Rejected: spending while tokens last and refilling by the clock when they do not, with no accounting between (the
//! refill is capped too late: after an hour idle it passes the burst twice); plain loads and stores in a home of one
//! thread (2 ns for 7, but nobody else could take the tokens back without a process-wide barrier).

use std::{
    ops::Range,
    sync::atomic::Ordering::{Acquire, Relaxed},
};

use crate::{sync::AtomicU64, thread};

/// A lease is at most this share of the tokens that are open: two hot threads leave three quarters to the others.
const SHARE: u64 = 8;

/// What the threads touch: one word per home.
#[derive(Debug)]
pub(super) struct Leases {
    homes: Box<[Home]>,
}

/// Two cache lines, because x86 fetches them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Home {
    left: AtomicU64,
}

impl Leases {
    /// One home per thread that can run at once, or a single one that never holds anything.
    pub(super) fn new(enabled: bool) -> Self {
        let homes = if enabled { thread::places() } else { 1 };
        Self { homes: (0..homes).map(|_| Home::default()).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.homes.len()
    }

    /// The home of the calling thread.
    #[inline]
    pub(super) fn home(&self) -> usize {
        thread::number() & (self.homes.len() - 1)
    }

    /// Spends `n` tokens of the lease at `home` if it holds that many.
    #[inline]
    pub(super) fn spend(&self, home: usize, n: u64) -> bool {
        let left = &self.homes[home].left;
        let mut seen = left.load(Relaxed);
        while seen >= n {
            match left.compare_exchange_weak(seen, seen - n, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }
}

/// What only the holder of the core's lock touches: how much each home was granted.
#[derive(Debug)]
pub(super) struct Ledger {
    grants: Box<[Grant]>,
    /// Sum of all grants: zero means no home holds anything.
    outstanding: u64,
    /// How long a lease should last.
    lease_nanos: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Grant {
    tokens: u64,
    /// Spent here since `since`, as far as settled.
    spent: u64,
    since: u64,
}

/// What came of the leases that were settled.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) spent: u64,
    pub(super) unspent: u64,
}

impl Ledger {
    pub(super) fn new(homes: usize, lease_nanos: u64) -> Self {
        Self { grants: vec![Grant::default(); homes].into(), outstanding: 0, lease_nanos }
    }

    pub(super) fn any_outstanding(&self) -> bool {
        self.outstanding > 0
    }

    /// Ends the leases of these homes. The caller reads the clock afterwards and charges what was spent at that time.
    pub(super) fn settle(&mut self, leases: &Leases, homes: Range<usize>) -> Settled {
        let mut settled = Settled::default();
        for (home, grant) in homes.clone().zip(&mut self.grants[homes]) {
            if grant.tokens > 0 {
                let unspent = leases.homes[home].left.swap(0, Acquire);
                let spent = grant.tokens - unspent;
                grant.spent += spent;
                self.outstanding -= grant.tokens;
                grant.tokens = 0;
                settled.spent += spent;
                settled.unspent += unspent;
            }
        }
        settled
    }

    /// How many tokens to lease to `home`, which has just been settled and spent `n` besides, with `open` tokens open.
    pub(super) fn size(&mut self, home: usize, n: u64, open: u64, nanos: u64) -> u64 {
        let grant = &mut self.grants[home];
        let elapsed = nanos.saturating_sub(grant.since);
        let spent = grant.spent + n;
        (grant.spent, grant.since) = (0, nanos);
        let foretold = spent.saturating_mul(self.lease_nanos).checked_div(elapsed).unwrap_or(0);
        foretold.min(open / SHARE)
    }

    /// Hands `tokens`, already set aside, to `home`.
    pub(super) fn grant(&mut self, leases: &Leases, home: usize, tokens: u64) {
        if tokens > 0 {
            self.grants[home].tokens += tokens;
            self.outstanding += tokens;
            leases.homes[home].left.fetch_add(tokens, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_as_long_as_it_should_at_the_pace_seen() {
        let mut ledger = Ledger::new(1, 50_000);
        for (n, open, nanos, expected, why) in [
            (1, 1 << 40, 1_000, 50, "one token per us for 50 us"),
            (10, 1 << 40, 2_000, 500, "ten tokens per us"),
            (10, 400, 3_000, 50, "an eighth of what is open"),
            (1, 7, 4_000, 0, "none when the bucket runs low"),
            (1, 1 << 40, 4_000, 0, "none while time stands still"),
            (1, 1 << 40, 1_004_000, 0, "none for a slow caller"),
        ] {
            assert_eq!(ledger.size(0, n, open, nanos), expected, "{why}");
        }
    }

    #[test]
    fn settling_tells_spent_from_unspent() {
        let leases = Leases::new(false);
        let mut ledger = Ledger::new(1, 50_000);
        ledger.grant(&leases, 0, 10);
        assert!(leases.spend(0, 7));
        assert!(!leases.spend(0, 4), "three are left");
        let settled = ledger.settle(&leases, 0..1);
        assert_eq!((settled.spent, settled.unspent), (7, 3));
        assert!(!ledger.any_outstanding());
        assert!(!leases.spend(0, 1));
    }
}
