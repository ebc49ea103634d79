//! The state of a breaker in one word, and every step from one state to the next. Nothing here is atomic; `mod` applies
//! these steps by compare-and-swap, so each is one indivisible decision.
//!
//! | bits | what |
//! |---|---|
//! | 0..3 | kind |
//! | 3..8 | streak: how often it opened in a row without closing between; stays at 31 |
//! | 8..28 | generation: counts transitions; results and probes carry it, and those of another one are ignored |
//! | 28..64 | open: from which millisecond it is probed; half-open: probes running, succeeded, failed (7 bits each), and when it gives up |
//!
//! Times wrap: they are compared by their distance, which is at most half of the axis ([`MAX_OPEN_MS`], [`MAX_PATIENCE_MS`]).
//! The generation wraps after a million transitions; a call that lasts exactly as long would be counted once too often.

use std::fmt;

const KIND: Field = Field { at: 0, bits: 3 };
const STREAK: Field = Field { at: 3, bits: 5 };
const GENERATION: Field = Field { at: 8, bits: GENERATION_BITS };
const UNTIL: Field = Field { at: 28, bits: 36 };
const RUNNING: Field = Field { at: 28, bits: 7 };
const SUCCEEDED: Field = Field { at: 35, bits: 7 };
const FAILED: Field = Field { at: 42, bits: 7 };
const GIVE_UP: Field = Field { at: 49, bits: 15 };

pub(super) const GENERATION_BITS: u32 = 20;

/// The most probes of one trial.
pub(super) const MAX_PROBES: u32 = 127;

/// The longest time to stay open: a quarter of the axis, so that half a year without a call does no harm.
pub(super) const MAX_OPEN_MS: u64 = 1 << 34;

/// The time after which a trial is given up is kept in these units.
const GIVE_UP_UNIT_MS: u64 = 128;

/// The longest patience with a trial: a quarter of its axis (17 minutes).
pub(super) const MAX_PATIENCE_MS: u64 = (1 << 13) * GIVE_UP_UNIT_MS;

#[derive(Clone, Copy)]
struct Field {
    at: u32,
    bits: u32,
}

impl Field {
    const fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }

    const fn get(self, word: u64) -> u64 {
        (word >> self.at) & self.mask()
    }

    const fn put(self, word: u64, value: u64) -> u64 {
        (word & !(self.mask() << self.at)) | ((value & self.mask()) << self.at)
    }

    /// How far `at` is behind `now` on this field's axis; `None` if it is still to come.
    const fn passed(self, at: u64, now: u64) -> Option<u64> {
        let ahead = now.wrapping_sub(at) & self.mask();
        if ahead <= self.mask() / 2 { Some(ahead) } else { None }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
    Closed = 0,
    /// Closed by order: counts, and opens for nothing.
    ForcedClosed = 1,
    /// Everyone passes and nothing is counted.
    Disabled = 2,
    Open = 3,
    ForcedOpen = 4,
    HalfOpen = 5,
}

/// What trial probes have to show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Trial {
    pub(super) probes: u32,
    pub(super) at_once: u32,
    pub(super) successes: u32,
    pub(super) patience_ms: u64,
}

/// What one who wants to pass is told. `Become` holds the word to swap in first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    Pass,
    /// Passes as a probe, or opens the trial and passes as its first, once this word is in place.
    Become(Word),
    /// Refused; it may pass after so many milliseconds, if that is known.
    Refused(Option<u64>),
}

