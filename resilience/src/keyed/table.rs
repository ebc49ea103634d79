//! The sets: one line of words that callers spend from, and behind a lock the buckets that the words stand for.
//!
//! | | who writes | when |
//! |---|---|---|
//! | a word's tag | the holder of its set's lock | a key takes the way |
//! | a word's tokens, down | anyone, by compare-and-swap of the whole word | spending a lease |
//! | a word's tokens, to zero or up | the holder of the lock, by swap or store | settling, leasing |
//! | a front's entry | see `front` | |
//! | a slot, the floor, the time | the holder of the lock | |
//!
//! A spending succeeds only if tag *and* tokens are what it saw; the same word later means the same key with as much leased, so a
//! way that changed hands in between is found out, or makes no difference.
//!
//! **Orderings.** The words carry counts and no memory; spending is `Relaxed`. A settling swap is `Acquire`, so that the clock is
//! read after it: what was spent is then charged at a time not before the spending (the proof is in `limiter/bucket.rs`).
//! A lease is stored while its word has no tokens, so no spending can be lost under it.

use std::sync::Arc;

use super::front::{AtFront, Ended, Fronts, Held};
use crate::{
    asymmetric,
    limiter::{Bucket, Moment, Plan},
    sync::{
        AtomicU64, Mutex, MutexGuard,
        Ordering::{Acquire, Relaxed},
        lock,
    },
};

/// Ways of a set: words that fill a cache line. Under loom few, since each is a word to look at.
pub(super) const WAYS: usize = if cfg!(tidemill_loom) { 2 } else { 8 };

/// Keys per set that `max_keys` counts on: half of the ways, because hashing fills sets unevenly.
const KEYS_PER_SET: usize = 4;

const TOKEN_BITS: u32 = 16;

/// The most one lease can be.
const MAX_LEASE: u64 = (1 << TOKEN_BITS) - 1;

/// A lease is at most this share of the key's tokens that are open, as for `RateLimiter`.
const SHARE: u64 = 8;

/// Where a key is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) hash: u64,
    set: usize,
    tag: u64,
}

/// A tag and the tokens leased to its key.
#[derive(Clone, Copy, Debug)]
struct Word(u64);

impl Word {
    fn new(tag: u64, tokens: u64) -> Self {
        Self(tag << TOKEN_BITS | tokens)
    }

    fn tag(self) -> u64 {
        self.0 >> TOKEN_BITS
    }

    fn tokens(self) -> u64 {
        self.0 & MAX_LEASE
    }
}

#[derive(Debug)]
pub(super) struct Table {
    words: Box<[Words]>,
    sets: Box<[Mutex<Set>]>,
    fronts: Fronts,
    lease_nanos: u64,
}

#[derive(Debug)]
#[repr(align(64))]
struct Words([AtomicU64; WAYS]);

#[derive(Debug)]
struct Set {
    slots: [Slot; WAYS],
    /// When the last debt of an evicted key is paid, in nanoseconds.
    floor: u64,
    /// The latest time seen here. A clock that steps back is held.
    nanos: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    plan: Arc<Plan>,
    /// The tick, on the plan's grid, at which the bucket is full.
    full_at: u64,
    /// Spent since this time, as far as settled. Nothing is leased before it.
    since: u64,
    spent: u32,
    /// Leased from the word.
    granted: u16,
    number: u16,
    /// Leased at fronts.
    held: Held,
}

impl Slot {
    /// The key's bucket; its word has no lease, but fronts may.
    fn bucket(&self) -> Bucket {
        Bucket::resume(&self.plan, self.full_at, self.held.tokens())
    }

    /// Tokens leased, wherever.
    fn leased(&self) -> u64 {
        u64::from(self.granted) + self.held.tokens()
    }

    /// When all is paid, what is leased included.
    fn paid_at(&self) -> u64 {
        let tick = self.full_at.saturating_add(self.plan.grid.cost(self.leased()));
        self.plan.grid.nanos_at(tick)
    }

    /// Ends the lease of the word, of which `left` tokens are left.
    fn end_word(&mut self, left: u64) -> u64 {
        let spent = u64::from(self.granted) - left;
        self.granted = 0;
        spent
    }

