//! Leases: tokens a thread may spend with plain loads and stores and no look at the clock.
//!
//! A clock read costs twice an atomic operation, an atomic operation four times a plain load and store, and an atomic operation on a
//! line that two cores share ten times one on a line of one's own. So a hot thread sets some tokens aside for itself, in its *home* (a
//! cache line of its own), and spends them there. The bucket learns of it when the home is settled: the lease is ended, **then**
//! the clock is read, then what was spent is charged at that time. That order makes every charge at or after its spending, which
//! is all the proof in `bucket` asks for.
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
//! **A home of one thread** (numbers of threads are unique, see `thread`) has two words: `spent`, which only the owner writes, and counts
//! up for ever; and `limit`, up to which it may count, written under the core's lock alone, raised by the owner and put to zero by anyone.
//!
//! | the owner spends | who settles it, holding the lock |
//! |---|---|
//! | read `limit` and `spent`, and see that it fits | `limit` = 0 |
//! | `spent` += n | |
//! | light half of the fence (`asymmetric`) | heavy half, once for all homes |
//! | read `limit` again: unchanged, then they are spent | read `spent`: so many are spent |
//!
//! By the fence, the owner sees the zero or the settler sees what the owner has counted, or both. So what the owner spent is always
//! counted. If it sees that the limit has changed, it may have been counted or not: it takes the lock and looks how far it was
//! (`counted`). If it was, the tokens are its own; if not, it has spent nothing, and what it wrote too much is of no account, for the next
//! lease counts from there.
//! A settling of one's own home needs no fence.
//!
//! **A home of several threads** (of those whose number is past the homes, and of all where there is no such fence) has one word, of which
//! they spend by compare-and-swap, and which is settled by a `swap`.
//!
//! **Orderings.** All that travels in these words is a count, so they are `Relaxed` but for the fence. What is read at settling, is
//! read with `Acquire`, so that the clock read after it stays after it.
//!
//! Rejected: spending while tokens last and refilling by the clock when they do not, with no accounting between (the
//! refill is capped too late: after an hour idle it passes the burst twice); a compare-and-swap for the owner too (10 ns for 2);
//! leases that nobody can take back and that end by themselves (their end is a time, so each spending would read the clock).

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use crate::{
    asymmetric,
    sync::{AtomicU64, Padded},
    thread,
};

/// A lease is at most this share of the tokens that are open: two hot threads leave three quarters to the others.
const SHARE: u64 = 8;

/// Homes of one thread for each home of several, whose threads are not the hot ones as a rule.
const OWN_PER_SHARED: usize = 4;

/// What the threads touch.
#[derive(Debug)]
pub(super) struct Leases {
    /// The home of the thread with that number.
    own: Box<[Padded<Own>]>,
    /// The homes of the others; a power of two of them, and one at the least.
    shared: Box<[Padded<Shared>]>,
}

/// What came of an attempt to spend from a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spent {
    Yes,
    No,
    /// The lease was ended meanwhile: they are spent if it was settled with this count or more.
    IfCounted(u64),
}

/// The home of one thread.
#[derive(Debug, Default)]
struct Own {
    limit: AtomicU64,
    spent: AtomicU64,
}

impl Own {
    #[inline(always)]
    fn spend(&self, n: u64) -> Spent {
        let (limit, spent) = (self.limit.load(Relaxed), self.spent.load(Relaxed));
        if limit.saturating_sub(spent) < n {
            return Spent::No;
        }
        let counted = spent + n;
        self.spent.store(counted, Relaxed);
        asymmetric::light();
        if self.limit.load(Relaxed) == limit { Spent::Yes } else { Spent::IfCounted(counted) }
    }
}

/// The home of several threads.
#[derive(Debug, Default)]
struct Shared {
    left: AtomicU64,
}

impl Shared {
    fn spend(&self, n: u64) -> Spent {
        let mut seen = self.left.load(Relaxed);
        while seen >= n {
            match self.left.compare_exchange_weak(seen, seen - n, Relaxed, Relaxed) {
                Ok(_) => return Spent::Yes,
                Err(now) => seen = now,
            }
        }
        Spent::No
    }
}

impl Leases {
    /// Homes for the threads that can run at once, or a single one that never holds anything.
    pub(super) fn new(enabled: bool) -> Self {
        match (enabled, thread::places()) {
            (false, _) => Self::with(0, 1),
            // Few, since loom tries them all.
            (true, _) if cfg!(tidemill_loom) => Self::with(2, 1),
            (true, places) if asymmetric::available() => Self::with(places, places.div_ceil(OWN_PER_SHARED)),
            (true, places) => Self::with(0, places),
        }
    }

