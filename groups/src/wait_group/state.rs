//! The count of a wait group and the line of those who wait for zero.
//!
//! One word holds three things, so that every change is one compare-and-swap and no two can fall apart:
//!
//! ```text
//!    63 ........ 32   31   30 ........... 0
//!   |    count     | WAIT |   generation   |
//! ```
//!
//! * *count*: what has been added and is not done. The change to zero begins a new *generation* and clears `WAIT`.
//! * `WAIT`: somebody has joined the line since the generation began, so whoever reaches zero has to look there.
//!
//! **Wait** takes the line's lock, sees that the count is not zero, sets `WAIT`, and stands in line with the generation
//! it saw. **Done** that reaches zero with `WAIT` set takes the lock and calls everybody whose generation is over. Either
//! the waiter's swap comes first, and the one to zero sees `WAIT` and then, behind the lock, the waiter; or the zero comes
//! first, and the waiter sees it. A waiter of the *next* generation, which joins between the zero and the lock, stays: its
//! generation is not over. So a group may be used again at once, without a rule of who must have returned before.
//!
//! **Cost**: one compare-and-swap to add, one to be done; the lock only for those who wait, and once for who ends a wait.
//!
//! Rejected: a plain fetch-and-subtract with a lock taken at each zero: whoever takes the lock late cannot tell for which
//! zero its waiters came.

use std::task::Waker;

use crate::sync::{AtomicU64, Mutex, Ordering, lock};

const ONE: u64 = 1 << 32;
const WAIT: u64 = 1 << 31;
const GENERATION: u64 = WAIT - 1;

/// The highest count. Half of what the word has room for.
pub(super) const MAX: usize = u32::MAX as usize / 2;

/// The word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word(u64);

impl Word {
    fn count(self) -> u64 {
        self.0 / ONE
    }

    fn generation(self) -> u64 {
        self.0 & GENERATION
    }

    fn has_waiters(self) -> bool {
        self.0 & WAIT != 0
    }

    fn with_waiters(self) -> Self {
        Self(self.0 | WAIT)
    }

    /// With `more`, if that is not too much.
    fn plus(self, more: u64) -> Option<Self> {
        (self.count() + more <= MAX as u64).then(|| Self(self.0 + more * ONE))
    }

    /// Without one, if there is one. Zero begins a new generation.
    fn minus_one(self) -> Option<Self> {
        match self.count() {
            0 => None,
            1 => Some(Self((self.generation() + 1) & GENERATION)),
            _ => Some(Self(self.0 - ONE)),
        }
    }
}

/// Somebody in line.
#[derive(Debug)]
struct Waiter {
    key: u64,
    generation: u64,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Line {
    waiters: Vec<Waiter>,
    next_key: u64,
}

/// The place of somebody in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    key: u64,
    generation: u64,
}

#[derive(Debug)]
pub(super) struct State {
    word: AtomicU64,
    line: Mutex<Line>,
}

impl State {
    pub(super) fn new() -> Self {
        Self { word: AtomicU64::new(0), line: Mutex::new(Line::default()) }
    }

    /// Acquire, with the Release in `done`: who sees zero sees what was done.
    fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Changes the word, if there is a change to make; gives the word before.
    fn change(&self, change: impl Fn(Word) -> Option<Word>) -> Result<Word, Word> {
        // Release for what was done before `done`; Acquire for the last `done`, which wakes on behalf of all, and for a
        // waiter that finds the count at zero. An `add` needs neither, and pays for neither on x86.
        let changed =
            self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| change(Word(word)).map(|word| word.0));
        changed.map(Word).map_err(Word)
    }

    pub(super) fn count(&self) -> usize {
        usize::try_from(self.load().count()).expect("it is at most MAX")
    }

    /// Adds `more`; `false` if that is too much.
    pub(super) fn add(&self, more: usize) -> bool {
        let Ok(more) = u32::try_from(more) else { return false };
        self.change(|word| word.plus(more.into())).is_ok()
    }

    /// Takes one away; `false` if there was none.
    pub(super) fn done(&self) -> bool {
        let Ok(before) = self.change(Word::minus_one) else { return false };
        if before.count() == 1 && before.has_waiters() {
            self.call();
        }
        true
    }

    /// Wakes everybody whose generation is over.
    #[cold]
    fn call(&self) {
        let mut line = lock(&self.line);
        let now = self.load().generation();
        let over: Vec<Waiter> = line.waiters.extract_if(.., |waiter| waiter.generation != now).collect();
        drop(line);
        over.into_iter().for_each(|waiter| waiter.waker.wake());
    }

    /// Whether the count is zero; else joins the line.
    pub(super) fn join(&self, waker: &Waker) -> Option<Place> {
        if self.load().count() == 0 {
            return None;
        }
        let mut line = lock(&self.line);
        let before = self.change(|word| (word.count() > 0).then(|| word.with_waiters())).ok()?;
        let place = Place { key: line.next_key, generation: before.generation() };
        line.next_key += 1;
        line.waiters.push(Waiter { key: place.key, generation: place.generation, waker: waker.clone() });
        Some(place)
    }

    /// Whether the wait of somebody in line is over; else `waker` is the one to wake.
    pub(super) fn is_over(&self, place: Place, waker: &Waker) -> bool {
        // Whoever began the next generation takes the waiter out, or is about to; it need not come back.
        if self.load().generation() != place.generation {
            return true;
        }
        let mut line = lock(&self.line);
        match line.waiters.iter_mut().find(|waiter| waiter.key == place.key) {
            Some(waiter) => waiter.waker.clone_from(waker),
            // Called since the look.
            None => return true,
        }
        false
    }

    /// Leaves the line, if still there.
    pub(super) fn leave(&self, place: Place) {
        let mut line = lock(&self.line);
        let position = line.waiters.iter().position(|waiter| waiter.key == place.key);
        let left = position.map(|position| line.waiters.swap_remove(position));
        drop(line);
        drop(left);
    }
}

#[cfg(all(test, tidemill_loom))]
#[path = "models.rs"]
mod models;
