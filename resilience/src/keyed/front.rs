//! Fronts: leases of keys that one thread spends by plain loads and stores, in lines that only it writes.
//!
//! The words of a set are for everybody, so spending there takes a locked instruction, which waits for the cache line and lets
//! nothing overtake it. Each of the first few threads therefore has a *front*: a table of small sets of its own, in which a
//! key of the thread's has an entry with its lease. The protocol is that of a home of one thread in `limiter/lease.rs`:
//! `spent`, written by the owner alone; `limit`, written under the lock of the key's set; and the asymmetric fence between the owner's
//! count and its second look at the limit.
//!
//! **A limit** is a number of tokens; or [`CLOSED`], while somebody ends the lease; or [`FREE`] together with what he counted, which is
//! where the owner looks if it was interrupted. Only an entry that is free is given to another key, and only by the owner.
//!
//! **Bounds.** A front has four entries for three keys of `max_keys`, or up to twice as many, and is allocated when its thread
//! leases its first token. A key for which there is no free entry leases from its set's words, as all keys of later threads do.

use std::sync::OnceLock;

use crate::{
    asymmetric,
    sync::{
        AtomicU16, AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    thread,
};

/// Threads with a front, which costs 21 to 43 bytes for each key, and two in each slot of the table.
pub(super) const FRONTS: usize = if cfg!(tidemill_loom) { 2 } else { 8 };

/// Keys that a line counts on, at the most: fewer than its entries, because hashing fills lines unevenly. By the law of Poisson
/// one of 16 among 10,000 finds no place; with two keys per line hardly any, but that was no faster (22 ns for 21), for twice the memory.
const KEYS_PER_LINE: usize = 3;

/// Entries of a line.
const ENTRIES: usize = if cfg!(tidemill_loom) { 2 } else { 4 };

/// Set in the limit of an entry without a lease. The other bits: how much of the last one was spent.
const FREE: u16 = 1 << 15;

/// Somebody ends the lease, and does not know yet how much of it was spent.
const CLOSED: u16 = u16::MAX;

/// The most one lease can be.
const MAX_LEASE: u16 = FREE - 2;

#[derive(Debug)]
pub(super) struct Fronts {
    of_threads: [OnceLock<Box<[Line]>>; FRONTS],
    /// How many threads may have one.
    most: usize,
    /// Lines of a front, a power of two.
    lines: usize,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([Entry; ENTRIES]);

#[derive(Debug)]
struct Entry {
    /// The whole hash of the key. Written and read by the owner.
    key: AtomicU64,
    /// When the lease began, in units of 1,024 ns. Written and read by the owner.
    since: AtomicU32,
    limit: AtomicU16,
    spent: AtomicU16,
}

impl Default for Entry {
    fn default() -> Self {
        let (key, since) = (AtomicU64::new(0), AtomicU32::new(0));
        Self { key, since, limit: AtomicU16::new(FREE), spent: AtomicU16::new(0) }
    }
}

/// What came of an attempt to spend at a front.
#[derive(Clone, Copy, Debug)]
pub(super) enum AtFront<'a> {
    Spent,
    /// No lease that holds as many.
    Not,
    /// The lease was ended meanwhile: [`Interrupted::was_counted`] tells, after whoever did so has let go of the key's set.
    Interrupted(Interrupted<'a>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted<'a> {
    entry: &'a Entry,
    count: u16,
}

impl Interrupted<'_> {
    /// Whether the tokens are spent.
    pub(super) fn was_counted(self) -> bool {
        let limit = self.entry.limit.load(Relaxed);
        debug_assert!(limit & FREE != 0 && limit != CLOSED, "{limit} after the lease was ended");
        limit & !FREE >= self.count
    }
}

/// Where the leases of one key are: how many tokens each front was given, and in which of the line's entries. Two bits per front.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    granted: [u16; FRONTS],
    entries: u16,
    /// The sum of what was granted: each slow call asks for it.
    tokens: u32,
}

impl Held {
    pub(super) fn tokens(&self) -> u64 {
        self.tokens.into()
    }

    fn entry(self, front: usize) -> usize {
        usize::from(self.entries >> (2 * front)) % ENTRIES
    }
}

/// A lease that its owner ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) spent: u64,
    since: u32,
}

impl Ended {
    /// How long ago the lease began, in nanoseconds, to a microsecond and up to an hour.
    pub(super) fn elapsed(self, nanos: u64) -> u64 {
        u64::from(units(nanos).wrapping_sub(self.since)) << UNIT
    }
}

/// The unit of `since`: two to this power of nanoseconds.
const UNIT: u32 = 10;

fn units(nanos: u64) -> u32 {
    (nanos >> UNIT) as u32
}

impl Fronts {
    pub(super) fn new(max_keys: usize, enabled: bool) -> Self {
        let most = if enabled && asymmetric::available() { FRONTS.min(thread::places()) } else { 0 };
        let lines = max_keys.div_ceil(KEYS_PER_LINE).next_power_of_two();
        Self { of_threads: Default::default(), most, lines }
    }

    /// Bytes of all fronts there may be.
    pub(super) fn most_bytes(&self) -> usize {
        self.most * self.lines * size_of::<Line>()
    }

    /// The front of the calling thread, if it may have one.
    #[inline]
    pub(super) fn own(&self) -> Option<usize> {
        // loom's threads are one thread to the system: they say themselves which front is theirs.
        let number = if cfg!(tidemill_loom) { thread::NOBODY } else { thread::number() };
        (number < self.most).then_some(number)
    }

