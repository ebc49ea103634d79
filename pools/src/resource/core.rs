//! The state machine of a resource pool: who has what, who is next, how many may still be made. No clock, no runtime, no
//! user code, no await: every verb is one step under the lock, and what is left to do outside comes back as a value.
//!
//! Each living resource is counted in `live` from the moment it is made until it is closed, and is in exactly one place:
//! on the shelf (idle), in the line (given to a waiter), out (with a user, or being proven by one), being checked for
//! keep-alive, or being closed. A place that is promised to a resource in the making is counted in `creating`.
//!
//! Invariants, at every release of the lock:
//! 1. `live + creating <= max`, but after `max` was lowered, until enough have come back;
//! 2. if the shelf is not empty, nobody waits: whoever finds something on the shelf overtakes nobody;
//! 3. if somebody waits or fewer than `min_idle` are idle, and there is room, a resource is in the making (as many as
//!    `at_once` allows);
//! 4. when the pool is closed the shelf is empty, and what comes back is closed.
//!
//! A pool that shares a bound with others has a `seat` (see `common`); "room" means there as well then, and 3 includes that a
//! demand is left where it is not.
//!
//! **Making is elided.** `missing` is what the waiters, or else `min_idle`, want *now*. A caller does not own the resource that
//! is made because of it: it takes whatever comes first, and a resource in the making that is no longer needed when its
//! turn comes is not made. (After HikariCP: 50 callers with queries of 2 ms need no 45 connections of 150 ms each.)
//!
//! Checked in `model.rs`: every sequence of verbs up to a length.

use std::{collections::VecDeque, task::Waker, time::Duration};

use tokio::time::Instant;

use super::{
    common::{NOBODY, Seat},
    entry::Entry,
    holders::{Holders, Return, Who},
    line::Line,
    outcome::{Placed, Standing, Todo},
    stats::{CloseReason, Counts, ResourceStats},
};

/// Which idle resource is taken first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{IdleOrder, Manager, ResourcePool};
///
/// let pool = ResourcePool::builder(Numbers).idle_order(IdleOrder::Fifo).build()?;
/// let (first, second) = (pool.get().await?, pool.get().await?);
/// let id = first.id();
/// drop(first);
/// drop(second);
/// assert_eq!(pool.get().await?.id(), id); // with `Lifo`, the second one
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleOrder {
    /// The one returned last: its caches are warm, and those that are too many stay idle until they are closed.
    #[default]
    Lifo,
    /// The one idle for longest: use is spread evenly. Under load none is ever idle for long, so the idle time-out
    /// seldom closes any.
    Fifo,
}

/// The numbers a pool obeys; `max` and `min_idle` can change while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) max: usize,
    pub(super) min_idle: usize,
    /// Resources in the making at the same time.
    pub(super) at_once: usize,
    pub(super) max_waiting: usize,
    pub(super) order: IdleOrder,
}

/// Everything the lock guards. In the order of use: what each get and return touches shares few cache lines, which two threads
/// have to send each other.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Core<R> {
    /// In order of `idle_since`.
    shelf: VecDeque<Box<Entry<R>>>,
    line: Line<Box<Entry<R>>>,
    live: usize,
    checking: usize,
    closing: usize,
    creating: usize,
    pub(super) limits: Limits,
    next_key: u64,
    /// Resources with a smaller number are closed when they come back.
    evict_below: u64,
    pub(super) closed: bool,
    /// Where the pool shares a bound with others.
    seat: Option<Seat>,
    pub(super) holders: Holders,
    pub(super) counts: Counts,
    next_id: u64,
}

impl<R> Core<R> {
    pub(super) fn new(limits: Limits, seat: Option<Seat>) -> Self {
        Self {
            shelf: VecDeque::new(),
            line: Line::default(),
            holders: Holders::default(),
            counts: Counts::default(),
            limits,
            live: 0,
            checking: 0,
            closing: 0,
            creating: 0,
            closed: false,
            next_key: 0,
            next_id: 1,
            evict_below: 0,
            seat,
        }
    }

    // A caller, from its arrival to its resource.

    /// A newcomer's place in the order of arrival.
    pub(super) fn arrive(&mut self) -> u64 {
        self.next_key = self.seat.as_ref().map_or(self.next_key + 1, Seat::arrive);
        self.next_key
    }

    /// An idle resource, which is the caller's then.
    pub(super) fn take(&mut self, who: Who, now: Instant) -> Option<(Box<Entry<R>>, Todo)> {
        let entry = match self.limits.order {
            IdleOrder::Lifo => self.shelf.pop_back(),
            IdleOrder::Fifo => self.shelf.pop_front(),
        }?;
        Some((self.check_out(entry, who, now), self.todo(None)))
    }

