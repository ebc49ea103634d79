//! Checked options of an object pool.

use std::{error::Error, fmt, time::Duration};

use super::{
    ObjectPool,
    decay::{Clock, Decay, system_clock},
    depot::{Care, Depot, Recycle, Valid},
    registry,
};
use crate::limits::{MAGAZINE_MAX, OBJECTS_DEFAULT};

type Reset<T> = Box<dyn Fn(&mut T) + Send + Sync>;
type Judge<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// Options of an [`ObjectPool`]; made by [`ObjectPool::builder`], ended by [`build`](Self::build).
///
/// ```
/// use std::time::Duration;
/// use tidemill_pools::ObjectPool;
///
/// let buffers = ObjectPool::builder(Vec::<u8>::new)
///     .capacity(64)                                  // idle ones, in all
///     .prefill(8)                                    // made now
///     .reset(Vec::clear)                             // on return
///     .keep_if(|buffer| buffer.capacity() <= 65_536) // a giant is not kept
///     .decay(Duration::from_secs(30))                // half of what was not needed goes so often
///     .build()?;
/// assert_eq!((buffers.capacity(), buffers.stats().made), (64, 8));
/// # Ok::<(), tidemill_pools::ObjectBuildError>(())
/// ```
pub struct ObjectBuilder<T> {
    make: Box<dyn Fn() -> T + Send + Sync>,
    capacity: usize,
    magazine: Option<usize>,
    prefill: usize,
    reset: Option<Reset<T>>,
    keep_if: Option<Judge<T>>,
    valid_if: Option<Valid<T>>,
    decay: Option<Duration>,
    clock: Option<Clock>,
}

impl<T: Send + 'static> ObjectBuilder<T> {
    pub(super) fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            capacity: OBJECTS_DEFAULT,
            magazine: None,
            prefill: 0,
            reset: None,
            keep_if: None,
            valid_if: None,
            decay: None,
            clock: None,
        }
    }

    /// The most idle objects kept in all, those cached by threads included. Default: 1,024.
    pub fn capacity(mut self, objects: usize) -> Self {
        self.capacity = objects;
        self
    }

    /// The most objects one thread caches for itself; 0 sends every get and return through the shared depot. All threads
    /// together cache at most half the capacity. Default: that half divided among the CPUs, at most 32.
    pub fn magazine(mut self, objects: usize) -> Self {
        self.magazine = Some(objects);
        self
    }

    /// Makes so many objects when the pool is built. Default: none.
    pub fn prefill(mut self, objects: usize) -> Self {
        self.prefill = objects;
        self
    }

    /// Readies an object for its next user. Called on *return*, so that what an object holds is let go early.
    pub fn reset(mut self, reset: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        self.reset = Some(Box::new(reset));
        self
    }

    /// Whether a returned object is worth keeping, for example because it has not grown too large. Called on return,
    /// before `reset`.
    pub fn keep_if(mut self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.keep_if = Some(Box::new(keep));
        self
    }

    /// Whether an idle object is still fit for use. Called on *get*; one that is not is dropped, and the next one, or a
    /// new one, is given out. A get then always goes past the quick slot of its thread.
    pub fn valid_if(mut self, valid: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.valid_if = Some(Box::new(valid));
        self
    }

    /// Lets idle objects that were not needed go, by half in each window of this length; see [`ObjectPool::trim`] for the
    /// rule. Looked at on every 64th return of a thread: there is no thread behind it. Default: they stay.
    pub fn decay(mut self, window: impl Into<Option<Duration>>) -> Self {
        self.decay = window.into();
        self
    }

    /// The clock of `decay`: the time since some fixed moment. Default: the system's monotonic clock.
    pub fn clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Builds the pool and prefills it.
    ///
    /// # Errors
    /// [`ObjectBuildError`] if an option is out of range.
    ///
    /// # Panics
    /// As `make` does while prefilling.
    pub fn build(self) -> Result<ObjectPool<T>, ObjectBuildError> {
        if self.capacity == 0 {
            return Err(ObjectBuildError::NoCapacity);
        }
        if self.prefill > self.capacity {
            return Err(ObjectBuildError::Overfull { prefill: self.prefill, capacity: self.capacity });
        }
        if self.decay == Some(Duration::ZERO) {
            return Err(ObjectBuildError::NoWindow);
        }
        let capacity = self.capacity;
        let magazine = self.magazine.unwrap_or_else(|| share_of_a_cpu(capacity));
        let clock = self.clock;
        let care = Care {
            recycle: recycle(self.reset, self.keep_if),
            valid: self.valid_if,
            decay: self.decay.map(|window| Decay::new(window, clock.unwrap_or_else(system_clock))),
        };
        let depot = registry::register(|id| Depot::new(id, capacity, magazine, care));
        let pool = ObjectPool { id: depot.id(), depot, make: self.make };
        for _ in 0..self.prefill {
            pool.depot.push(Box::new(pool.made()));
        }
        Ok(pool)
    }
}

/// Both hooks in one, so that a return asks once.
fn recycle<T: 'static>(reset: Option<Reset<T>>, keep_if: Option<Judge<T>>) -> Option<Recycle<T>> {
    match (keep_if, reset) {
        (None, None) => None,
        (Some(keep), None) => Some(Box::new(move |object| keep(object))),
        (None, Some(reset)) => Some(Box::new(move |object| {
            reset(object);
            true
        })),
        (Some(keep), Some(reset)) => Some(Box::new(move |object| {
            let kept = keep(object);
            if kept {
                reset(object);
            }
            kept
        })),
    }
}

/// The places a thread gets by default. The number of CPUs is only a hint here: more threads come away empty-handed,
/// fewer leave the depot larger.
fn share_of_a_cpu(capacity: usize) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    (capacity / 2 / cpus).clamp(1, MAGAZINE_MAX)
}

impl<T> fmt::Debug for ObjectBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBuilder")
            .field("capacity", &self.capacity)
            .field("magazine", &self.magazine)
            .field("prefill", &self.prefill)
            .finish_non_exhaustive()
    }
}

/// Why an object pool could not be built.
///
/// ```
/// use tidemill_pools::{ObjectBuildError, ObjectPool};
///
/// let error = ObjectPool::builder(String::new).capacity(4).prefill(10).build().unwrap_err();
/// assert_eq!(error, ObjectBuildError::Overfull { prefill: 10, capacity: 4 });
/// assert_eq!(error.to_string(), "prefill(10) exceeds capacity(4)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectBuildError {
    /// `capacity(0)`: the pool could never keep an object.
    NoCapacity,
    /// `decay` of no length: `None` switches it off.
    NoWindow,
    /// More objects to make at the start than may be kept.
    Overfull {
        /// What was asked for.
        prefill: usize,
        /// The most idle objects.
        capacity: usize,
    },
}

impl fmt::Display for ObjectBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapacity => f.write_str("capacity(0): an object pool needs room for at least one object"),
            Self::NoWindow => f.write_str("decay of zero; `None` switches it off"),
            Self::Overfull { prefill, capacity } => write!(f, "prefill({prefill}) exceeds capacity({capacity})"),
        }
    }
}

impl Error for ObjectBuildError {}
