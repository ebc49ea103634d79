//! The counting: a place of its own for who gives back and takes again, one word for all, a lock for those who find no permit free.
//!
//! The word holds the permits that are free, and one bit, *line*, which is set while permits must go through the lock: somebody
//! waits, more are out than the limit allows since it was lowered, or all is closed. While it is set nobody takes a
//! permit but the holder of the lock, so nobody overtakes; everybody may give back.
//!
//! Threads may *keep* what they give back, and take it again without an atomic operation (see `kept`). Only while the line is clear:
//! whoever sets it, and whoever finds too little in the word, first brings back what is kept, under the lock. That takes microseconds,
//! so it is the end of keeping until the word has been taken from [`KEEP_AFTER`] times; by then the atomic operations
//! that this cost are as long as it was, so whatever happens next, it is at most twice the time of the better way.
//!
//! ```text
//! take: kept here?  take it.   line clear and enough free?  compare-and-swap.   else: lock, bring back, set line, take or queue
//! give back: room to keep it?  keep it.   else: add; line was clear?  done.     else: lock, serve
//! serve: pay off what is owed, grant the heads as long as they fit, clear the line if nobody is left
//! ```
//! **Why no waiter is forgotten.** Setting the line and adding permits are read-modify-writes of one word, so one comes
//! before the other. If the permit came first, who set the line sees it free and takes it. If the line came first, who
//! gave the permit back sees the line, and serves. Who keeps a permit either is seen by who brings back, or sees that
//! nothing may be kept any more (see `lanes`). The loom models in `models` try it, with cancellations and changes of the limit.
//!
//! Rejected: keeping with fences on both sides, or in places that are emptied with a `swap` (as many atomic operations as
//! without); keeping again as soon as the line is empty (a full bulkhead would bring back at every wait).

use std::{collections::BTreeMap, task::Waker};

use super::kept::Kept;
use crate::sync::{
    AtomicU64, Mutex, MutexGuard,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    Padded, lock,
};

/// Somebody waits, or something else forbids the fast way.
const LINE: u64 = 1 << 63;

/// Limits have 32 bits, and what is free is never more than the largest so far.
const FREE: u64 = (1 << 40) - 1;

/// Takes from the word are counted above that, in the compare-and-swap that is needed anyway, up to [`KEEP_AFTER`].
const ONE_TAKE: u64 = 1 << 40;
const KEEP_AFTER: u64 = 1 << 12;

/// So many were counted; it counts no further.
const ENOUGH_TAKES: u64 = ONE_TAKE * KEEP_AFTER;
const TAKES: u64 = ENOUGH_TAKES | (ENOUGH_TAKES - ONE_TAKE);

/// Of the word, the permits that are free.
const fn free(word: u64) -> u64 {
    word & FREE
}

/// The word after `permits` were taken the fast way.
const fn taken(word: u64, permits: u64) -> u64 {
    let take = if word & ENOUGH_TAKES == 0 { ONE_TAKE } else { 0 };
    word + take - permits
}

#[derive(Debug)]
pub(super) struct Semaphore {
    /// Apart from what every take reads: others write it.
    word: Padded<AtomicU64>,
    /// Those that are free and those that are out: the limit and what is owed. Written by the holder of the lock.
    all: AtomicU64,
    pub(super) kept: Kept,
    core: Mutex<Core>,
}

#[derive(Debug)]
struct Core {
    limit: u64,
    /// Permits that are out beyond the limit: what comes back first pays them off.
    owed: u64,
    closed: bool,
    /// It was closed, or its limit lowered, and those in line do not know yet.
    less: bool,
    /// Threads kept permits before this pass, and may go on with it after.
    keep_on: bool,
    waiters: BTreeMap<Place, Waiter>,
    /// Those who were sent away while they waited, until they look.
    sent_away: BTreeMap<Place, Away>,
    issued: u64,
}

/// A place in line: the lower, the earlier. The higher priority first, then who came first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    behind: u8,
    number: u64,
}

#[derive(Debug)]
struct Waiter {
    permits: u64,
    waker: Option<Waker>,
}

/// Why there is nothing to wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Away {
    Closed,
    TooLarge { limit: u64 },
    LineFull { waiters: usize },
}

/// What a look at the line tells a waiter.
#[derive(Debug)]
pub(super) enum Heard {
    Granted,
    /// The waker it replaced, if any, is dropped after the lock is let go: it may end a task that wants the lock.
    Waiting(Option<Waker>),
    Away(Away),
}

impl Semaphore {
    pub(super) fn new(limit: u64) -> Self {
        let core = Core {
            limit,
            owed: 0,
            closed: false,
            less: false,
            keep_on: false,
            waiters: BTreeMap::new(),
            sent_away: BTreeMap::new(),
            issued: 0,
        };
        Self {
            word: Padded(AtomicU64::new(limit)),
            all: AtomicU64::new(limit),
            kept: Kept::new(),
            core: Mutex::new(core),
        }
    }

