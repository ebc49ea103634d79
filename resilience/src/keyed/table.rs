//! The sets: one line of words that callers spend from, and behind a lock the buckets that the words stand for.
//!
//! | | who writes | when |
//! |---|---|---|
//! | a word's tag | the holder of its set's lock | a key takes the way |
//! | a word's tokens, down | anyone, by compare-and-swap of the whole word | spending a lease |
//! | a word's tokens, to zero or up | the holder of the lock, by swap or store | settling, leasing |
//! | a slot, the floor, the time | the holder of the lock | |
//!
//! A spending succeeds only if tag *and* tokens are what it saw; the same word later means the same key with as much leased, so a
//! way that changed hands in between is found out, or makes no difference.
//!
//! **Orderings.** The words carry counts and no memory; spending is `Relaxed`. A settling swap is `Acquire`, so that the clock is
//! read after it: what was spent is then charged at a time not before the spending (the proof is in `limiter/bucket.rs`).
//! A lease is stored while its word has no tokens, so no spending can be lost under it.

use std::sync::Arc;

use crate::{
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
    /// Spent since this time, as far as settled.
    since: u64,
    spent: u32,
    granted: u16,
    number: u16,
}

impl Slot {
    fn bucket(&self) -> Bucket {
        Bucket::resume(&self.plan, self.full_at)
    }

    /// When all is paid, what is leased included.
    fn paid_at(&self) -> u64 {
        let tick = self.full_at.saturating_add(self.plan.grid.cost(u64::from(self.granted)));
        self.plan.grid.nanos_at(tick)
    }

