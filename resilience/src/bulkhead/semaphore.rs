//! The counting: one word for those who find a permit free, a lock for those who do not.
//!
//! The word holds the free permits and one bit, *line*, which is set while permits must go through the lock: somebody
//! waits, more are out than the limit allows since it was lowered, or all is closed. While it is set nobody takes a
//! permit but the holder of the lock, so nobody overtakes; everybody may give back.
//!
//! ```text
//! take: line clear and enough free?  compare-and-swap.         else: lock, set line, take or queue
//! give back: add; line was clear?    done.                     else: lock, serve
//! serve: pay off what is owed, grant the heads as long as they fit, clear the line if nobody is left
//! ```
//! **Why no waiter is forgotten.** Setting the line and adding permits are read-modify-writes of one word, so one comes
//! before the other. If the permit came first, who set the line sees it free and takes it. If the line came first, who
//! gave the permit back sees the line, and serves. The loom models below try it, with cancellations and changes of the limit.
//!
//! Rejected: a permit left in a place of the thread's own, to save one of the two read-modify-writes (19 ns here for the pair): a
//! release by a plain store can miss the waiter that has just queued, without a fence that costs as much.

use std::{collections::BTreeMap, task::Waker};

use crate::sync::{
    AtomicU64, Mutex, MutexGuard,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    lock,
};

/// Somebody waits, or something else forbids the fast way.
const LINE: u64 = 1 << 63;

/// Of the word, the permits that are free.
const fn free(word: u64) -> u64 {
    word & !LINE
}