    /// As `new`, but threads keep no permits, so that the word tells how many are out.
    pub(super) fn without_keeping(limit: u64) -> Self {
        let semaphore = Self::new(limit);
        semaphore.word.0.fetch_or(ENOUGH_TAKES, Relaxed);
        semaphore
    }

    /// Takes `permits` if they are free and nobody is in line. One compare-and-swap, or none if this thread kept them.
    #[inline]
    pub(super) fn try_take(&self, permits: u64) -> bool {
        self.kept.take(permits) || self.try_take_from_word(permits)
    }

    #[inline]
    pub(super) fn try_take_from_word(&self, permits: u64) -> bool {
        let mut seen = self.word.0.load(Relaxed);
        while seen & LINE == 0 && free(seen) >= permits {
            let after = taken(seen, permits);
            // Acquire, with the Release in `give_back`: who holds a permit sees what its last holder did.
            match self.word.0.compare_exchange_weak(seen, after, Acquire, Relaxed) {
                Ok(_) => {
                    if (after & !seen) & ENOUGH_TAKES != 0 {
                        self.keep();
                    }
                    return true;
                }
                Err(now) => seen = now,
            }
        }
        seen & LINE == 0 && self.take_scattered(permits)
    }

    /// There is too little in the word: the rest may be with the threads.
    #[inline]
    fn take_scattered(&self, permits: u64) -> bool {
        if self.kept.is_closed() {
            // Unless it was brought back just now there is no more than what was seen.
            let seen = self.word.0.load(Relaxed);
            return free(seen) >= permits && seen & LINE == 0 && self.take_locked(permits);
        }
        self.take_locked(permits)
    }

    /// Without the line, so that nobody is refused for that alone.
    #[cold]
    fn take_locked(&self, permits: u64) -> bool {
        let _core = self.lock();
        self.bring_back();
        let take = |word| (word & LINE == 0 && free(word) >= permits).then(|| word - permits);
        self.word.0.fetch_update(Acquire, Relaxed, take).is_ok()
    }

    /// From now on threads keep what they give back, if nobody waits. Called with no lock held.
    #[cold]
    pub(super) fn keep(&self) {
        let core = self.lock();
        if core.is_line_empty() {
            self.kept.open(core.limit);
        } else {
            self.word.0.fetch_and(!TAKES, Relaxed);
        }
    }

    /// What threads kept is in the word, for the holder of the lock. Whether they may have had any.
    fn bring_back(&self) -> bool {
        let was_open = self.kept.close(&self.word.0);
        if was_open {
            // Relaxed: a count of takes, no permits.
            self.word.0.fetch_and(!TAKES, Relaxed);
        }
        was_open
    }

    /// One atomic addition, or none if this thread keeps them; a pass through the lock if somebody is in line.
    #[inline]
    pub(super) fn give_back(&self, permits: u64) {
        if !self.kept.put(permits) {
            self.give_back_to_word(permits);
        }
    }

    #[inline]
    pub(super) fn give_back_to_word(&self, permits: u64) {
        let before = self.word.0.fetch_add(permits, Release);
        if before & LINE != 0 {
            self.serve();
        }
    }

    #[cold]
    fn serve(&self) {
        self.pass(|_| ());
    }

    /// Locks, does `verb`, serves, and wakes whom that concerns after the lock is let go.
    fn pass<R>(&self, verb: impl FnOnce(&mut Core) -> R) -> R {
        let mut woken = Vec::new();
        let mut core = lock(&self.core);
        let result = verb(&mut core);
        core.serve(&self.word.0, &mut woken);
        // Relaxed: for `in_use`, which promises nothing.
        self.all.store(core.limit + core.owed, Relaxed);
        if std::mem::take(&mut core.keep_on) && core.is_line_empty() {
            self.kept.open(core.limit);
        }
        drop(core);
        for waker in woken {
            waker.wake();
        }
        result
    }

    /// Takes `permits`, or a place in line: `Ok(None)` if they were free after all.
    pub(super) fn enter(&self, permits: u64, priority: u8, max_waiters: usize) -> Result<Option<Place>, Away> {
        self.pass(|core| {
            self.bring_back();
            // Before the look at what is free; see above.
            self.word.0.fetch_or(LINE, AcqRel);
            if core.closed {
                return Err(Away::Closed);
            }
            if permits > core.limit {
                return Err(Away::TooLarge { limit: core.limit });
            }
            if core.owed == 0 && core.waiters.is_empty() && take(&self.word.0, permits) {
                return Ok(None);
            }
            let waiters = core.waiters.len();
            if waiters >= max_waiters {
                return Err(Away::LineFull { waiters });
            }
            let place = Place { behind: u8::MAX - priority, number: core.issued };
            core.issued += 1;
            core.waiters.insert(place, Waiter { permits, waker: None });
            Ok(Some(place))
        })
    }

