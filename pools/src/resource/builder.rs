//! Checked options of a resource pool.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tidemill_clock::SharedClock;

use super::{
    ResourcePool,
    core::{IdleOrder, Limits},
    holders::{Detail, Holder},
    homes::Homes,
    manager::Manager,
    members::Members,
    shared::{OnLeak, Rules, Shared},
    sweep,
};
use crate::{Clock, Spawner, limits};

/// When a resource has to prove on checkout that it works ([`Manager::validate`]).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::fmt::Error;
/// use tidemill_pools::{Manager, ResourcePool, Validate};
///
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = Error;
/// # async fn create(&self) -> Result<u64, Error> { Ok(7) }
/// async fn validate(&self, number: &mut u64) -> Result<(), Error> { // of the manager `Numbers`
///     if *number == 0 { Err(Error) } else { Ok(()) }
/// }
/// # }
/// let pool = ResourcePool::builder(Numbers).validate(Validate::Always).build()?;
/// *pool.get().await? = 0;            // it dies, and its user does not say so
/// assert_eq!(*pool.get().await?, 7); // this is a new one; with `Never` it would be 0
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validate {
    /// Never; [`Manager::is_broken`] is asked all the same.
    Never,
    /// If it has proven nothing for so long: it was not made, returned or validated since.
    AfterIdle(Duration),
    /// Each time.
    Always,
}

impl Validate {
    pub(super) fn is_due(self, proven: tokio::time::Instant, now: tokio::time::Instant) -> bool {
        match self {
            Self::Never => false,
            Self::AfterIdle(bound) => now.duration_since(proven) >= bound,
            Self::Always => true,
        }
    }
}

/// Options of a [`ResourcePool`]; made by [`ResourcePool::builder`], ended by [`build`](Self::build).
///
/// | option | default | |
/// |---|---|---|
/// | `max` | 10 | resources, those being made or closed included |
/// | `min_idle` | 0 | kept ready; made in the background |
/// | `acquire_timeout` | 30 s | one for the whole of a get |
/// | `max_waiting` | no bound | callers in line |
/// | `validate` | after 500 ms idle | on checkout |
/// | `idle_timeout` | 10 min | above `min_idle` |
/// | `max_life`, `life_jitter` | 30 min, 10 % | shortened at random, so that not all end at once |
/// | `keep_alive` | never | idle ones are validated so often |
/// | `step_timeout` | 10 s | one create, one validation, one close |
/// | `creates_at_once` | 2 | |
/// | `create_backoff` | 100 ms to 5 s | doubling, with jitter |
/// | `leak_after` | never | when a holder is suspected |
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use std::time::Duration;
/// use tidemill_pools::{Manager, ResourcePool, Validate};
///
/// let pool = ResourcePool::builder(Numbers)
///     .max(20)
///     .acquire_timeout(Duration::from_secs(2))
///     .max_waiting(100)                            // one more is refused at once
///     .validate(Validate::AfterIdle(Duration::from_secs(5)))
///     .max_life(None)                              // they do not age
///     .leak_after(Duration::from_secs(60))
///     .on_leak(|holder| eprintln!("{holder}"))
///     .build()?;
/// assert_eq!((pool.max(), *pool.get().await?), (20, 7));
/// # Ok(()) }
/// ```
pub struct ResourceBuilder<M> {
    manager: M,
    limits: Limits,
    rules: Rules,
    leak_backtraces: bool,
    seed: Option<u64>,
    spawner: Option<Spawner>,
}

impl<M: Manager> ResourceBuilder<M> {
    pub(super) fn new(manager: M) -> Self {
        Self {
            manager,
            limits: Limits {
                max: limits::RESOURCES_DEFAULT,
                min_idle: 0,
                at_once: limits::CREATES_AT_ONCE,
                max_waiting: usize::MAX,
                order: IdleOrder::Lifo,
            },
            rules: Rules::default(),
            leak_backtraces: false,
            seed: None,
            spawner: None,
        }
    }

    /// The most resources there may be, those being made and those being closed included. Default: 10.
    pub fn max(mut self, resources: usize) -> Self {
        self.limits.max = resources;
        self
    }

    /// How many idle resources are kept ready; they are made in the background, from the start. Default: none.
    pub fn min_idle(mut self, resources: usize) -> Self {
        self.limits.min_idle = resources;
        self
    }

    /// How long a get may take, all in all; `None` for no bound. Default: 30 s.
    pub fn acquire_timeout(mut self, bound: impl Into<Option<Duration>>) -> Self {
        self.rules.acquire_timeout = bound.into();
        self
    }

    /// How many callers may wait at the same time; one more is refused. Default: no bound.
    pub fn max_waiting(mut self, callers: usize) -> Self {
        self.limits.max_waiting = callers;
        self
    }

    /// When a resource is validated on checkout. Default: if it was idle for 500 ms.
    pub fn validate(mut self, when: Validate) -> Self {
        self.rules.validate = when;
        self
    }