    /// Charges what was spent of leases that have ended, at `nanos`.
    fn charge(&mut self, spent: u64, nanos: u64) {
        if spent > 0 {
            self.spent = self.spent.saturating_add(spent as u32);
            let mut bucket = self.bucket();
            let now = bucket.at(nanos);
            bucket.charge(spent, now);
            self.full_at = bucket.full_at();
        }
    }

    fn change(&mut self, plan: Arc<Plan>, number: usize, nanos: u64) {
        let mut bucket = self.bucket();
        bucket.change(plan.grid, plan.burst, nanos);
        (self.full_at, self.plan, self.number) = (bucket.full_at(), plan, number as u16);
    }
}

impl Table {
    pub(super) fn new(max_keys: usize, lease_nanos: u64, plan: &Arc<Plan>) -> Self {
        let sets = max_keys.div_ceil(KEYS_PER_SET).max(1);
        let slot = Slot {
            plan: Arc::clone(plan),
            full_at: 0,
            since: 0,
            spent: 0,
            granted: 0,
            number: 0,
            held: Held::default(),
        };
        let set = || Set { slots: std::array::from_fn(|_| slot.clone()), floor: 0, nanos: 0 };
        Self {
            words: (0..sets).map(|_| Words(std::array::from_fn(|_| AtomicU64::new(0)))).collect(),
            sets: (0..sets).map(|_| Mutex::new(set())).collect(),
            fronts: Fronts::new(max_keys, lease_nanos > 0),
            lease_nanos,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.words) + size_of_val(&*self.sets) + self.fronts.most_bytes()
    }

    /// The front of the calling thread.
    #[inline]
    pub(super) fn front(&self) -> Option<usize> {
        self.fronts.own()
    }

    pub(super) fn keys(&self) -> usize {
        let words = self.words.iter().flat_map(|words| &words.0);
        // Relaxed: a count of what is there at about the same time.
        words.filter(|word| Word(word.load(Relaxed)).tag() != 0).count()
    }

    /// The upper bits choose the set, the lower ones are the tag. Zero is no tag.
    #[inline]
    pub(super) fn spot(&self, hash: u64) -> Spot {
        let set = (u128::from(hash) * self.words.len() as u128) >> 64;
        let tag = (hash << TOKEN_BITS >> TOKEN_BITS).max(1);
        Spot { hash, set: set as usize, tag }
    }

    #[cfg(test)]
    pub(super) fn fronts(&self) -> &Fronts {
        &self.fronts
    }

    /// Spends `n` tokens of a lease of the key's, if it holds that many. `front` is the caller's.
    #[inline]
    pub(super) fn spend(&self, front: Option<usize>, spot: Spot, n: u64) -> bool {
        if let Some(front) = front {
            match self.fronts.spend(front, spot.hash, spot.tag, n) {
                AtFront::Spent => return true,
                AtFront::Not => {}
                AtFront::Interrupted(spending) => {
                    drop(self.lock(spot.set));
                    if spending.was_counted() {
                        return true;
                    }
                }
            }
        }
        self.spend_word(spot, n)
    }

    fn spend_word(&self, spot: Spot, n: u64) -> bool {
        for word in &self.words[spot.set].0 {
            let mut seen = word.load(Relaxed);
            while Word(seen).tag() == spot.tag && Word(seen).tokens() >= n {
                match word.compare_exchange_weak(seen, seen - n, Relaxed, Relaxed) {
                    Ok(_) => return true,
                    Err(now) => seen = now,
                }
            }
        }
        false
    }