    /// Whether `place` was granted; if not, `waker` is woken when that changes.
    pub(super) fn listen(&self, place: Place, waker: &Waker) -> Heard {
        let mut core = self.lock();
        if let Some(away) = core.sent_away.remove(&place) {
            return Heard::Away(away);
        }
        let Some(waiter) = core.waiters.get_mut(&place) else {
            return Heard::Granted;
        };
        if waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return Heard::Waiting(None);
        }
        Heard::Waiting(waiter.waker.replace(waker.clone()))
    }

    /// Gives up `place`, or the `permits` that were granted to it already.
    pub(super) fn leave(&self, place: Place, permits: u64) {
        // Serves: who was behind a large head may fit. The waker is dropped after the lock is let go.
        let gone = self.pass(|core| {
            let waiter = core.waiters.remove(&place);
            if waiter.is_none() && core.sent_away.remove(&place).is_none() {
                self.word.0.fetch_add(permits, Release);
            }
            waiter
        });
        drop(gone);
    }

    /// From now on so many. What is out stays out; those in line who ask for more than that are sent away.
    pub(super) fn resize(&self, limit: u64) {
        self.pass(|core| {
            core.keep_on = self.bring_back();
            self.word.0.fetch_or(LINE, AcqRel);
            let before = std::mem::replace(&mut core.limit, limit);
            if limit >= before {
                let paid = (limit - before).min(core.owed);
                core.owed -= paid;
                self.word.0.fetch_add(limit - before - paid, Release);
            } else {
                core.owed += before - limit;
                core.less = true;
            }
        });
    }

    pub(super) fn close(&self) {
        self.pass(|core| {
            self.bring_back();
            self.word.0.fetch_or(LINE, AcqRel);
            core.closed = true;
            core.less = true;
        });
    }

    /// The limit, the permits that are out, and how many wait, all of one moment.
    pub(super) fn counts(&self) -> [u64; 3] {
        let core = self.lock();
        let was_open = self.bring_back();
        let free = free(self.word.0.load(Acquire));
        if was_open {
            self.kept.open(core.limit);
        }
        [core.limit, core.limit + core.owed - free, core.waiters.len() as u64]
    }

    /// Whether no permit is out and nobody waits. Ends the keeping.
    pub(super) fn is_idle(&self) -> bool {
        let core = self.lock();
        self.bring_back();
        core.waiters.is_empty() && free(self.word.0.load(Acquire)) == core.limit + core.owed
    }

    /// About how many permits are out, if threads keep none.
    pub(super) fn in_use(&self) -> u64 {
        self.all.load(Relaxed).saturating_sub(free(self.word.0.load(Relaxed)))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }
}

impl Core {
    /// Nobody has to go through the lock.
    fn is_line_empty(&self) -> bool {
        self.waiters.is_empty() && self.owed == 0 && !self.closed
    }

    /// Does what is due. Called at the end of every pass.
    fn serve(&mut self, word: &AtomicU64, woken: &mut Vec<Waker>) {
        if self.owed > 0 {
            self.owed -= take_up_to(word, self.owed);
        }
        self.send_away(woken);
        while self.owed == 0
            && let Some(head) = self.waiters.first_entry()
            && take(word, head.get().permits)
        {
            woken.extend(head.remove().waker);
        }
        if self.is_line_empty() {
            // Release: no more than the count travels with it; whoever takes next meets the `give_back` in it as well.
            word.fetch_and(!LINE, Release);
        }
    }

    /// Those for whom waiting has become pointless.
    fn send_away(&mut self, woken: &mut Vec<Waker>) {
        if !std::mem::take(&mut self.less) {
            return;
        }
        let (closed, limit) = (self.closed, self.limit);
        let pointless = |waiter: &Waiter| closed || waiter.permits > limit;
        let away = if closed { Away::Closed } else { Away::TooLarge { limit } };
        let (going, staying): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.waiters).into_iter().partition(|(_, waiter)| pointless(waiter));
        self.waiters = staying;
        for (place, waiter) in going {
            self.sent_away.insert(place, away);
            woken.extend(waiter.waker);
        }
    }
}

/// Takes permits out, for the holder of the lock with the line set: nobody else takes meanwhile.
fn take(word: &AtomicU64, permits: u64) -> bool {
    let enough = free(word.load(Relaxed)) >= permits;
    if enough {
        // Acquire, as in `try_take`.
        word.fetch_sub(permits, Acquire);
    }
    enough
}

fn take_up_to(word: &AtomicU64, most: u64) -> u64 {
    let permits = free(word.load(Relaxed)).min(most);
    word.fetch_sub(permits, Acquire);
    permits
}