    /// As [`take`](Self::take), if the one that is next is `wanted`.
    pub(super) fn take_if(
        &mut self,
        who: Who,
        now: Instant,
        wanted: impl FnOnce(&Entry<R>) -> bool,
    ) -> Option<(Box<Entry<R>>, Todo)> {
        let next = match self.limits.order {
            IdleOrder::Lifo => self.shelf.back(),
            IdleOrder::Fifo => self.shelf.front(),
        };
        next.is_some_and(|entry| wanted(entry)).then(|| self.take(who, now)).flatten()
    }

    /// As [`take`](Self::take), or else joins the line.
    pub(super) fn take_or_join(&mut self, key: u64, who: &Who, waker: &Waker, now: Instant) -> Standing<R> {
        if self.closed {
            return Standing::Closed(Todo::default());
        }
        if let Some((entry, todo)) = self.take(who.clone(), now) {
            return Standing::Got(entry, todo);
        }
        if self.line.waiting() >= self.limits.max_waiting {
            self.counts.refused += 1;
            return Standing::Refused;
        }
        self.line.join(key, waker);
        Standing::Waiting(self.todo(None))
    }

    /// How it stands for one in line. `since` is when it joined.
    pub(super) fn look(&mut self, key: u64, who: &Who, waker: &Waker, since: Instant, now: Instant) -> Standing<R> {
        let (given, spent) = if self.closed { self.line.leave(key) } else { self.line.look(key, waker) };
        let todo = Todo { spent, ..Todo::default() };
        if let Some(entry) = given {
            self.counts.waits.record(now.duration_since(since));
            return Standing::Got(self.check_out(entry, who.clone(), now), todo);
        }
        if self.closed { Standing::Closed(todo) } else { Standing::Waiting(todo) }
    }

    /// One in line gives up. What it was given and has not seen goes to the next.
    pub(super) fn leave(&mut self, key: u64) -> (Option<Placed<R>>, Todo) {
        let (given, spent) = self.line.leave(key);
        let placed = given.map(|entry| self.place(entry));
        (placed, Todo { spent, ..self.todo(None) })
    }

    fn check_out(&mut self, mut entry: Box<Entry<R>>, who: Who, now: Instant) -> Box<Entry<R>> {
        entry.uses += 1;
        self.counts.checkouts += 1;
        self.holders.check_out(entry.row, who, now);
        self.counts.most_in_use = self.counts.most_in_use.max(self.in_use());
        entry
    }

    // A resource, from its making to its end.

    /// One that was made elsewhere takes a free place, if there is one.
    pub(super) fn reserve(&mut self) -> bool {
        let free = !self.closed && self.live + self.creating < self.limits.max;
        let free = free && self.seat.as_mut().is_none_or(Seat::take);
        self.creating += usize::from(free);
        free
    }

    /// A new resource takes the place that was kept for it.
    pub(super) fn created(&mut self, resource: R, expires: Option<Instant>, now: Instant) -> Placed<R> {
        self.creating -= 1;
        self.live += 1;
        self.counts.created += 1;
        let id = self.next_id;
        self.next_id += 1;
        let row = self.holders.enter(id);
        self.place(Box::new(Entry { resource, id, row, born: now, expires, idle_since: now, proven: now, uses: 0 }))
    }

    /// Whether the resource for which a place is kept is worth an attempt, or another one.
    pub(super) fn still_needed(&self) -> bool {
        !self.closed && self.lasting() <= self.limits.max && self.creating <= self.missing()
    }

    /// Gives back a place that was kept for a resource in the making.
    pub(super) fn give_up_creating(&mut self) -> Todo {
        self.vacate_creating();
        self.todo(None)
    }

    /// As [`give_up_creating`](Self::give_up_creating), and starts nothing in its stead.
    pub(super) fn lose_creating(&mut self) -> Todo {
        self.vacate_creating();
        if let Some(seat) = &mut self.seat {
            seat.claim(0, |_| NOBODY);
        }
        Todo { over: self.is_over(), unsettled: self.take_unsettled(), ..Todo::default() }
    }

    fn vacate_creating(&mut self) {
        self.creating -= 1;
        self.seat.iter_mut().for_each(Seat::release);
    }

    /// A user returns a resource, which works if it was `used`, with a verdict if it is not to be kept.
    pub(super) fn put(
        &mut self,
        mut entry: Box<Entry<R>>,
        used: bool,
        verdict: Option<CloseReason>,
        now: Instant,
    ) -> Placed<R> {
        if !self.holders.knows(entry.row, entry.id) {
            return Placed::Stray(entry);
        }
        let back = self.holders.check_in(entry.row);
        self.counts.returned_late += u64::from(back == Return::Late);
        let verdict = verdict.or_else(|| entry.is_expired(now).then_some(CloseReason::MaxLife));
        if let Some(reason) = verdict {
            return self.condemn(entry, reason);
        }
        if used {
            (entry.idle_since, entry.proven) = (now, now);
        }
        self.place(entry)
    }

