//! A circuit breaker whose good calls cost two loads and a store: no atomic addition, no clock, no lock.
//!
//! - `word`: the whole state in one word, and every step of it. A step is one compare-and-swap, so a late result, a dropped
//!   probe and an operator's order cannot mix.
//! - `stripes`: good calls, counted in a place per thread. `tally`: folded into the window by whoever reports a bad call.
//! - `window`: the last calls, or the last seconds, in 32 buckets. `rules`: when that is too bad, and for how long.
//! - `permit`: a call on its way. What it reports carries the generation in which it was let in; a generation that is over
//!   hears nothing any more. A permit that is dropped frees its probe.
//!
//! **Who decides.** Only a bad call (failed or slow) can open a breaker, so only bad calls judge the window. Good ones
//! are counted and found by the next judge.
//!
//! | call | loads | stores | read-modify-writes | clock reads |
//! |---|---|---|---|---|
//! | closed, good | state, own place | own place | 0 | 0 (window of time: one in 256 calls) |
//! | closed, bad | state, all places | 0 | 3 and an uncontended lock | 1 |
//! | open, refused | state | 0 | 0 | 1 |
//! | half-open probe | state | 0 | 2 | 1 |
//! | a limit on slow calls | | | | 2 more for each call |
//!
//! Rejected: a ring of results with one shared index (recloser: 19 ns alone, 165 with two threads on one line); a lock around
//! the state (91, 225); a clock read per call, for the window of time (21 ns by itself).

mod builder;
mod call;
mod error;
mod permit;
mod rules;
mod stripes;
mod tally;
pub(crate) mod window;
mod word;

use std::{fmt, time::Duration};

use tokio::sync::Notify;

pub use self::{
    builder::Builder,
    error::{BreakerOpen, BreakerWait, CallError, InvalidBreaker},
    permit::{Outcome, Permit},
};

use self::{
    builder::Hook,
    rules::Rules,
    stripes::Stripes,
    tally::Tally,
    window::{Counts, Span},
    word::{Ended, Entry, Kind, Verdict, Word},
};
use crate::{
    Clock, TokioClock,
    sync::{
        AtomicU64,
        Ordering::{AcqRel, Acquire},
        Padded,
    },
};

/// Stops calling what fails, lets a few calls probe it after a while, and closes when those succeed.
///
/// Share it by reference or in an `Arc`. See the [crate documentation](crate) for its rules and costs.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use tidemill_resilience::{CircuitBreaker, ManualClock, State};
///
/// let clock = ManualClock::new();
/// let breaker = CircuitBreaker::builder()
///     .failure_rate(50)
///     .last_calls(10)
///     .min_calls(4)
///     .open_for(Duration::from_secs(5))
///     .open_jitter(0)
///     .probes(1)
///     .clock(clock.clone())
///     .build()?;
/// for _ in 0..4 {
///     breaker.try_acquire().expect("closed").failure();
/// }
/// assert_eq!(breaker.state(), State::Open);
/// assert_eq!(breaker.try_acquire().unwrap_err().retry_after, Some(Duration::from_secs(5)));
///
/// clock.advance(Duration::from_secs(5));
/// breaker.try_acquire().expect("a probe").success();
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
pub struct CircuitBreaker<C: Clock = TokioClock> {
    word: AtomicU64,
    rules: Rules,
    stripes: Stripes,
    hook: Option<Hook>,
    clock: C,
    /// Zero on the breaker's own axis of time.
    origin: C::Instant,
    /// What bad calls write, on lines of its own, since good calls read its neighbours.
    slow: Padded<Slow>,
}

struct Slow {
    tally: Tally,
    /// Told of every change that may let one who waits pass.
    changed: Notify,
}