    /// Does `verb` with the key's bucket, which is made if it is not there. The lease of its word is ended before, and that of `front`,
    /// the caller's.
    pub(super) fn visit<R>(
        &self,
        front: Option<usize>,
        spot: Spot,
        (number, plan): (usize, impl Fn(usize) -> Arc<Plan>),
        clock: impl Fn() -> u64,
        verb: impl FnOnce(&mut Visit<'_>) -> R,
    ) -> R {
        let (words, mut set) = (&self.words[spot.set].0, self.lock(spot.set));
        let set = &mut *set;
        let known = find(words, spot.tag);
        let way = known.unwrap_or_else(|| set.cheapest(words));
        let (slot, word) = (&mut set.slots[way], &words[way]);
        let moves = known.is_some() && usize::from(slot.number) != number;
        // Only we change a tag, so it stays what it is.
        let tag = Word(word.load(Relaxed)).tag();
        let ended = front.and_then(|front| self.fronts.end_own(&mut slot.held, front, tag));
        let mut spent = ended.map_or(0, |ended| ended.spent);
        if known.is_none() || moves {
            spent += self.end_all(slot, tag);
        }
        // Acquire: the clock is read after the lease has ended.
        let left = Word(word.swap(Word::new(spot.tag, 0).0, Acquire)).tokens();
        set.nanos = set.nanos.max(clock());
        spent += slot.end_word(left);
        slot.charge(spent, set.nanos);
        if known.is_none() {
            let crowded = tag != 0;
            set.replace(way, plan(number), number, if crowded { self.lease_nanos } else { 0 });
        } else if moves {
            slot.change(plan(number), number, set.nanos);
        }
        let slot = &mut set.slots[way];
        let bucket = slot.bucket();
        let now = bucket.at(set.nanos);
        let mut visit =
            Visit { bucket, now, nanos: &mut set.nanos, slot, word, spot, front, ended, clock: &clock, table: self };
        let result = verb(&mut visit);
        visit.slot.full_at = visit.bucket.full_at();
        result
    }

    /// Ends the leases that a slot has at fronts, and returns what was spent of them.
    fn end_all(&self, slot: &mut Slot, tag: u64) -> u64 {
        if !self.fronts.close(&slot.held, tag) {
            return 0;
        }
        asymmetric::heavy();
        self.fronts.count(&mut slot.held, tag)
    }

    pub(super) fn forget(&self, spot: Spot) {
        let (words, mut set) = (&self.words[spot.set].0, self.lock(spot.set));
        if let Some(way) = find(words, spot.tag) {
            // What was spent of the leases is forgiven as well.
            self.end_all(&mut set.slots[way], spot.tag);
            words[way].swap(0, Relaxed);
            (set.slots[way].granted, set.slots[way].full_at) = (0, 0);
        }
    }

    /// Gives every key on plan `number` another one.
    pub(super) fn change(&self, number: usize, plan: &Arc<Plan>, clock: impl Fn() -> u64) {
        for (words, set) in self.words.iter().zip(0..) {
            let mut set = self.lock(set);
            let Set { slots, nanos, .. } = &mut *set;
            let changes = |slot: &Slot| usize::from(slot.number) == number && !Arc::ptr_eq(&slot.plan, plan);
            // Only we change a tag, so it stays what it is.
            let tag = |way: usize| Word(words.0[way].load(Relaxed)).tag();
            let mut closed = false;
            for (way, slot) in slots.iter().enumerate().filter(|(_, slot)| changes(slot)) {
                closed |= self.fronts.close(&slot.held, tag(way));
            }
            if closed {
                asymmetric::heavy();
            }
            for (way, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| changes(slot)) {
                let spent = self.fronts.count(&mut slot.held, tag(way));
                // Acquire: as in `visit`.
                let left = Word(words.0[way].swap(Word::new(tag(way), 0).0, Acquire)).tokens();
                *nanos = (*nanos).max(clock());
                let spent = spent + slot.end_word(left);
                slot.charge(spent, *nanos);
                slot.change(Arc::clone(plan), number, *nanos);
            }
        }
    }

    fn lock(&self, set: usize) -> MutexGuard<'_, Set> {
        lock(&self.sets[set])
    }
}

/// The way of a tag; only the holder of the lock changes tags.
fn find(words: &[AtomicU64; WAYS], tag: u64) -> Option<usize> {
    words.iter().position(|word| Word(word.load(Relaxed)).tag() == tag)
}

impl Set {
    /// The way whose loss costs least: an empty one, or one that is paid for, without a lease if there is one, or the one that is paid
    /// for soonest. So keys that come all the time stay, and those of a crowded set that do not take turns in the other ways.
    fn cheapest(&self, words: &[AtomicU64; WAYS]) -> usize {
        let price = |way: &usize| {
            let (slot, paid_at) = (&self.slots[*way], self.slots[*way].paid_at());
            (Word(words[*way].load(Relaxed)).tag() != 0, paid_at.max(self.nanos), slot.leased() > 0, paid_at)
        };
        (0..WAYS).min_by_key(price).unwrap_or(0)
    }