/// What a probe's end makes of the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Another generation: the result means nothing any more.
    Late,
    Undecided(Word),
    Recovered,
    Relapsed,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    Succeeded,
    Failed,
    /// Cancelled, dropped, panicked or ignored: it showed nothing, and its place is free.
    Unknown,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    pub(super) const CLOSED: Self = Self(Kind::Closed as u64);

    pub(super) const fn kind(self) -> Kind {
        match KIND.get(self.0) {
            0 => Kind::Closed,
            1 => Kind::ForcedClosed,
            2 => Kind::Disabled,
            3 => Kind::Open,
            4 => Kind::ForcedOpen,
            _ => Kind::HalfOpen,
        }
    }

    #[inline]
    pub(super) const fn generation(self) -> u64 {
        GENERATION.get(self.0)
    }

    pub(super) const fn streak(self) -> u32 {
        STREAK.get(self.0) as u32
    }

    /// Everyone passes, without a change to the word.
    #[inline]
    pub(super) const fn passes_all(self) -> bool {
        KIND.get(self.0) <= Kind::Disabled as u64
    }

    /// The next generation, of this kind, with nothing in its other fields but the streak.
    const fn turned(self, kind: Kind, streak: u32) -> Self {
        let word = GENERATION.put(0, self.generation() + 1);
        Self(STREAK.put(KIND.put(word, kind as u64), streak as u64))
    }

    /// Open from `now_ms` for `for_ms`.
    pub(super) const fn opened(self, now_ms: u64, for_ms: u64) -> Self {
        let streak = self.streak();
        let longest = STREAK.mask() as u32;
        let word = self.turned(Kind::Open, if streak < longest { streak + 1 } else { longest });
        Self(UNTIL.put(word.0, now_ms + for_ms))
    }

    pub(super) const fn closed(self) -> Self {
        self.turned(Kind::Closed, 0)
    }

    pub(super) const fn forced(self, kind: Kind) -> Self {
        self.turned(kind, 0)
    }

    fn half_opened(self, now_ms: u64, trial: Trial) -> Self {
        let word = self.turned(Kind::HalfOpen, self.streak());
        let give_up = (now_ms + trial.patience_ms).div_ceil(GIVE_UP_UNIT_MS);
        Self(RUNNING.put(GIVE_UP.put(word.0, give_up), 1))
    }

    /// May one pass at `now_ms`? For the kinds that [`passes_all`](Self::passes_all) leaves.
    pub(super) fn enter(self, now_ms: u64, trial: Trial) -> Entry {
        match self.kind() {
            Kind::Closed | Kind::ForcedClosed | Kind::Disabled => Entry::Pass,
            Kind::ForcedOpen => Entry::Refused(None),
            Kind::Open => match self.left_ms(now_ms) {
                0 => Entry::Become(self.half_opened(now_ms, trial)),
                left => Entry::Refused(Some(left)),
            },
            Kind::HalfOpen => self.enter_trial(now_ms, trial),
        }
    }

    fn enter_trial(self, now_ms: u64, trial: Trial) -> Entry {
        let [running, succeeded, failed] = self.probes();
        if running < trial.at_once && running + succeeded + failed < trial.probes {
            return Entry::Become(Self(RUNNING.put(self.0, u64::from(running) + 1)));
        }
        match self.trial_left_ms(now_ms) {
            // Its probes hang: a new trial begins, and their results are of an older generation.
            0 => Entry::Become(self.half_opened(now_ms, trial)),
            _ => Entry::Refused(None),
        }
    }

    /// How long it stays open yet, in milliseconds; zero if its time is over.
    pub(super) const fn left_ms(self, now_ms: u64) -> u64 {
        let until = UNTIL.get(self.0);
        if UNTIL.passed(until, now_ms).is_some() { 0 } else { until.wrapping_sub(now_ms) & UNTIL.mask() }
    }

    /// How long ago its open time ended; `None` if it has not, or if it is not open.
    pub(super) fn overdue_ms(self, now_ms: u64) -> Option<u64> {
        (self.kind() == Kind::Open).then(|| UNTIL.passed(UNTIL.get(self.0), now_ms)).flatten()
    }

    /// How long until the trial is given up; zero if that time has come.
    pub(super) fn trial_left_ms(self, now_ms: u64) -> u64 {
        let (give_up, now) = (GIVE_UP.get(self.0), now_ms / GIVE_UP_UNIT_MS);
        if GIVE_UP.passed(give_up, now).is_some() {
            return 0;
        }
        let units = give_up.wrapping_sub(now) & GIVE_UP.mask();
        units * GIVE_UP_UNIT_MS - now_ms % GIVE_UP_UNIT_MS
    }

    /// Running, succeeded, failed.
    pub(super) const fn probes(self) -> [u32; 3] {
        [RUNNING.get(self.0) as u32, SUCCEEDED.get(self.0) as u32, FAILED.get(self.0) as u32]
    }

    /// A probe of `generation` ended.
    pub(super) fn probe_ended(self, generation: u64, ended: Ended, trial: Trial) -> Verdict {
        if self.generation() != generation || self.kind() != Kind::HalfOpen {
            return Verdict::Late;
        }
        let [running, mut succeeded, mut failed] = self.probes();
        match ended {
            Ended::Succeeded => succeeded += 1,
            Ended::Failed => failed += 1,
            Ended::Unknown => {}
        }
        if succeeded >= trial.successes {
            return Verdict::Recovered;
        }
        if failed > trial.probes - trial.successes {
            return Verdict::Relapsed;
        }
        let word = RUNNING.put(self.0, u64::from(running.saturating_sub(1)));
        Verdict::Undecided(Self(FAILED.put(SUCCEEDED.put(word, succeeded.into()), failed.into())))
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Word");
        out.field("kind", &self.kind()).field("generation", &self.generation()).field("streak", &self.streak());
        match self.kind() {
            Kind::Open => out.field("until_ms", &UNTIL.get(self.0)),
            Kind::HalfOpen => out.field("running_succeeded_failed", &self.probes()),
            _ => &mut out,
        };
        out.finish()
    }
}
