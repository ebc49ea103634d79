//! The options of a breaker, checked once.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    CircuitBreaker, InvalidBreaker, Transition,
    rules::{OpenTimes, Rules},
    stripes::Stripes,
    window::Span,
    word::{MAX_OPEN_MS, MAX_PATIENCE_MS, MAX_PROBES, Trial},
};
use crate::{Clock, TokioClock, thread};

/// What hears of transitions.
pub(super) type Hook = Arc<dyn Fn(&Transition) + Send + Sync>;

/// Options of a [`CircuitBreaker`]; made by [`CircuitBreaker::builder`].
///
/// # Examples
/// ```
/// use tidemill_resilience::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().failure_rate(50).last_calls(10).min_calls(4).build()?;
/// for _ in 0..3 {
///     breaker.try_acquire()?.failure();
/// }
/// assert_eq!(breaker.state(), State::Closed, "three calls are too few");
/// breaker.try_acquire()?.failure();
/// assert_eq!(breaker.state(), State::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder<C = TokioClock> {
    failure_rate: Option<u32>,
    slow_rate: Option<(u32, Duration)>,
    in_a_row: Option<u32>,
    span: Span,
    min_calls: u32,
    open_for: Duration,
    growth: (u32, Duration),
    jitter: u32,
    probes: u32,
    at_once: Option<u32>,
    successes: Option<u32>,
    patience: Duration,
    striped: bool,
    look_every: Option<u32>,
    seed: Option<u64>,
    hook: Option<Hook>,
    clock: C,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            failure_rate: None,
            slow_rate: None,
            in_a_row: None,
            span: Span::Calls(100),
            min_calls: 20,
            open_for: Duration::from_secs(5),
            growth: (2, Duration::from_secs(60)),
            jitter: 10,
            probes: 3,
            at_once: None,
            successes: None,
            patience: Duration::from_secs(60),
            striped: true,
            look_every: None,
            seed: None,
            hook: None,
            clock: TokioClock,
        }
    }
}

impl<C> Builder<C> {
    /// Opens when at least `percent` of the calls in the window failed.
    pub fn failure_rate(mut self, percent: u32) -> Self {
        self.failure_rate = Some(percent);
        self
    }

    /// Opens when at least `percent` of the calls in the window took `longer_than` or more, failed or not.
    ///
    /// Every call then reads the clock twice.
    pub fn slow_rate(mut self, percent: u32, longer_than: Duration) -> Self {
        self.slow_rate = Some((percent, longer_than));
        self
    }

    /// Opens when `failures` calls in a row failed, however few there were.
    pub fn failures_in_a_row(mut self, failures: u32) -> Self {
        self.in_a_row = Some(failures);
        self
    }

    /// Looks back on the last `calls` calls: exactly up to 32, by a 32nd of them above. Default 100.
    pub fn last_calls(mut self, calls: u32) -> Self {
        self.span = Span::Calls(calls);
        self
    }

    /// Looks back on the last `time`, by a 32nd of it.
    ///
    /// Good calls are dated by looks at the clock, every 256th of a thread and at every bad one, and spread evenly between.
    pub fn last_time(mut self, time: Duration) -> Self {
        self.span = Span::Time(time);
        self
    }

    /// How many calls the window must hold before a rate means anything. Default 20.
    pub fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// How long it stays open for the first time. In whole milliseconds, rounded up. Default 5 s.
    pub fn open_for(mut self, time: Duration) -> Self {
        self.open_for = time;
        self
    }

    /// Each further time in a row is `factor` times as long, up to `max`. Default doubling up to 60 s; a factor of 1 is no growth.
    pub fn open_growth(mut self, factor: u32, max: Duration) -> Self {
        self.growth = (factor, max);
        self
    }

    /// Takes up to `percent` off each open time at random, so that many clients do not come back as one. Default 10.
    pub fn open_jitter(mut self, percent: u32) -> Self {
        self.jitter = percent;
        self
    }

    /// How many calls are let through to find out whether it works again. At most 127. Default 3.
    pub fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// How many of them at a time. Default: all.
    pub fn probes_at_once(mut self, at_once: u32) -> Self {
        self.at_once = Some(at_once);
        self
    }

    /// How many of them must succeed for it to close; it opens again as soon as that cannot be reached. Default: all.
    pub fn close_after(mut self, successes: u32) -> Self {
        self.successes = Some(successes);
        self
    }

    /// When probes hang for so long that nobody else gets in, they are given up and a new trial begins. To about an
    /// eighth of a second; at most 17 minutes. Default 60 s.
    pub fn probe_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Whether threads count in places of their own: 128 bytes for each of twice the processors. Default yes; one word for all
    /// is enough for a breaker among thousands, as in a [`Keyed`](crate::Keyed) registry.
    pub fn per_thread(mut self, yes: bool) -> Self {
        self.striped = yes;
        self
    }