    /// Ends the lease of which `left` tokens are left, at `nanos`.
    fn settle(&mut self, left: u64, nanos: u64) {
        let spent = u64::from(self.granted) - left;
        self.granted = 0;
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
        let slot = Slot { plan: Arc::clone(plan), full_at: 0, since: 0, spent: 0, granted: 0, number: 0 };
        let set = || Set { slots: std::array::from_fn(|_| slot.clone()), floor: 0, nanos: 0 };
        Self {
            words: (0..sets).map(|_| Words(std::array::from_fn(|_| AtomicU64::new(0)))).collect(),
            sets: (0..sets).map(|_| Mutex::new(set())).collect(),
            lease_nanos,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.words) + size_of_val(&*self.sets)
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

    /// Spends `n` tokens of the key's lease, if it holds that many.
    #[inline]
    pub(super) fn spend(&self, spot: Spot, n: u64) -> bool {
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

    /// Does `verb` with the key's bucket, whose lease is ended before, and which is made if it is not there.
    pub(super) fn visit<R>(
        &self,
        spot: Spot,
        number: usize,
        plan: impl Fn(usize) -> Arc<Plan>,
        nanos: impl FnOnce() -> u64,
        verb: impl FnOnce(&mut Visit<'_>) -> R,
    ) -> R {
        let (words, mut set) = (&self.words[spot.set].0, self.lock(spot.set));
        let set = &mut *set;
        let known = find(words, spot.tag);
        let way = known.unwrap_or_else(|| set.cheapest(words));
        // Acquire: the clock is read after the lease has ended.
        let left = Word(words[way].swap(Word::new(spot.tag, 0).0, Acquire)).tokens();
        set.nanos = set.nanos.max(nanos());
        set.slots[way].settle(left, set.nanos);
        if known.is_none() {
            set.replace(way, plan(number), number);
        } else if usize::from(set.slots[way].number) != number {
            set.slots[way].change(plan(number), number, set.nanos);
        }
        let bucket = set.slots[way].bucket();
        let now = bucket.at(set.nanos);
        let mut visit = Visit {
            bucket,
            now,
            nanos: set.nanos,
            slot: &mut set.slots[way],
            word: &words[way],
            tag: spot.tag,
            table: self,
        };
        let result = verb(&mut visit);
        visit.slot.full_at = visit.bucket.full_at();
        result
    }

    pub(super) fn forget(&self, spot: Spot) {
        let (words, mut set) = (&self.words[spot.set].0, self.lock(spot.set));
        if let Some(way) = find(words, spot.tag) {
            // Relaxed: what was spent of the lease is forgiven as well.
            words[way].swap(0, Relaxed);
            (set.slots[way].granted, set.slots[way].full_at) = (0, 0);
        }
    }

    /// Gives every key on plan `number` another one.
    pub(super) fn change(&self, number: usize, plan: &Arc<Plan>, nanos: impl Fn() -> u64) {
        for (words, set) in self.words.iter().zip(0..) {
            let mut set = self.lock(set);
            for (word, way) in words.0.iter().zip(0..) {
                if usize::from(set.slots[way].number) == number && !Arc::ptr_eq(&set.slots[way].plan, plan) {
                    // Only we change a tag, so it stays what it is. Acquire: as in `visit`.
                    let tag = Word(word.load(Relaxed)).tag();
                    let left = Word(word.swap(Word::new(tag, 0).0, Acquire)).tokens();
                    set.nanos = set.nanos.max(nanos());
                    let nanos = set.nanos;
                    set.slots[way].settle(left, nanos);
                    set.slots[way].change(Arc::clone(plan), number, nanos);
                }
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
    /// The way whose loss costs least: an empty one, or the one that is paid for soonest.
    fn cheapest(&self, words: &[AtomicU64; WAYS]) -> usize {
        let price = |way: &usize| (Word(words[*way].load(Relaxed)).tag() != 0, self.slots[*way].paid_at());
        (0..WAYS).min_by_key(price).unwrap_or(0)
    }

    /// Puts a newcomer in place of whom `way` belonged to, whose debt the set remembers.
    fn replace(&mut self, way: usize, plan: Arc<Plan>, number: usize) {
        self.floor = self.floor.max(self.slots[way].paid_at());
        let full_at = if self.floor > self.nanos {
            let empty = plan.grid.ceil(self.nanos).saturating_add(plan.grid.cost(plan.burst));
            plan.grid.ceil(self.floor).min(empty)
        } else {
            0
        };
        self.slots[way] = Slot { plan, full_at, since: self.nanos, spent: 0, granted: 0, number: number as u16 };
    }
}

/// A key's bucket while its set is locked. It has no lease.
pub(super) struct Visit<'a> {
    bucket: Bucket,
    now: Moment,
    nanos: u64,
    slot: &'a mut Slot,
    word: &'a AtomicU64,
    tag: u64,
    table: &'a Table,
}

impl Visit<'_> {
    pub(super) fn burst(&self) -> u64 {
        self.bucket.burst()
    }

    pub(super) fn nanos(&self) -> u64 {
        self.nanos
    }

    pub(super) fn open(&self) -> u64 {
        self.bucket.open(self.now)
    }

    pub(super) fn take(&mut self, n: u64) -> bool {
        self.bucket.take(n, self.now)
    }

    /// The time at which `n` tokens are open, if nobody else comes.
    pub(super) fn ready_at(&self, n: u64) -> u64 {
        self.bucket.grid.nanos_at(self.bucket.estimate(n, self.now.floor))
    }

    /// After a taking of `n`: leases what the key will want in the next `lease_time`, at the pace seen, as `RateLimiter` does.
    pub(super) fn lease(&mut self, n: u64) {
        let elapsed = self.nanos.saturating_sub(self.slot.since);
        let spent = u64::from(self.slot.spent).saturating_add(n);
        (self.slot.spent, self.slot.since) = (0, self.nanos);
        let foretold = spent.saturating_mul(self.table.lease_nanos).checked_div(elapsed).unwrap_or(0);
        let tokens = foretold.min(self.open() / SHARE).min(MAX_LEASE);
        self.slot.granted = tokens as u16;
        // Relaxed: the word holds no tokens, so nobody else writes it, and it guards nothing.
        self.word.store(Word::new(self.tag, tokens).0, Relaxed);
    }
}