    /// Puts a newcomer in place of whom `way` belonged to, whose debt the set remembers. It leases nothing for the first `unleased`
    /// nanoseconds: one who pushes another out may be pushed out soon, and taking back a lease is dear.
    fn replace(&mut self, way: usize, plan: Arc<Plan>, number: usize, unleased: u64) {
        self.floor = self.floor.max(self.slots[way].paid_at());
        let full_at = if self.floor > self.nanos {
            let empty = plan.grid.ceil(self.nanos).saturating_add(plan.grid.cost(plan.burst));
            plan.grid.ceil(self.floor).min(empty)
        } else {
            0
        };
        let (since, held) = (self.nanos.saturating_add(unleased), Held::default());
        self.slots[way] = Slot { plan, full_at, since, spent: 0, granted: 0, number: number as u16, held };
    }
}

/// A key's bucket while its set is locked. Only other threads' fronts may hold leases of it.
pub(super) struct Visit<'a> {
    bucket: Bucket,
    now: Moment,
    nanos: &'a mut u64,
    slot: &'a mut Slot,
    word: &'a AtomicU64,
    spot: Spot,
    front: Option<usize>,
    /// The lease that ended at the caller's own front as the visit began.
    ended: Option<Ended>,
    clock: &'a dyn Fn() -> u64,
    table: &'a Table,
}

impl Visit<'_> {
    pub(super) fn burst(&self) -> u64 {
        self.bucket.burst()
    }

    pub(super) fn nanos(&self) -> u64 {
        *self.nanos
    }

    /// Tokens open to the caller.
    pub(super) fn open(&self) -> u64 {
        self.bucket.open(self.now)
    }

    /// Takes `n` tokens if they are open, from the leases of others if need be.
    pub(super) fn take(&mut self, n: u64) -> bool {
        self.bucket.take(n, self.now) || {
            self.take_back();
            self.bucket.take(n, self.now)
        }
    }

    /// Ends the leases at the fronts of others.
    pub(super) fn take_back(&mut self) {
        if self.slot.held.tokens() == 0 {
            return;
        }
        let spent = self.table.end_all(self.slot, self.spot.tag);
        // The clock is read after the leases have ended.
        *self.nanos = (*self.nanos).max((self.clock)());
        self.slot.full_at = self.bucket.full_at();
        self.slot.charge(spent, *self.nanos);
        self.bucket = self.slot.bucket();
        self.now = self.bucket.at(*self.nanos);
    }

    /// The time at which `n` tokens are open, if nobody else comes.
    pub(super) fn ready_at(&self, n: u64) -> u64 {
        self.bucket.grid.nanos_at(self.bucket.estimate(n, self.now.floor))
    }

    /// How many tokens the caller will want in the next `lease_time`, after `n` more, at the pace of its last lease; or, if it had none
    /// or a very short one, at that of all callers since the latest lease.
    fn foretell(&mut self, n: u64) -> u64 {
        let (slot, now) = (&mut *self.slot, *self.nanos);
        if now < slot.since {
            return 0;
        }
        let all = (u64::from(slot.spent), now.saturating_sub(slot.since));
        (slot.spent, slot.since) = (0, now);
        let own = self.ended.map(|ended| (ended.spent, ended.elapsed(now))).filter(|&(_, elapsed)| elapsed > 0);
        let (spent, elapsed) = own.unwrap_or(all);
        let wanted = spent.saturating_add(n).saturating_mul(self.table.lease_nanos);
        // A pause in the middle of a lease is no reason to begin anew with small ones.
        let least = own.map_or(0, |(spent, _)| spent / 2);
        wanted.checked_div(elapsed).map_or(0, |foretold| foretold.max(least))
    }

    /// After a taking of `n`: leases what the caller will want, as `RateLimiter` does.
    pub(super) fn lease(&mut self, n: u64) {
        let foretold = self.foretell(n);
        let tokens = foretold.min(self.open() / SHARE).min(MAX_LEASE);
        if tokens == 0 {
            return;
        }
        let (tokens, Spot { hash, tag, .. }) = (tokens as u16, self.spot);
        let at_front = self
            .front
            .is_some_and(|front| self.table.fronts.grant(&mut self.slot.held, front, (hash, tag), tokens, *self.nanos));
        if !at_front {
            self.slot.granted = tokens;
            // Relaxed: the word holds no tokens, so nobody else writes it, and it guards nothing.
            self.word.store(Word::new(tag, tokens.into()).0, Relaxed);
        }
    }
}