/// What a breaker does with calls.
///
/// ```
/// use tidemill_resilience::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().failures_in_a_row(5).build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// breaker.trip();
/// assert!(matches!(breaker.state(), State::Open | State::ForcedOpen), "calls are refused");
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Lets everyone pass and counts.
    Closed,
    /// Lets nobody pass until its time is over.
    Open,
    /// Lets a few probes pass.
    HalfOpen,
    /// Lets nobody pass, by order.
    ForcedOpen,
    /// Lets everyone pass and counts, but opens for nothing, by order: metrics only.
    ForcedClosed,
    /// Lets everyone pass and counts nothing, by order.
    Disabled,
}

impl From<Kind> for State {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Closed => Self::Closed,
            Kind::Open => Self::Open,
            Kind::HalfOpen => Self::HalfOpen,
            Kind::ForcedOpen => Self::ForcedOpen,
            Kind::ForcedClosed => Self::ForcedClosed,
            Kind::Disabled => Self::Disabled,
        }
    }
}

/// A state to hold by order, until [`reset`](CircuitBreaker::reset).
///
/// ```
/// use tidemill_resilience::{CircuitBreaker, Forced, State};
///
/// let breaker = CircuitBreaker::builder().failures_in_a_row(1).build()?;
/// breaker.force(Forced::Closed);
/// breaker.try_acquire().expect("by order").failure();
/// assert_eq!(breaker.state(), State::ForcedClosed, "it counts, and opens for nothing");
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Forced {
    /// [`State::ForcedOpen`].
    Open,
    /// [`State::ForcedClosed`].
    Closed,
    /// [`State::Disabled`].
    Disabled,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Too many of the last calls failed.
    FailureRate,
    /// Too many of the last calls were slow.
    SlowRate,
    /// Too many failed in a row.
    InARow,
    /// The open time is over, and a first probe came.
    TimeOver,
    /// Enough probes succeeded.
    Recovered,
    /// Too many probes failed.
    Relapsed,
    /// The probes hung; a new trial begins.
    ProbesHang,
    /// [`force`](CircuitBreaker::force), [`trip`](CircuitBreaker::trip) or [`reset`](CircuitBreaker::reset).
    Ordered,
}

/// A change of state, as the hook hears of it.
///
/// ```
/// use std::sync::mpsc;
/// use tidemill_resilience::{CircuitBreaker, State, Transition, TransitionReason};
///
/// let (log, logged) = mpsc::channel();
/// let hook = move |transition: &Transition| log.send(*transition).expect("it is read");
/// let breaker = CircuitBreaker::builder().failures_in_a_row(1).on_transition(hook).build()?;
/// breaker.try_acquire().expect("closed").failure();
/// let heard = logged.try_recv().expect("told before the failure returned");
/// assert_eq!((heard.from, heard.to, heard.reason), (State::Closed, State::Open, TransitionReason::InARow));
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// How long it stays open, if it opened.
    pub open_for: Option<Duration>,
}

/// What a breaker looks back on, and what it is.
///
/// ```
/// use tidemill_resilience::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder().failure_rate(50).build()?;
/// breaker.try_acquire().expect("closed").success();
/// breaker.try_acquire().expect("closed").failure();
/// let seen = breaker.snapshot();
/// assert_eq!((seen.calls, seen.failed, seen.open_for), (2, 1, None));
/// # Ok::<(), tidemill_resilience::InvalidBreaker>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// What it is.
    pub state: State,
    /// Calls in the window.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were slow.
    pub slow: u64,
    /// Probes that are running.
    pub probes: u32,
    /// How often it opened in a row without closing between.
    pub streak: u32,
    /// How long it stays open yet.
    pub open_for: Option<Duration>,
}

impl CircuitBreaker {
    /// Options for a new breaker. A rate or a number of failures in a row is required.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<C: Clock> CircuitBreaker<C> {
    fn new(rules: Rules, span: Span, stripes: Stripes, hook: Option<Hook>, clock: C) -> Self {
        let slow = Slow { tally: Tally::new(span, &stripes), changed: Notify::new() };
        Self {
            word: AtomicU64::new(Word::CLOSED.0),
            origin: clock.now(),
            slow: Padded(slow),
            rules,
            stripes,
            hook,
            clock,
        }
    }