    /// Which idle resource is taken first. Default: the one returned last.
    pub fn idle_order(mut self, order: IdleOrder) -> Self {
        self.limits.order = order;
        self
    }

    /// After how long an idle resource is closed, if there are more than `min_idle`; `None` for never. Default: 10 min.
    pub fn idle_timeout(mut self, bound: impl Into<Option<Duration>>) -> Self {
        self.rules.idle_timeout = bound.into();
        self
    }

    /// After how long a resource is replaced; one in use when it comes back. `None` for never. Default: 30 min.
    pub fn max_life(mut self, bound: impl Into<Option<Duration>>) -> Self {
        self.rules.max_life = bound.into();
        self
    }

    /// The share of `max_life`, from 0 to 1, by which a life is shortened at most. Default: 0.1.
    pub fn life_jitter(mut self, share: f64) -> Self {
        self.rules.life_jitter = share;
        self
    }

    /// Validates each idle resource so often, so that no firewall forgets it; that does not count as use. Default: never.
    pub fn keep_alive(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.rules.keep_alive = every.into();
        self
    }

    /// How long one call of the manager's may take before it counts as failed. Default: 10 s.
    pub fn step_timeout(mut self, bound: Duration) -> Self {
        self.rules.step_timeout = bound;
        self
    }

    /// How many resources are made at the same time. Few let a burst be served by those that come back. Default: 2.
    pub fn creates_at_once(mut self, resources: usize) -> Self {
        self.limits.at_once = resources;
        self
    }

    /// The pause after a failed create, which doubles up to the longest; each is shortened by up to half at random.
    /// Default: from 100 ms to 5 s.
    pub fn create_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.rules.backoff = (first, longest);
        self
    }

    /// After how long a holder is suspected to have lost its resource. Makes each get note its thread and its task, and
    /// costs two read-modify-writes for that. Default: never.
    pub fn leak_after(mut self, held: impl Into<Option<Duration>>) -> Self {
        self.rules.leak_after = held.into();
        self
    }

    /// Is told of each suspect, once, by a task of the pool's. Needs `leak_after`.
    pub fn on_leak(mut self, hook: impl Fn(&Holder) + Send + Sync + 'static) -> Self {
        self.rules.on_leak = Some(Box::new(hook) as OnLeak);
        self
    }

    /// Makes each get keep its call stack for the leak report, which takes microseconds. Needs `leak_after`.
    pub fn leak_backtraces(mut self) -> Self {
        self.leak_backtraces = true;
        self
    }

    /// Where the jitter comes from, so that a test can repeat it. Default: a random seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The clock of all times and time-outs; a test gives it a [`ManualClock`](crate::ManualClock). Default: tokio's.
    pub fn clock(mut self, clock: impl Clock + Send + Sync + 'static) -> Self {
        self.rules.clock = SharedClock::new(clock);
        self
    }

    /// The runtime for the pool's own tasks. Default: the one this thread is inside of when `build` is called.
    pub fn on(mut self, runtime: impl Into<Spawner>) -> Self {
        self.spawner = Some(runtime.into());
        self
    }

    /// Builds the pool and starts making `min_idle` resources; does not wait for them.
    ///
    /// # Errors
    /// [`ResourceBuildError`] if an option is out of range or no runtime is found.
    pub fn build(self) -> Result<ResourcePool<M>, ResourceBuildError> {
        self.build_in(None)
    }

    /// As [`build`](Self::build), with a bound that it shares with others.
    pub(super) fn build_in(mut self, members: Option<Arc<Members<M>>>) -> Result<ResourcePool<M>, ResourceBuildError> {
        self.check()?;
        self.rules.detail = match (self.rules.leak_after, self.leak_backtraces) {
            (None, _) => Detail::Place,
            (Some(_), false) => Detail::Thread,
            (Some(_), true) => Detail::Backtrace,
        };
        let spawner = self.spawner.or_else(Spawner::current).ok_or(ResourceBuildError::NoRuntime)?;
        let chance = self.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let sweep_every = sweep::interval(&self.rules);
        let shared = Shared::new(self.manager, spawner, (self.limits, self.rules), chance, members);
        if let Some(every) = sweep_every {
            let clock = shared.rules.clock.clone();
            shared.spawn(sweep::sweep_for_ever(Arc::downgrade(&shared), clock, every));
        }
        let todo = shared.lock().todo(None);
        shared.carry_out(todo);
        Ok(ResourcePool { shared: Homes::new(shared) })
    }

    fn check(&self) -> Result<(), ResourceBuildError> {
        let rules = &self.rules;
        check_sizes(self.limits.max, self.limits.min_idle)?;
        if self.limits.at_once == 0 {
            return Err(ResourceBuildError::NoCreates);
        }
        if !(0.0..=1.0).contains(&rules.life_jitter) {
            return Err(ResourceBuildError::Jitter(rules.life_jitter));
        }
        let times = [
            ("idle_timeout", rules.idle_timeout),
            ("max_life", rules.max_life),
            ("keep_alive", rules.keep_alive),
            ("leak_after", rules.leak_after),
            ("step_timeout", Some(rules.step_timeout)),
            ("create_backoff", Some(rules.backoff.0)),
        ];
        if let Some((option, _)) = times.iter().find(|(_, time)| *time == Some(Duration::ZERO)) {
            return Err(ResourceBuildError::NoTime(option));
        }
        if rules.backoff.0 > rules.backoff.1 {
            return Err(ResourceBuildError::Backoff { first: rules.backoff.0, longest: rules.backoff.1 });
        }
        if rules.leak_after.is_none() && (rules.on_leak.is_some() || self.leak_backtraces) {
            return Err(ResourceBuildError::NoLeakAfter);
        }
        Ok(())
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            acquire_timeout: Some(limits::ACQUIRE_TIMEOUT),
            step_timeout: limits::STEP_TIMEOUT,
            validate: Validate::AfterIdle(limits::TRUSTED_FOR),
            idle_timeout: Some(limits::IDLE_TIMEOUT),
            max_life: Some(limits::MAX_LIFE),
            life_jitter: limits::LIFE_JITTER,
            keep_alive: None,
            backoff: limits::CREATE_BACKOFF,
            leak_after: None,
            on_leak: None,
            detail: Detail::Place,
            clock: SharedClock::default(),
        }
    }
}

