//! What the group's lock guards: children, slots, outcomes, and who waits for them. Pure data: no lock, no user code.
//!
//! Every change returns the wakers that it owes as [`Wakes`], for the caller to wake after the lock. The order of two things is
//! the point of this file: a failure is stored, and claimed as the root, *before* anybody hears of the cancel that it
//! causes. So whatever fails because of the cancel comes later and is never the root (golang/go#27837).
//!
//! The [`Gate`] is beside it, for children enter without the lock as long as nothing is in the way. Methods that have to
//! compare the two are given it; that the lock is held is what they rely on.

use std::{collections::VecDeque, task::Waker};

use super::{
    gate::{self, Gate},
    line::{Line, UNLIMITED},
    live::{Live, Seat},
};

/// Children, slots and outcomes of a group. `O` is what a child leaves.
#[derive(Debug)]
pub(super) struct Core<O> {
    live: Live,
    line: Line,
    /// Whether slots are counted: there is a limit, or there was one.
    lined: bool,
    /// Children that have lent their slot to one of their own.
    lent: Vec<usize>,
    /// How many children have ended.
    ended: usize,
    /// What children left, in order of their ends, with their numbers.
    done: VecDeque<(usize, O)>,
    owner: Option<Owner>,
    /// The child whose failure cancels the group.
    root: Option<usize>,
    /// Somebody was refused because of a cancel, so that not all was done, even if no child failed.
    refused: bool,
    cancelled: bool,
    /// Nobody asks for outcomes any more, and no child may come.
    closed: bool,
}

/// Who waits for outcomes, and for how many.
#[derive(Debug)]
pub(super) struct Owner {
    waker: Waker,
    wants: Wants,
}

/// What the owner waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// The next outcome, or the end of the last child.
    Next,
    /// The end of the last child.
    End,
}

/// What an attempt to enter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Entry {
    /// In: the caller starts the child.
    In(Seat),
    /// All slots are taken.
    Full,
    /// The group was cancelled.
    Cancelled,
    /// The group is over: its owner has waited for it, or dropped it.
    Closed,
}

/// What the caller does after it has released the lock: wakes these, and drops those.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes {
    pub(super) owner: Option<Waker>,
    pub(super) slot: Option<Waker>,
    pub(super) all: Vec<Waker>,
    /// Not to be woken; its destructor may be the user's code.
    pub(super) dropped: Option<Waker>,
}

impl Wakes {
    pub(crate) fn wake(self) {
        let Self { owner, slot, all, dropped } = self;
        drop(dropped);
        for waker in all {
            waker.wake();
        }
        if let Some(waker) = slot {
            waker.wake();
        }
        if let Some(waker) = owner {
            waker.wake();
        }
    }
}