    /// What it is now. An open breaker whose time is over is still open until somebody asks to pass. One load.
    pub fn state(&self) -> State {
        self.load().kind().into()
    }

    /// Lets the call pass, or not; never waits. The permit is told how the call ended.
    ///
    /// One load while closed; one clock read when refused; two atomic operations and a clock read for a probe.
    ///
    /// # Errors
    /// [`BreakerOpen`], with the time after which to try again if it is known.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_, C>, BreakerOpen> {
        let word = self.load();
        if word.passes_all() {
            return Ok(Permit::new(self, word));
        }
        self.enter(word)
    }

    #[cold]
    fn enter(&self, mut word: Word) -> Result<Permit<'_, C>, BreakerOpen> {
        let now_ms = self.nanos() / NANOS_PER_MILLI;
        loop {
            match word.enter(now_ms, self.rules.trial) {
                Entry::Pass => return Ok(Permit::new(self, word)),
                Entry::Refused(left) => {
                    let retry_after = left.map(Duration::from_millis);
                    return Err(BreakerOpen { state: word.kind().into(), retry_after });
                }
                Entry::Become(next) => match self.swap(word, next) {
                    Ok(()) => {
                        self.entered(word, next);
                        return Ok(Permit::new(self, next));
                    }
                    Err(now) => word = now,
                },
            }
        }
    }

    /// A probe passed; it may have begun a trial.
    fn entered(&self, word: Word, next: Word) {
        if word.generation() != next.generation() {
            let reason = if word.kind() == Kind::Open { Reason::TimeOver } else { Reason::ProbesHang };
            self.announce(word, next, reason, None);
        }
    }

    /// A good call of `word`'s generation.
    #[inline]
    fn good(&self, word: Word) {
        let generation = word.generation();
        let counted = self.stripes.count(generation, || self.is_current(generation));
        if counted.is_some_and(|count| count & self.rules.look_mask == 0) {
            self.report(word, Counts::default());
        }
    }

    /// Bad calls of `word`'s generation, or none for a look at the clock.
    #[cold]
    fn report(&self, word: Word, bad: Counts) {
        let (generation, nanos) = (word.generation(), self.nanos());
        let mut verdict = None;
        self.slow.0.tally.report(
            &self.stripes,
            generation,
            bad,
            nanos,
            |generation| self.is_current(generation),
            |generation, window| verdict = self.rules.judge(window).map(|reason| (generation, reason)),
        );
        if let Some((generation, reason)) = verdict {
            self.open_if(reason, nanos, |word| word.kind() == Kind::Closed && word.generation() == generation);
        }
    }

    /// A probe of `generation` ended.
    #[cold]
    fn probe_ended(&self, generation: u64, ended: Ended) {
        let mut word = self.load();
        loop {
            let (next, reason) = match word.probe_ended(generation, ended, self.rules.trial) {
                Verdict::Late => return,
                Verdict::Undecided(next) => (next, None),
                Verdict::Recovered => (word.closed(), Some(Reason::Recovered)),
                Verdict::Relapsed => {
                    self.open_if(Reason::Relapsed, self.nanos(), |now| now == word);
                    // Unless another probe ended meanwhile, it has opened, and this generation is over.
                    let now = self.load();
                    if now.generation() != generation {
                        return;
                    }
                    word = now;
                    continue;
                }
            };
            match self.swap(word, next) {
                Ok(()) => return self.probe_counted(word, next, reason),
                Err(now) => word = now,
            }
        }
    }

    fn probe_counted(&self, word: Word, next: Word, reason: Option<Reason>) {
        match reason {
            Some(reason) => self.announce(word, next, reason, None),
            // Its place is free.
            None => self.slow.0.changed.notify_waiters(),
        }
    }

    /// Opens as long as `still` says that the reason for it stands.
    fn open_if(&self, reason: Reason, nanos: u64, still: impl Fn(Word) -> bool) {
        let mut word = self.load();
        while still(word) {
            let open_ms = self.rules.open.next_ms(word.streak(), word.generation());
            let next = word.opened(nanos / NANOS_PER_MILLI, open_ms);
            match self.swap(word, next) {
                Ok(()) => return self.announce(word, next, reason, Some(Duration::from_millis(open_ms))),
                Err(now) => word = now,
            }
        }
    }

    /// Opens it now, as if a limit had been reached; it probes and closes by itself. Nothing if it is open already, or
    /// held in a state by [`force`](Self::force).
    pub fn trip(&self) {
        self.open_if(Reason::Ordered, self.nanos(), |word| matches!(word.kind(), Kind::Closed | Kind::HalfOpen));
    }

    /// Closes it, forgets what it looks back on, and ends a forced state.
    pub fn reset(&self) {
        self.order(Word::closed);
    }

    /// Holds it in a state until [`reset`](Self::reset).
    pub fn force(&self, forced: Forced) {
        let kind = match forced {
            Forced::Open => Kind::ForcedOpen,
            Forced::Closed => Kind::ForcedClosed,
            Forced::Disabled => Kind::Disabled,
        };
        self.order(|word| word.forced(kind));
    }

    fn order(&self, next: impl Fn(Word) -> Word) {
        let mut word = self.load();
        loop {
            let ordered = next(word);
            match self.swap(word, ordered) {
                Ok(()) => return self.announce(word, ordered, Reason::Ordered, None),
                Err(now) => word = now,
            }
        }
    }

    /// What it looks back on now: a bad call's worth of work.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let word = self.load();
        if word.passes_all() {
            self.report(word, Counts::default());
        }
        let word = self.load();
        let Counts { calls, failed, slow } = self.slow.0.tally.counts(word.generation());
        let open = word.kind() == Kind::Open;
        BreakerSnapshot {
            state: word.kind().into(),
            calls,
            failed,
            slow,
            probes: if word.kind() == Kind::HalfOpen { word.probes()[0] } else { 0 },
            streak: word.streak(),
            open_for: open.then(|| Duration::from_millis(word.left_ms(self.nanos() / NANOS_PER_MILLI))),
        }
    }

    /// How long ago the open time was over, if it is open and nobody has asked to pass since.
    pub(crate) fn overdue(&self) -> Option<Duration> {
        self.load().overdue_ms(self.nanos() / NANOS_PER_MILLI).map(Duration::from_millis)
    }

    /// After a transition, by the thread that made it.
    fn announce(&self, from: Word, to: Word, reason: Reason, open_for: Option<Duration>) {
        if to.passes_all() {
            // The window of the new generation begins now.
            self.report(to, Counts::default());
        }
        self.slow.0.changed.notify_waiters();
        if let Some(hook) = &self.hook {
            hook(&Transition { from: from.kind().into(), to: to.kind().into(), reason, open_for });
        }
    }

    #[inline]
    fn load(&self) -> Word {
        // Acquire, with the Release in `swap`: who sees a generation sees what happened before it began.
        Word(self.word.load(Acquire))
    }

    #[inline]
    fn is_current(&self, generation: u64) -> bool {
        self.load().generation() == generation
    }

    fn swap(&self, from: Word, to: Word) -> Result<(), Word> {
        self.word.compare_exchange(from.0, to.0, AcqRel, Acquire).map(drop).map_err(Word)
    }

    fn nanos(&self) -> u64 {
        let now = self.clock.now();
        if now > self.origin { u64::try_from((now - self.origin).as_nanos()).unwrap_or(u64::MAX) } else { 0 }
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;

impl<C: Clock> fmt::Debug for CircuitBreaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker").field("word", &self.load()).field("rules", &self.rules).finish_non_exhaustive()
    }
}