    /// One of the fronts, or none.
    #[cfg(test)]
    pub(super) fn nth(&self, number: usize) -> Option<usize> {
        (number < self.most).then_some(number)
    }

    fn line(&self, front: usize, tag: u64) -> Option<&Line> {
        self.of_threads[front].get().map(|lines| &lines[tag as usize & (lines.len() - 1)])
    }

    /// Spends `n` tokens of the key's lease at the caller's own `front`.
    #[inline]
    pub(super) fn spend(&self, front: usize, hash: u64, tag: u64, n: u64) -> AtFront<'_> {
        let Some(line) = self.line(front, tag) else { return AtFront::Not };
        line.0.get(line.find(hash)).map_or(AtFront::Not, |entry| entry.spend(n))
    }

    /// Gives `tokens`, or as many as a lease can be, to the key at the caller's own `front`, where it holds nothing, at time `nanos`.
    /// Holding the lock of its set.
    pub(super) fn grant(
        &self,
        held: &mut Held,
        front: usize,
        (hash, tag): (u64, u64),
        tokens: u16,
        nanos: u64,
    ) -> bool {
        let tokens = tokens.min(MAX_LEASE);
        let lines = self.of_threads[front].get_or_init(|| (0..self.lines).map(|_| Line::default()).collect());
        let line = &lines[tag as usize & (lines.len() - 1)];
        let known = Some(line.find(hash)).filter(|&at| at < ENTRIES);
        let Some(at) = known.or_else(|| line.0.iter().position(Entry::is_free)) else { return false };
        line.0[at].open(hash, tokens, nanos);
        held.granted[front] = tokens;
        held.tokens += u32::from(tokens);
        held.entries = held.entries & !(3 << (2 * front)) | (at as u16) << (2 * front);
        true
    }

    /// Ends the key's lease at the caller's own `front`, if it has one. Holding the lock of its set.
    pub(super) fn end_own(&self, held: &mut Held, front: usize, tag: u64) -> Option<Ended> {
        let leased = held.granted[front] > 0;
        let entry = self.entry(held, front, tag).filter(|_| leased)?;
        held.tokens -= u32::from(held.granted[front]);
        held.granted[front] = 0;
        Some(Ended { spent: entry.count(), since: entry.since.load(Relaxed) })
    }

    /// Keeps the owners from spending the key's leases, as soon as they see it. Holding the lock of its set. If there were any, the
    /// heavy half of the fence and [`count`](Self::count) have to follow.
    pub(super) fn close(&self, held: &Held, tag: u64) -> bool {
        for entry in self.leased(held, tag) {
            // Relaxed: the fence follows.
            entry.limit.store(CLOSED, Relaxed);
        }
        held.tokens() > 0
    }

    /// What was spent of the key's leases, which are closed; after the heavy half of the fence.
    pub(super) fn count(&self, held: &mut Held, tag: u64) -> u64 {
        let spent = self.leased(held, tag).map(Entry::count).sum();
        (held.granted, held.tokens) = ([0; FRONTS], 0);
        spent
    }

    fn leased<'a>(&'a self, held: &'a Held, tag: u64) -> impl Iterator<Item = &'a Entry> {
        (0..FRONTS).filter(|&front| held.granted[front] > 0).filter_map(move |front| self.entry(held, front, tag))
    }

    fn entry(&self, held: &Held, front: usize, tag: u64) -> Option<&Entry> {
        self.line(front, tag).map(|line| &line.0[held.entry(front)])
    }
}

impl Line {
    /// Which entry is the key's, or `ENTRIES`. All are looked at, since a processor cannot foretell at which of them to stop.
    #[inline]
    fn find(&self, hash: u64) -> usize {
        self.0.iter().enumerate().fold(ENTRIES, |at, (i, entry)| if entry.key.load(Relaxed) == hash { i } else { at })
    }
}

impl Entry {
    #[inline]
    fn spend(&self, n: u64) -> AtFront<'_> {
        let (limit, spent) = (self.limit.load(Relaxed), self.spent.load(Relaxed));
        if limit & FREE != 0 || u64::from(limit - spent) < n {
            return AtFront::Not;
        }
        let count = spent + n as u16;
        self.spent.store(count, Relaxed);
        asymmetric::light();
        if self.limit.load(Relaxed) == limit {
            AtFront::Spent
        } else {
            AtFront::Interrupted(Interrupted { entry: self, count })
        }
    }

    fn is_free(&self) -> bool {
        // Acquire, with the Release in `count`: whoever ended the last lease has read the count that `open` begins anew.
        let limit = self.limit.load(Acquire);
        limit & FREE != 0 && limit != CLOSED
    }

    /// By the owner.
    fn open(&self, hash: u64, tokens: u16, nanos: u64) {
        debug_assert!(self.is_free(), "a lease on a lease");
        self.key.store(hash, Relaxed);
        self.since.store(units(nanos), Relaxed);
        self.spent.store(0, Relaxed);
        self.limit.store(tokens, Relaxed);
    }

    /// Ends the lease, closed before or the caller's own.
    fn count(&self) -> u64 {
        // Acquire: the clock is read after it. Release: see `is_free`.
        let spent = self.spent.load(Acquire);
        self.limit.store(FREE | spent, Release);
        spent.into()
    }
}