    /// After how many good calls a thread looks at the clock, for a window of time. Default 256; rounded up to a power of two.
    pub fn look_every(mut self, calls: u32) -> Self {
        self.look_every = Some(calls);
        self
    }

    /// Makes the jitter replay.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Is told of every transition, by the thread that made it, after it; no lock is held.
    pub fn on_transition(mut self, hook: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// The clock to read and to sleep by. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        let Self { failure_rate, slow_rate, in_a_row, span, min_calls, open_for, growth, jitter, .. } = self;
        let Self { probes, at_once, successes, patience, striped, look_every, seed, hook, .. } = self;
        Builder {
            failure_rate,
            slow_rate,
            in_a_row,
            span,
            min_calls,
            open_for,
            growth,
            jitter,
            probes,
            at_once,
            successes,
            patience,
            striped,
            look_every,
            seed,
            hook,
            clock,
        }
    }
}

impl<C: Clock> Builder<C> {
    /// The breaker, closed.
    ///
    /// # Errors
    /// [`InvalidBreaker`] names the option at fault.
    pub fn build(self) -> Result<CircuitBreaker<C>, InvalidBreaker> {
        let rules = Rules {
            failure_rate: self.failure_rate,
            slow_rate: self.slow_rate.map(|(percent, _)| percent),
            slow_from: self.slow_rate.map(|(_, time)| time),
            in_a_row: self.in_a_row,
            min_calls: self.min_calls,
            trial: self.trial()?,
            open: self.open_times()?,
            look_mask: self.look_mask(),
        };
        self.check_reasons()?;
        self.check_window()?;
        let stripes = Stripes::new(if self.striped { thread::places() } else { 0 });
        Ok(CircuitBreaker::new(rules, self.span, stripes, self.hook, self.clock))
    }

    fn check_reasons(&self) -> Result<(), InvalidBreaker> {
        let rates = [self.failure_rate, self.slow_rate.map(|(percent, _)| percent)];
        if let Some(&rate) = rates.iter().flatten().find(|rate| !(1..=100).contains(*rate)) {
            return Err(InvalidBreaker::Rate(rate));
        }
        match self.in_a_row {
            Some(0) => Err(InvalidBreaker::InARow),
            None if rates == [None, None] => Err(InvalidBreaker::NoReason),
            _ => Ok(()),
        }
    }

    fn check_window(&self) -> Result<(), InvalidBreaker> {
        match self.span {
            Span::Calls(0) | Span::Time(Duration::ZERO) => Err(InvalidBreaker::NoWindow),
            Span::Calls(window) if self.min_calls > window => {
                Err(InvalidBreaker::MinCalls { asked: self.min_calls, window })
            }
            _ => Ok(()),
        }
    }

    fn trial(&self) -> Result<Trial, InvalidBreaker> {
        let probes = self.probes;
        let (at_once, successes) = (self.at_once.unwrap_or(probes), self.successes.unwrap_or(probes));
        let sound = (1..=MAX_PROBES).contains(&probes) && at_once > 0 && (1..=probes).contains(&successes);
        if !sound {
            return Err(InvalidBreaker::Probes { probes, at_once, successes });
        }
        match millis(self.patience) {
            patience_ms @ 1..=MAX_PATIENCE_MS => Ok(Trial { probes, at_once, successes, patience_ms }),
            _ => Err(InvalidBreaker::Patience(self.patience)),
        }
    }

    fn open_times(&self) -> Result<OpenTimes, InvalidBreaker> {
        let (factor, max) = self.growth;
        if self.jitter > 100 {
            return Err(InvalidBreaker::Jitter(self.jitter));
        }
        let first_ms = millis(self.open_for);
        // Without growth the maximum does not matter, and a first time above the default one needs no second call.
        let max_ms = if factor <= 1 { first_ms } else { millis(max).max(first_ms) };
        for (time, ms) in [(self.open_for, first_ms), (max, max_ms)] {
            if ms == 0 || ms > MAX_OPEN_MS {
                return Err(InvalidBreaker::OpenFor(time));
            }
        }
        Ok(OpenTimes { first_ms, factor: factor.max(1), max_ms, jitter: self.jitter, seed: self.seed })
    }

    /// A thread looks at the clock when its count has none of these bits.
    fn look_mask(&self) -> u64 {
        /// Only a window of time needs the looks; in one of calls they keep differences far below the wrap.
        const RARELY: u32 = 1 << 24;
        const OFTEN: u32 = 256;
        let default = if matches!(self.span, Span::Time(_)) { OFTEN } else { RARELY };
        let every = self.look_every.unwrap_or(default).clamp(1, RARELY);
        u64::from(every.next_power_of_two()) - 1
    }
}

/// Whole milliseconds, rounded up.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl<C: fmt::Debug> fmt::Debug for Builder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("failure_rate", &self.failure_rate)
            .field("slow_rate", &self.slow_rate)
            .field("in_a_row", &self.in_a_row)
            .field("span", &self.span)
            .field("open_for", &self.open_for)
            .finish_non_exhaustive()
    }
}