pub(super) fn check_sizes(max: usize, min_idle: usize) -> Result<(), ResourceBuildError> {
    if max == 0 {
        return Err(ResourceBuildError::NoPlaces);
    }
    if min_idle > max {
        return Err(ResourceBuildError::MinAboveMax { min_idle, max });
    }
    Ok(())
}

impl<M: fmt::Debug> fmt::Debug for ResourceBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceBuilder")
            .field("manager", &self.manager)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why a resource pool could not be built, or resized.
///
/// ```
/// # struct Numbers;
/// # impl Manager for Numbers { type Resource = u64; type Error = std::convert::Infallible;
/// #     async fn create(&self) -> Result<u64, Self::Error> { Ok(7) } }
/// use tidemill_pools::{Manager, ResourceBuildError, ResourcePool};
///
/// let error = ResourcePool::builder(Numbers).max(4).min_idle(10).build().unwrap_err();
/// assert_eq!(error, ResourceBuildError::MinAboveMax { min_idle: 10, max: 4 });
///
/// let error = ResourcePool::builder(Numbers).build().unwrap_err(); // no runtime here, and none given by `on`
/// assert_eq!(error, ResourceBuildError::NoRuntime);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ResourceBuildError {
    /// `max(0)`: nobody would ever get a resource.
    NoPlaces,
    /// `max_total(0)` or `max_keys(0)`: a keyed pool with no place, or that keeps no pool.
    NoKeyedPlaces(&'static str),
    /// More are to be kept ready than there may be.
    MinAboveMax {
        /// What was asked for.
        min_idle: usize,
        /// The most there may be.
        max: usize,
    },
    /// `creates_at_once(0)`: nothing would ever be made.
    NoCreates,
    /// `life_jitter` is not from 0 to 1.
    Jitter(f64),
    /// That option is zero; `None` switches it off.
    NoTime(&'static str),
    /// `create_backoff` ends below its beginning.
    Backoff {
        /// The first pause.
        first: Duration,
        /// The longest pause.
        longest: Duration,
    },
    /// `on_leak` or `leak_backtraces` without `leak_after`: nothing would ever be reported.
    NoLeakAfter,
    /// Built outside of a runtime and without [`on`](ResourceBuilder::on).
    NoRuntime,
}

impl fmt::Display for ResourceBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPlaces => f.write_str("max(0): a resource pool needs room for at least one resource"),
            Self::NoKeyedPlaces(option) => write!(f, "{option}(0): a keyed resource pool needs at least one"),
            Self::MinAboveMax { min_idle, max } => write!(f, "min_idle({min_idle}) exceeds max({max})"),
            Self::NoCreates => f.write_str("creates_at_once(0): nothing would ever be made"),
            Self::Jitter(share) => write!(f, "life_jitter({share}): a share is from 0 to 1"),
            Self::NoTime(option) => write!(f, "{option} is zero; `None` switches it off"),
            Self::Backoff { first, longest } => {
                write!(f, "create_backoff: the first pause ({first:?}) is longer than the longest ({longest:?})")
            }
            Self::NoLeakAfter => f.write_str("on_leak and leak_backtraces need leak_after"),
            Self::NoRuntime => {
                f.write_str("no runtime: build the pool inside tidemill or tokio, or choose one with `on(handle)`")
            }
        }
    }
}

impl Error for ResourceBuildError {}
