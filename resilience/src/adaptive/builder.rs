//! The options of an adaptive limit, checked once.

use std::{
    borrow::Cow,
    error::Error,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64},
    },
    time::Duration,
};

use super::{
    AdaptiveLimit,
    algorithm::LimitAlgorithm,
    control::{Bounds, Control},
    shares::{Partition, Shares},
};
use crate::{Bulkhead, Clock, TokioClock, lanes::Lanes};

/// Options of an [`AdaptiveLimit`]; made by [`AdaptiveLimit::builder`].
///
/// # Examples
/// ```
/// use tidemill_resilience::{AdaptiveLimit, Aimd};
///
/// let limit = AdaptiveLimit::builder(Aimd::default()).initial(2).range(1, 100).partition("batch", 50).build()?;
/// let _one = limit.try_acquire()?;
/// assert!(limit.try_acquire().is_err(), "what is left is guaranteed to others");
/// assert!(limit.try_acquire_for("batch").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Builder<C = TokioClock> {
    algorithm: Box<dyn LimitAlgorithm>,
    initial: u32,
    bounds: Bounds,
    partitions: Vec<Partition>,
    shed: Vec<(u8, u32)>,
    max_waiters: usize,
    max_wait: Option<Duration>,
    seed: Option<u64>,
    clock: C,
}

impl Builder {
    pub(super) fn new(algorithm: Box<dyn LimitAlgorithm>) -> Self {
        let bounds = Bounds { min: 1, max: 1000, min_calls: 10, min_time: Duration::from_secs(1), probe_every: 30 };
        Self {
            algorithm,
            initial: 20,
            bounds,
            partitions: Vec::new(),
            shed: Vec::new(),
            max_waiters: 0,
            max_wait: None,
            seed: None,
            clock: TokioClock,
        }
    }
}

impl<C> Builder<C> {
    /// The limit to begin with. Default 20.
    pub fn initial(mut self, limit: u32) -> Self {
        self.initial = limit;
        self
    }

    /// The limits it stays between. Default 1 to 1000.
    pub fn range(mut self, min: u32, max: u32) -> Self {
        (self.bounds.min, self.bounds.max) = (min, max);
        self
    }

    /// A window holds at least `calls` and lasts at least `time`. Default 10 calls and a second.
    pub fn window(mut self, calls: u32, time: Duration) -> Self {
        (self.bounds.min_calls, self.bounds.min_time) = (calls, time);
        self
    }

    /// The limit is halved for one window after `windows` of them, or a little earlier, to see the response time without a
    /// queue. Default 30; zero turns it off, and with it what keeps the limit from drifting.
    pub fn probe_every(mut self, windows: u32) -> Self {
        self.bounds.probe_every = windows;
        self
    }

    /// Guarantees `percent` of the limit to the calls of [`try_acquire_for(name)`](AdaptiveLimit::try_acquire_for).
    pub fn partition(mut self, name: impl Into<Cow<'static, str>>, percent: u32) -> Self {
        self.partitions.push(Partition { name: name.into(), percent, in_flight: 0 });
        self
    }

    /// Refuses calls of a lower priority than `priority` once `percent` of the limit is in use. May be said several times.
    pub fn shed_below(mut self, priority: u8, percent: u32) -> Self {
        self.shed.push((priority, percent));
        self
    }

    /// How many calls may wait at once. Default none: a queue of one's own is one more to be kept short.
    pub fn max_waiters(mut self, max: usize) -> Self {
        self.max_waiters = max;
        self
    }

    /// How long a call waits at most. Default: as long as it takes.
    pub fn max_wait(mut self, max: Duration) -> Self {
        self.max_wait = Some(max);
        self
    }

    /// Makes the times of the probes replay.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The clock to read and to sleep by. Default [`TokioClock`].
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        let Self { algorithm, initial, bounds, partitions, shed, max_waiters, max_wait, seed, .. } = self;
        Builder { algorithm, initial, bounds, partitions, shed, max_waiters, max_wait, seed, clock }
    }

    fn check(&self) -> Result<(), InvalidAdaptive> {
        let Bounds { min, max, .. } = self.bounds;
        if min == 0 || min > max {
            return Err(InvalidAdaptive::Range { min, max });
        }
        if !(min..=max).contains(&self.initial) {
            return Err(InvalidAdaptive::Initial { initial: self.initial, min, max });
        }
        let shares = self.partitions.iter().fold(0u32, |sum, partition| sum.saturating_add(partition.percent));
        let most_shed = self.shed.iter().map(|(_, percent)| *percent).max().unwrap_or(0);
        match shares.max(most_shed) {
            0..=100 => Ok(()),
            percent => Err(InvalidAdaptive::Percent(percent)),
        }
    }
}

impl<C: Clock + Clone> Builder<C> {
    /// The limit, with nothing in flight.
    ///
    /// # Errors
    /// [`InvalidAdaptive`] names the option at fault.
    pub fn build(self) -> Result<AdaptiveLimit<C>, InvalidAdaptive> {
        self.check()?;
        let Self { algorithm, initial, bounds, partitions, shed, max_waiters, max_wait, seed, clock } = self;
        let gate = Bulkhead::builder(initial).max_waiters(max_waiters).without_keeping().clock(clock.clone());
        let gate = if let Some(max) = max_wait { gate.max_wait(max) } else { gate };
        let range = InvalidAdaptive::Range { min: bounds.min, max: bounds.max };
        let rng = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Ok(AdaptiveLimit {
            gate: gate.build().map_err(|_| range)?,
            control: Mutex::new(Control::new(bounds, initial, algorithm, rng)),
            lanes: Lanes::new(),
            lanes_until: AtomicU64::new(0),
            shares: (!partitions.is_empty()).then(|| Mutex::new(Shares::new(partitions))),
            limit: AtomicU32::new(initial),
            shed,
            origin: clock.now(),
            clock,
        })
    }
}

/// An option of the adaptive limit makes no sense.
///
/// # Examples
/// ```
/// use tidemill_resilience::{AdaptiveLimit, Aimd, InvalidAdaptive};
///
/// let refused = AdaptiveLimit::builder(Aimd::default()).initial(500).range(1, 100).build().unwrap_err();
/// assert_eq!(refused, InvalidAdaptive::Initial { initial: 500, min: 1, max: 100 });
/// assert_eq!(refused.to_string(), "a first limit of 500 is not from 1 to 100");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidAdaptive {
    /// The range is empty or begins at zero.
    Range {
        /// The least limit.
        min: u32,
        /// The highest limit.
        max: u32,
    },
    /// The first limit is out of its range.
    Initial {
        /// The first limit.
        initial: u32,
        /// The least limit.
        min: u32,
        /// The highest limit.
        max: u32,
    },
    /// A percentage, or the sum of all shares, is above 100.
    Percent(u32),
}

impl fmt::Display for InvalidAdaptive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { min, max } => write!(f, "a limit from {min} to {max} is no range"),
            Self::Initial { initial, min, max } => write!(f, "a first limit of {initial} is not from {min} to {max}"),
            Self::Percent(percent) => write!(f, "{percent} % is above 100 %"),
        }
    }
}

impl Error for InvalidAdaptive {}