impl<O> Core<O> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            live: Live::default(),
            line: Line::new(limit),
            lined: limit != UNLIMITED,
            lent: Vec::new(),
            ended: 0,
            done: VecDeque::new(),
            owner: None,
            root: None,
            refused: false,
            cancelled: false,
            closed: false,
        }
    }

    /// Whether it begins with a limit.
    pub(super) fn is_lined(&self) -> bool {
        self.lined
    }

    /// Enters a child if a slot is free.
    pub(super) fn enter(&mut self, gate: &Gate) -> Entry {
        if let Some(over) = self.over() {
            return over;
        }
        if !self.lined || self.line.take() { Entry::In(Seat::new(gate.enter())) } else { Entry::Full }
    }

    /// Enters a child, or joins the line if the group is full; the key is that of the new waiter.
    ///
    /// A child that finds the group full hands its own slot to the new one, and waits for a slot for itself: else a group
    /// whose children all spawn would wait for itself for ever.
    pub(super) fn enter_or_join(&mut self, gate: &Gate, parent: Option<usize>, waker: &Waker) -> (Entry, Option<u64>) {
        match self.enter(gate) {
            Entry::Full => {
                let lent = parent.is_some_and(|parent| self.lend(parent));
                let entry = if lent { Entry::In(Seat::new(gate.enter())) } else { Entry::Full };
                (entry, Some(self.line.join(waker)))
            }
            entry => (entry, None),
        }
    }

    /// Lets the slot of a child go to another; `false` if it has none. The child is the one that runs.
    fn lend(&mut self, parent: usize) -> bool {
        let has = !self.lent.contains(&parent);
        if has {
            self.lent.push(parent);
        }
        has
    }

    /// Forgets that `child` has lent its slot; `false` if it has not.
    fn unlend(&mut self, child: usize) -> bool {
        let position = self.lent.iter().position(|lent| *lent == child);
        position.map(|position| self.lent.swap_remove(position)).is_some()
    }

    fn over(&mut self) -> Option<Entry> {
        if self.closed {
            return Some(Entry::Closed);
        }
        self.refused |= self.cancelled;
        self.cancelled.then_some(Entry::Cancelled)
    }

    /// Enters the child of a waiter if it is its turn, and takes the waiter out unless it is `Full`.
    pub(super) fn enter_waiting(&mut self, gate: &Gate, key: u64, waker: &Waker) -> Entry {
        if let Some(over) = self.over() {
            self.line.leave(key);
            return over;
        }
        if self.line.claim(key, waker) { Entry::In(Seat::new(gate.enter())) } else { Entry::Full }
    }

    /// The slot that `parent` has lent is back, and the waiter out of the line; `None` while it waits. The waker is the one
    /// to wake if the parent is gone meanwhile, and its slot goes to the next.
    pub(super) fn reclaim(&mut self, key: u64, parent: usize, waker: &Waker) -> Option<Wakes> {
        if self.cancelled || self.closed {
            self.line.leave(key);
            return Some(Wakes::default());
        }
        if !self.line.claim(key, waker) {
            return None;
        }
        if self.unlend(parent) {
            return Some(Wakes::default());
        }
        self.line.free();
        Some(Wakes { slot: self.line.grant(), ..Wakes::default() })
    }

    /// A waiter gives up.
    pub(super) fn leave_line(&mut self, gate: &Gate, key: u64) -> Wakes {
        self.line.leave(key);
        Wakes { slot: self.line.grant(), owner: self.owner_if_due(gate, false), ..Wakes::default() }
    }

    /// Gives a child a place before it waits, so that it can be [roused](Self::rouse) alone.
    pub(super) fn settle(&mut self, seat: &mut Seat) {
        self.live.settle(seat);
    }

    /// Leaves the waker of a child for a cancel; `false` if it came before.
    pub(super) fn listen(&mut self, seat: &mut Seat, waker: &Waker) -> (bool, Option<Waker>) {
        if self.cancelled {
            return (false, None);
        }
        (true, self.live.listen(seat, waker))
    }

    /// Whether the end of this child is nobody's business but the account's: it never waited, slots are not counted, and the owner
    /// does not wait for it. By far the most children of most groups.
    #[inline]
    pub(super) fn is_quiet(&self, gate: &Gate, seat: Seat) -> bool {
        let last = || gate.entered() == self.ended + 1;
        let unheard = self.owner.as_ref().is_none_or(|owner| owner.wants == Wants::End && !last());
        unheard && !self.lined && !self.closed && seat.is_nowhere()
    }

    /// The end of such a child.
    #[inline]
    pub(super) fn finish_quietly(&mut self, seat: Seat, outcome: Option<O>) {
        self.ended += 1;
        if let Some(outcome) = outcome {
            self.done.push_back((seat.number, outcome));
        }
    }

    /// A child has ended, and its destructors ran. `failed`: it is the root if it is the first to fail. Says whether it is.
    pub(super) fn finish(
        &mut self,
        gate: &Gate,
        seat: Seat,
        outcome: Option<O>,
        failed: bool,
    ) -> (bool, Option<O>, Wakes) {
        let dropped = self.live.leave(seat);
        self.ended += 1;
        let mut granted = None;
        if self.lined && !self.unlend(seat.number) {
            self.line.free();
            granted = self.line.grant();
        }
        let is_root = failed && self.root.is_none() && !self.cancelled;
        if is_root {
            self.root = Some(seat.number);
        }
        let has_news = outcome.is_some();
        let unwanted = match outcome {
            Some(outcome) if !self.closed => {
                self.done.push_back((seat.number, outcome));
                None
            }
            outcome => outcome,
        };
        let owner = self.owner_if_due(gate, has_news);
        (is_root, unwanted, Wakes { owner, slot: granted, dropped, all: Vec::new() })
    }

    /// Takes no more children; the others are to end.
    pub(super) fn cancel(&mut self, gate: &Gate) -> Wakes {
        gate.shut(gate::CANCELLED);
        if std::mem::replace(&mut self.cancelled, true) {
            return Wakes::default();
        }
        Wakes { all: self.live.take_wakers().chain(self.line.wakers()).collect(), ..Wakes::default() }
    }

    /// The waker of one child that is to end alone.
    pub(super) fn rouse(&mut self, seat: Seat) -> Wakes {
        Wakes { all: self.live.take_waker(seat).into_iter().collect(), ..Wakes::default() }
    }

    /// The owner is gone: nobody takes outcomes any more, and no child may come. Says whether one is left.
    pub(super) fn close(&mut self, gate: &Gate) -> (bool, Option<Owner>, VecDeque<(usize, O)>) {
        self.closed = true;
        gate.close();
        (self.busy(gate), self.owner.take(), std::mem::take(&mut self.done))
    }

    /// Whether a child lives, or is about to.
    fn busy(&self, gate: &Gate) -> bool {
        gate.entered() != self.ended || self.line.granted() > 0
    }

    /// The next outcome; `Ok(None)` if no child is left; else the owner waits.
    pub(super) fn next(&mut self, gate: &Gate, waker: &Waker) -> Result<Option<(usize, O)>, Option<Waker>> {
        if let Some(done) = self.done.pop_front() {
            return Ok(Some(done));
        }
        if self.busy(gate) { Err(self.wait(Wants::Next, waker)) } else { Ok(None) }
    }

    /// Whether no child is left; else the owner waits. `close`: none may come afterwards, in the same step.
    pub(super) fn end(&mut self, gate: &Gate, close: bool, waker: &Waker) -> Result<(), Option<Waker>> {
        // Whoever enters between the two looks is seen by the second.
        if self.busy(gate) || (close && !gate.close_at(self.ended)) {
            return Err(self.wait(Wants::End, waker));
        }
        self.closed |= close;
        Ok(())
    }

    /// Gives the waker before, to be dropped without the lock.
    fn wait(&mut self, wants: Wants, waker: &Waker) -> Option<Waker> {
        let before = self.owner.replace(Owner { waker: waker.clone(), wants });
        before.map(|owner| owner.waker)
    }

    fn owner_if_due(&mut self, gate: &Gate, has_news: bool) -> Option<Waker> {
        // Nobody looks at the gate as long as nobody waits: another machine may be writing to it at each spawn.
        let wants = self.owner.as_ref()?.wants;
        if (has_news && wants == Wants::Next) || !self.busy(gate) {
            self.owner.take().map(|owner| owner.waker)
        } else {
            None
        }
    }

    /// Everything that is done, with the number of the root and whether somebody was refused.
    pub(super) fn take_done(&mut self) -> (VecDeque<(usize, O)>, Option<usize>, bool) {
        (std::mem::take(&mut self.done), self.root, self.refused)
    }

    /// Gives the wakers of those that have a slot by it.
    pub(super) fn set_limit(&mut self, gate: &Gate, limit: usize) -> Wakes {
        if limit != UNLIMITED && !self.lined {
            // From here on everybody enters under the lock. Who is in holds a slot.
            self.lined = true;
            self.line.begin(gate.shut(gate::LINED) - self.ended);
        }
        self.line.set_limit(limit);
        Wakes { all: std::iter::from_fn(|| self.line.grant()).collect(), ..Wakes::default() }
    }

    pub(super) fn counts(&self, gate: &Gate) -> Counts {
        let spawned = gate.entered();
        Counts {
            running: spawned - self.ended,
            waiting: self.line.waiting(),
            spawned,
            unread: self.done.len(),
            limit: self.line.limit(),
        }
    }
}

/// Counts of a group at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    pub(crate) spawned: usize,
    pub(crate) unread: usize,
    pub(crate) limit: usize,
}