#[derive(Debug)]
pub(super) struct Semaphore {
    word: AtomicU64,
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
            waiters: BTreeMap::new(),
            sent_away: BTreeMap::new(),
            issued: 0,
        };
        Self { word: AtomicU64::new(limit), core: Mutex::new(core) }
    }

    /// Takes `permits` if they are free and nobody is in line. One compare-and-swap.
    #[inline]
    pub(super) fn try_take(&self, permits: u64) -> bool {
        let mut seen = self.word.load(Relaxed);
        while seen & LINE == 0 && seen >= permits {
            // Acquire, with the Release in `give_back`: who holds a permit sees what its last holder did.
            match self.word.compare_exchange_weak(seen, seen - permits, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// One atomic addition, and a pass through the lock if somebody is in line.
    #[inline]
    pub(super) fn give_back(&self, permits: u64) {
        let before = self.word.fetch_add(permits, Release);
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
        core.serve(&self.word, &mut woken);
        drop(core);
        for waker in woken {
            waker.wake();
        }
        result
    }

    /// Takes `permits`, or a place in line: `Ok(None)` if they were free after all.
    pub(super) fn enter(&self, permits: u64, priority: u8, max_waiters: usize) -> Result<Option<Place>, Away> {
        self.pass(|core| {
            // Before the look at what is free; see above.
            self.word.fetch_or(LINE, AcqRel);
            if core.closed {
                return Err(Away::Closed);
            }
            if permits > core.limit {
                return Err(Away::TooLarge { limit: core.limit });
            }
            if core.owed == 0 && core.waiters.is_empty() && take(&self.word, permits) {
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
                self.word.fetch_add(permits, Release);
            }
            waiter
        });
        drop(gone);
    }

    /// From now on so many. What is out stays out; those in line who ask for more than that are sent away.
    pub(super) fn resize(&self, limit: u64) {
        self.pass(|core| {
            self.word.fetch_or(LINE, AcqRel);
            let before = std::mem::replace(&mut core.limit, limit);
            if limit >= before {
                let paid = (limit - before).min(core.owed);
                core.owed -= paid;
                self.word.fetch_add(limit - before - paid, Release);
            } else {
                core.owed += before - limit;
                core.less = true;
            }
        });
    }

    pub(super) fn close(&self) {
        self.pass(|core| {
            self.word.fetch_or(LINE, AcqRel);
            core.closed = true;
            core.less = true;
        });
    }

    /// The limit, the permits that are out, and how many wait, all of one moment.
    pub(super) fn counts(&self) -> [u64; 3] {
        let core = self.lock();
        let free = free(self.word.load(Acquire));
        [core.limit, core.limit + core.owed - free, core.waiters.len() as u64]
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }
}

impl Core {
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
        if self.waiters.is_empty() && self.owed == 0 && !self.closed {
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

#[cfg(all(test, tidemill_loom))]
mod loom_models {
    use super::*;
    use loom::{
        sync::Arc,
        thread::{self, Thread},
    };
    use std::task::Wake;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Waits on this thread, as a task would.
    fn wait(semaphore: &Semaphore, place: Place) -> bool {
        let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
        loop {
            match semaphore.listen(place, &waker) {
                Heard::Granted => return true,
                Heard::Away(_) => return false,
                Heard::Waiting(_) => thread::park(),
            }
        }
    }

    fn take_slowly(semaphore: &Semaphore, permits: u64) {
        if semaphore.try_take(permits) {
            return;
        }
        if let Some(place) = semaphore.enter(permits, 0, 9).unwrap() {
            assert!(wait(semaphore, place));
        }
    }

    /// All is back, and the fast way is open.
    fn assert_whole(semaphore: &Semaphore, limit: u64) {
        assert_eq!(semaphore.counts(), [limit, 0, 0]);
        assert!(semaphore.try_take(limit), "the line is still set");
    }

    #[test]
    fn loom_a_permit_given_back_reaches_the_one_who_waits() {
        loom::model(|| {
            let semaphore = Arc::new(Semaphore::new(1));
            let other = {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || {
                    take_slowly(&semaphore, 1);
                    semaphore.give_back(1);
                })
            };
            take_slowly(&semaphore, 1);
            semaphore.give_back(1);
            other.join().unwrap();
            assert_whole(&semaphore, 1);
        });
    }

    #[test]
    fn loom_a_place_given_up_loses_no_permit_and_mints_none() {
        loom::model(|| {
            let semaphore = Arc::new(Semaphore::new(2));
            assert!(semaphore.try_take(1));
            let large = semaphore.enter(2, 0, 9).unwrap().unwrap();
            let small = {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || {
                    take_slowly(&semaphore, 1);
                    semaphore.give_back(1);
                })
            };
            let holder = {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || semaphore.give_back(1))
            };
            semaphore.leave(large, 2);
            small.join().unwrap();
            holder.join().unwrap();
            assert_whole(&semaphore, 2);
        });
    }

    #[test]
    fn loom_a_changed_limit_holds_whoever_gives_back_meanwhile() {
        for (from, to) in [(2, 1), (1, 2)] {
            loom::model(move || {
                let semaphore = Arc::new(Semaphore::new(from));
                assert!(semaphore.try_take(from));
                let holder = {
                    let semaphore = Arc::clone(&semaphore);
                    thread::spawn(move || semaphore.give_back(from))
                };
                let waiter = {
                    let semaphore = Arc::clone(&semaphore);
                    thread::spawn(move || {
                        take_slowly(&semaphore, 1);
                        semaphore.give_back(1);
                    })
                };
                semaphore.resize(to);
                holder.join().unwrap();
                waiter.join().unwrap();
                assert_whole(&semaphore, to);
            });
        }
    }

    #[test]
    fn loom_closing_sends_away_whoever_waits() {
        loom::model(|| {
            let semaphore = Arc::new(Semaphore::new(1));
            assert!(semaphore.try_take(1));
            let waiter = {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || match semaphore.enter(1, 0, 9) {
                    Ok(Some(place)) => wait(&semaphore, place),
                    Ok(None) => true,
                    Err(_) => false,
                })
            };
            semaphore.close();
            semaphore.give_back(1);
            let granted = waiter.join().unwrap();
            assert!(!granted, "nothing is granted once it is closed");
            assert_eq!(semaphore.counts(), [1, 0, 0]);
        });
    }
}