    /// A user keeps the resource for good.
    pub(super) fn detach(&mut self, entry: &Entry<R>) -> Todo {
        if !self.holders.knows(entry.row, entry.id) {
            return Todo::default();
        }
        self.counts.detached += 1;
        self.forget(entry.row)
    }

    /// Gives up a resource that is out: its place is free, and it is closed when it comes back.
    pub(super) fn forfeit(&mut self, id: u64) -> Option<Todo> {
        let row = self.holders.find_out(id)?;
        Some(self.forget(row))
    }

    fn forget(&mut self, row: usize) -> Todo {
        self.holders.strike(row);
        self.live -= 1;
        self.seat.iter_mut().for_each(Seat::release);
        self.todo(None)
    }

    /// A condemned resource is closed.
    pub(super) fn buried(&mut self) -> Todo {
        self.closing -= 1;
        self.live -= 1;
        self.seat.iter_mut().for_each(Seat::left);
        self.todo(None)
    }

    /// To the first who waits, or to the shelf, or to its end.
    fn place(&mut self, entry: Box<Entry<R>>) -> Placed<R> {
        if let Some(reason) = self.unwelcome(&entry) {
            return self.condemn(entry, reason);
        }
        if self.yields() {
            return self.part_with(entry, CloseReason::MadeRoom);
        }
        match self.line.give(entry) {
            Ok(waker) => Placed::Kept(self.todo(Some(waker))),
            Err(entry) => {
                self.shelve(entry);
                Placed::Kept(self.todo(None))
            }
        }
    }

    fn shelve(&mut self, entry: Box<Entry<R>>) {
        // What comes back from a user is nearly always the youngest: it is not to be looked for among all the others.
        if self.shelf.back().is_none_or(|youngest| youngest.idle_since <= entry.idle_since) {
            return self.shelf.push_back(entry);
        }
        let position = self.shelf.partition_point(|other| other.idle_since <= entry.idle_since);
        self.shelf.insert(position, entry);
    }

    fn unwelcome(&self, entry: &Entry<R>) -> Option<CloseReason> {
        if self.closed {
            return Some(CloseReason::PoolClosed);
        }
        if entry.id < self.evict_below {
            return Some(CloseReason::Evicted);
        }
        (self.lasting() > self.limits.max).then_some(CloseReason::Surplus)
    }

    /// Whether a caller of another pool has waited for longer than ours for the place of a resource.
    fn yields(&mut self) -> bool {
        let Some(seat) = &mut self.seat else { return false };
        seat.yields(self.line.nth_waiting(0).unwrap_or(NOBODY))
    }

    fn condemn(&mut self, entry: Box<Entry<R>>, reason: CloseReason) -> Placed<R> {
        self.seat.iter_mut().for_each(Seat::leaves);
        self.part_with(entry, reason)
    }

    fn part_with(&mut self, entry: Box<Entry<R>>, reason: CloseReason) -> Placed<R> {
        self.counts.closed.count(reason);
        self.holders.strike(entry.row);
        self.closing += 1;
        Placed::Condemned(entry, self.todo(None))
    }

    // The pool as a whole.

    /// New bounds. Returns the idle resources that are too many now, coldest first; those that are out are closed when they
    /// come back.
    pub(super) fn resize(&mut self, max: usize, min_idle: usize) -> (Vec<Placed<R>>, Todo) {
        (self.limits.max, self.limits.min_idle) = (max, min_idle);
        let surplus = self.lasting().saturating_sub(max).min(self.shelf.len());
        let cold: Vec<_> = self.shelf.drain(..surplus).collect();
        let cold = cold.into_iter().map(|entry| self.condemn(entry, CloseReason::Surplus)).collect();
        (cold, self.todo(None))
    }

    /// Hands out nothing from now on. Returns the idle resources, and everybody who waits.
    pub(super) fn close(&mut self) -> (Vec<Placed<R>>, Vec<Waker>, Todo) {
        self.closed = true;
        (self.clear(CloseReason::PoolClosed), self.line.wakers(), self.todo(None))
    }

    /// Parts with every resource of now: with the idle ones at once, with the others when they come back.
    pub(super) fn evict(&mut self) -> (Vec<Placed<R>>, Todo) {
        self.evict_below = self.next_id;
        (self.clear(CloseReason::Evicted), self.todo(None))
    }