    pub(super) fn with(own: usize, shared: usize) -> Self {
        debug_assert!(shared.is_power_of_two(), "{shared} shared homes");
        Self {
            own: (0..own).map(|_| Padded::default()).collect(),
            shared: (0..shared).map(|_| Padded::default()).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.own.len() + self.shared.len()
    }

    /// The home of the calling thread.
    #[inline]
    pub(super) fn home(&self) -> usize {
        // loom's threads are one thread to the system: they say where they are at home, and otherwise share.
        let number = if cfg!(tidemill_loom) { thread::NOBODY } else { thread::number() };
        if number < self.own.len() { number } else { self.own.len() + (number & (self.shared.len() - 1)) }
    }

    /// Spends `n` tokens of the lease at `home`, the caller's own, if it holds that many.
    #[inline]
    pub(super) fn spend(&self, home: usize, n: u64) -> Spent {
        match self.own.get(home) {
            Some(own) => own.0.spend(n),
            None => self.shared[home - self.own.len()].0.spend(n),
        }
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
    /// In a home of one thread: its count when it got the tokens, and at the latest settling.
    from: u64,
    counted: u64,
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

    /// Ends the lease of the caller's own home. The caller reads the clock afterwards and charges what was spent at that time.
    pub(super) fn settle_own(&mut self, leases: &Leases, home: usize) -> Settled {
        let mut settled = Settled::default();
        if self.grants[home].tokens > 0 {
            self.close(leases, home);
            self.count(leases, home, &mut settled);
        }
        settled
    }

    /// Ends all leases, as [`settle_own`](Self::settle_own) does one.
    pub(super) fn settle_all(&mut self, leases: &Leases) -> Settled {
        let leased = |grants: &[Grant], home: &usize| grants[*home].tokens > 0;
        for home in (0..leases.own.len()).filter(|home| leased(&self.grants, home)) {
            self.close(leases, home);
        }
        if (0..leases.own.len()).any(|home| leased(&self.grants, &home)) {
            asymmetric::heavy();
        }
        let mut settled = Settled::default();
        for home in 0..leases.len() {
            if leased(&self.grants, &home) {
                self.count(leases, home, &mut settled);
            }
        }
        settled
    }

    /// Keeps the owner of `home` from spending there, as soon as it sees it.
    fn close(&self, leases: &Leases, home: usize) {
        if let Some(own) = leases.own.get(home) {
            own.0.limit.store(0, Relaxed);
        }
    }

    /// Counts what was spent of the lease at `home`, which was closed before.
    fn count(&mut self, leases: &Leases, home: usize, settled: &mut Settled) {
        let grant = &mut self.grants[home];
        let spent = if let Some(own) = leases.own.get(home) {
            grant.counted = own.0.spent.load(Acquire);
            grant.counted - grant.from
        } else {
            grant.tokens - leases.shared[home - leases.own.len()].0.left.swap(0, Acquire)
        };
        settled.spent += spent;
        settled.unspent += grant.tokens - spent;
        grant.spent += spent;
        self.outstanding -= grant.tokens;
        grant.tokens = 0;
    }

    /// Whether the lease at `home` was settled with `count` or more.
    pub(super) fn counted(&self, home: usize, count: u64) -> bool {
        self.grants[home].counted >= count
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

    /// Hands `tokens`, already set aside, to `home`, the caller's own, which has just been settled.
    pub(super) fn grant(&mut self, leases: &Leases, home: usize, tokens: u64) {
        if tokens == 0 {
            return;
        }
        let grant = &mut self.grants[home];
        debug_assert_eq!(grant.tokens, 0, "home {home} was not settled");
        if let Some(own) = leases.own.get(home) {
            grant.from = own.0.spent.load(Relaxed);
            own.0.limit.store(grant.from + tokens, Relaxed);
        } else {
            leases.shared[home - leases.own.len()].0.left.fetch_add(tokens, Relaxed);
        }
        grant.tokens = tokens;
        self.outstanding += tokens;
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
        for (own, shared, all) in [(1, 1, false), (1, 1, true), (0, 1, false), (0, 1, true)] {
            let leases = Leases::with(own, shared);
            let mut ledger = Ledger::new(leases.len(), 50_000);
            for round in 0..3 {
                ledger.grant(&leases, 0, 10);
                assert_eq!(leases.spend(0, 7), Spent::Yes);
                assert_eq!(leases.spend(0, 4), Spent::No, "three are left");
                let settled = if all { ledger.settle_all(&leases) } else { ledger.settle_own(&leases, 0) };
                assert_eq!((settled.spent, settled.unspent), (7, 3), "round {round}, {own} own homes");
                assert!(!ledger.any_outstanding());
                assert_eq!(leases.spend(0, 1), Spent::No);
                assert_eq!(leases.spend(0, 0), Spent::Yes, "nothing is always there");
            }
        }
    }

    /// What an owner does whose lease is ended between its two looks at the limit.
    #[test]
    fn a_spending_that_was_not_counted_is_none_and_does_not_count_later() {
        let leases = Leases::with(1, 1);
        let mut ledger = Ledger::new(leases.len(), 50_000);
        ledger.grant(&leases, 0, 10);
        assert_eq!(leases.spend(0, 2), Spent::Yes);
        let settled = ledger.settle_own(&leases, 0);
        assert_eq!((settled.spent, settled.unspent), (2, 8));
        // It had read the old limit, and counts now.
        leases.own[0].0.spent.store(5, Relaxed);
        assert!(ledger.counted(0, 2) && !ledger.counted(0, 5));
        ledger.grant(&leases, 0, 10);
        assert_eq!(leases.spend(0, 10), Spent::Yes, "the new lease is whole");
        assert_eq!(ledger.settle_own(&leases, 0).spent, 10);
        assert!(ledger.counted(0, 15));
    }
}