    fn clear(&mut self, reason: CloseReason) -> Vec<Placed<R>> {
        let idle = std::mem::take(&mut self.shelf);
        idle.into_iter().map(|entry| self.condemn(entry, reason)).collect()
    }

    /// Since when the resource that is idle for longest is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.shelf.front().map(|entry| entry.idle_since)
    }

    /// Parts with the resource that is idle for longest, if a caller of another pool needs its place.
    pub(super) fn make_room(&mut self) -> (Option<Placed<R>>, Todo) {
        let oldest = if !self.shelf.is_empty() && self.yields() { self.shelf.pop_front() } else { None };
        let placed = oldest.map(|entry| self.part_with(entry, CloseReason::MadeRoom));
        (placed, self.todo(None))
    }

    /// Idle resources whose time is up.
    pub(super) fn expire(&mut self, idle_timeout: Option<Duration>, now: Instant) -> (Vec<Placed<R>>, Todo) {
        let mut over = Vec::new();
        for _ in 0..self.shelf.len() {
            let Some(entry) = self.shelf.pop_front() else { break };
            let bored = idle_timeout.is_some_and(|bound| now.duration_since(entry.idle_since) >= bound);
            if entry.is_expired(now) {
                over.push(self.condemn(entry, CloseReason::MaxLife));
            } else if bored && self.shelf.len() >= self.limits.min_idle {
                over.push(self.condemn(entry, CloseReason::Idle));
            } else {
                self.shelf.push_back(entry);
            }
        }
        (over, self.todo(None))
    }

    /// One idle resource that has proven nothing for `keep_alive`, to be checked.
    pub(super) fn take_unproven(&mut self, keep_alive: Duration, now: Instant) -> Option<Box<Entry<R>>> {
        let position = self.shelf.iter().position(|entry| now.duration_since(entry.proven) >= keep_alive)?;
        let entry = self.shelf.remove(position)?;
        self.checking += 1;
        Some(entry)
    }

    /// What [`take_unproven`](Self::take_unproven) took is back from its check.
    pub(super) fn checked(
        &mut self,
        mut entry: Box<Entry<R>>,
        verdict: Option<CloseReason>,
        now: Instant,
    ) -> Placed<R> {
        self.checking -= 1;
        if let Some(reason) = verdict {
            return self.condemn(entry, reason);
        }
        entry.proven = now;
        self.place(entry)
    }

    /// What a step leaves to do.
    pub(super) fn todo(&mut self, wake: Option<Waker>) -> Todo {
        let creates = self.claim_creates();
        Todo { wake, creates, over: self.is_over(), spent: None, unsettled: self.take_unsettled() }
    }

    fn take_unsettled(&mut self) -> bool {
        self.seat.as_mut().is_some_and(Seat::take_unsettled)
    }

    /// Takes places for as many resources as are to be made now.
    fn claim_creates(&mut self) -> usize {
        let missing = if self.closed { 0 } else { self.missing().saturating_sub(self.creating) };
        let room = self.limits.max.saturating_sub(self.live + self.creating);
        let wanted = missing.min(room).min(self.limits.at_once.saturating_sub(self.creating));
        let (line, provided) = (&self.line, self.creating);
        let count = self
            .seat
            .as_mut()
            .map_or(wanted, |seat| seat.claim(wanted, |nth| line.nth_waiting(provided + nth).unwrap_or(NOBODY)));
        self.creating += count;
        count
    }

    /// How many resources those who wait want, or else the minimum, beyond those that are there.
    fn missing(&self) -> usize {
        let idle = self.limits.min_idle.saturating_sub(self.shelf.len() + self.checking);
        self.line.waiting().max(idle)
    }

    /// Those that are there to stay, or will be.
    fn lasting(&self) -> usize {
        self.live - self.closing + self.creating
    }

    fn in_use(&self) -> usize {
        self.live - self.shelf.len() - self.checking - self.closing
    }

    /// Closed, and nothing left.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.live + self.creating == 0
    }

    pub(super) fn stats(&self) -> ResourceStats {
        let counts = &self.counts;
        ResourceStats {
            idle: self.shelf.len(),
            in_use: self.in_use(),
            checking: self.checking,
            closing: self.closing,
            creating: self.creating,
            waiting: self.line.waiting(),
            most_in_use: counts.most_in_use,
            created: counts.created,
            create_failures: counts.create_failures,
            closed: counts.closed,
            detached: counts.detached,
            checkouts: counts.checkouts,
            timeouts: counts.timeouts,
            refused: counts.refused,
            suspected: counts.suspected,
            returned_late: counts.returned_late,
            waits: counts.waits.clone(),
        }
    }
}
