//! Byte buffers by size: an object pool for each power of two, so that a small request does not take a large buffer, and
//! one large request does not make every buffer large (golang/go#23199).
//!
//! A buffer is kept by what it *is*, not by what it was asked for: one that has grown goes to the class of its capacity, one
//! that has grown beyond the largest class is dropped (golang/go#27735). Each class has a bound in bytes, and decays.

use std::{
    error::Error,
    fmt,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{ObjectPool, ObjectStats, Pooled, decay::system_clock};
use crate::limits::{BUFFER_DECAY, BUFFER_SIZES, BYTES_PER_CLASS, OBJECTS_DEFAULT};

type SharedClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A pool of byte buffers in size classes.
///
/// ```
/// use std::sync::Arc;
/// use tidemill_pools::BufferPool;
///
/// let buffers = Arc::new(BufferPool::builder().largest(64 * 1024).build()?);
/// let mut line = buffers.get(100); // borrows the pool
/// assert!(line.is_empty() && line.capacity() >= 100);
/// line.extend_from_slice(b"tide");
///
/// let body = buffers.get_owned(10_000); // keeps the pool alive, and may go anywhere
/// std::thread::spawn(move || drop(body)).join().unwrap();
/// # Ok::<(), tidemill_pools::BufferBuildError>(())
/// ```
pub struct BufferPool {
    /// In order of size: powers of two without a gap.
    classes: Box<[ObjectPool<Vec<u8>>]>,
    /// The smallest class has this power of two.
    shift: u32,
    /// Counts, relaxed because they order nothing.
    giants: AtomicU64,
    moved: AtomicU64,
}

impl BufferPool {
    /// The options.
    pub fn builder() -> BufferBuilder {
        BufferBuilder {
            smallest: BUFFER_SIZES.0,
            largest: BUFFER_SIZES.1,
            bytes_per_class: BYTES_PER_CLASS,
            decay: Some(BUFFER_DECAY),
            clock: None,
        }
    }

    /// An empty buffer with room for at least `min_capacity` bytes; never waits. One that is larger than the largest class
    /// is allocated, and not kept.
    ///
    /// Cost: as [`ObjectPool::get`], and no read-modify-write for the guard, as it borrows the pool.
    #[inline]
    pub fn get(&self, min_capacity: usize) -> Buffer<&Self> {
        Buffer::new(self, min_capacity)
    }

    /// As [`get`](Self::get), with a guard that is `'static` and `Send`. Cost: two read-modify-writes more.
    pub fn get_owned(self: &Arc<Self>, min_capacity: usize) -> Buffer<Arc<Self>> {
        Buffer::new(Arc::clone(self), min_capacity)
    }

    fn take(&self, min_capacity: usize) -> (usize, Pooled<Vec<u8>>) {
        // The exponent of the next power of two; none is as good as too large.
        let exponent = min_capacity.checked_next_power_of_two().map_or(usize::BITS, usize::trailing_zeros);
        let class = exponent.saturating_sub(self.shift) as usize;
        match self.classes.get(class) {
            Some(pool) => (class, pool.get()),
            None => {
                let last = self.classes.len() - 1;
                (last, self.classes[last].attach(Vec::with_capacity(min_capacity)))
            }
        }
    }

    /// The class that a buffer of this capacity belongs to, if it is to be kept: it can serve each request of that class.
    #[inline]
    fn class_of(&self, capacity: usize) -> Option<usize> {
        let class = (capacity >> self.shift).checked_ilog2()? as usize;
        let giant = capacity > self.size(self.classes.len() - 1);
        (!giant).then_some(class)
    }

    fn size(&self, class: usize) -> usize {
        1 << self.shift << class
    }

    /// A buffer comes back with another capacity than it had.
    #[cold]
    fn rehome(&self, buffer: Pooled<Vec<u8>>) {
        let bytes = buffer.detach();
        match self.class_of(bytes.capacity()) {
            Some(class) => {
                self.moved.fetch_add(1, Relaxed);
                drop(self.classes[class].attach(bytes));
            }
            None => {
                self.giants.fetch_add(1, Relaxed);
            }
        }
    }

    /// Ends the window of every class's decay now; see [`ObjectPool::trim`].
    pub fn trim(&self) {
        self.classes.iter().for_each(ObjectPool::trim);
    }

    /// Drops every idle buffer in the depots and those cached by this thread.
    pub fn clear(&self) {
        self.classes.iter().for_each(ObjectPool::clear);
    }

    /// A look at each class. Cost: one lock for each.
    pub fn stats(&self) -> BufferStats {
        let classes = self.classes.iter().enumerate();
        BufferStats {
            classes: classes.map(|(class, pool)| (self.size(class), pool.stats())).collect(),
            refused: self.giants.load(Relaxed),
            moved: self.moved.load(Relaxed),
        }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// A moment in the life of a [`BufferPool`].
///
/// ```
/// use tidemill_pools::BufferPool;
///
/// let buffers = BufferPool::builder().largest(64 * 1024).build()?;
/// let mut body = buffers.get(1_000);
/// body.resize(5_000, 0); // grows out of its class
/// drop(body);
/// drop(buffers.get(100_000)); // larger than the largest class
///
/// let stats = buffers.stats();
/// assert_eq!((stats.moved, stats.refused), (1, 1)); // many of these: choose other sizes
/// # Ok::<(), tidemill_pools::BufferBuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferStats {
    /// The size of each class in bytes, and how it stands.
    pub classes: Vec<(usize, ObjectStats)>,
    /// Buffers that were dropped because they came back larger than the largest class, or smaller than the smallest.
    pub refused: u64,
    /// Buffers that came back to another class than they came from.
    pub moved: u64,
}

impl BufferStats {
    /// Bytes that lie idle in the shared depots, at least.
    pub fn idle_bytes(&self) -> usize {
        self.classes.iter().map(|(size, stats)| size * stats.shared).sum()
    }
}

/// A buffer of a [`BufferPool`] in use: a `Vec<u8>` that goes back, emptied, when it is dropped. `P` is a reference to the pool
/// or an `Arc` of it.
///
/// ```
/// use std::sync::Arc;
/// use tidemill_pools::{Buffer, BufferPool};
///
/// struct Frame { body: Buffer<Arc<BufferPool>> } // of `get_owned`: it may go anywhere
///
/// let buffers = Arc::new(BufferPool::builder().build()?);
/// let mut frame = Frame { body: buffers.get_owned(100) };
/// frame.body.extend_from_slice(b"tide");
/// assert_eq!(frame.body.into_vec(), b"tide"); // out of the pool for good; else it goes back with its frame
/// # Ok::<(), tidemill_pools::BufferBuildError>(())
/// ```
pub struct Buffer<P: Deref<Target = BufferPool>> {
    pool: P,
    class: usize,
    /// Present until the guard is dropped or the bytes are taken out.
    bytes: Option<Pooled<Vec<u8>>>,
}

const PRESENT: &str = "the bytes are in the guard until the guard ends";

impl<P: Deref<Target = BufferPool>> Buffer<P> {
    #[inline]
    fn new(pool: P, min_capacity: usize) -> Self {
        let (class, bytes) = pool.take(min_capacity);
        Self { pool, class, bytes: Some(bytes) }
    }

    /// Takes the bytes out of the pool's care.
    pub fn into_vec(mut self) -> Vec<u8> {
        self.bytes.take().expect(PRESENT).detach()
    }
}

impl<P: Deref<Target = BufferPool>> Deref for Buffer<P> {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        self.bytes.as_ref().expect(PRESENT)
    }
}

impl<P: Deref<Target = BufferPool>> DerefMut for Buffer<P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        self.bytes.as_mut().expect(PRESENT)
    }
}

impl<P: Deref<Target = BufferPool>> fmt::Debug for Buffer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

impl<P: Deref<Target = BufferPool>> Drop for Buffer<P> {
    #[inline]
    fn drop(&mut self) {
        let Some(bytes) = self.bytes.take() else { return };
        if self.pool.class_of(bytes.capacity()) == Some(self.class) {
            drop(bytes);
        } else {
            self.pool.rehome(bytes);
        }
    }
}

/// Options of a [`BufferPool`]; made by [`BufferPool::builder`], ended by [`build`](Self::build).
///
/// ```
/// use tidemill_pools::BufferPool;
///
/// let buffers = BufferPool::builder()
///     .smallest(4 * 1024)
///     .largest(30_000)          // rounded up
///     .bytes_per_class(1 << 20) // idle: 256 buffers of 4 KiB, 32 of 32 KiB
///     .decay(None)              // none is dropped for lying idle
///     .build()?;
/// let sizes: Vec<usize> = buffers.stats().classes.iter().map(|(size, _)| *size).collect();
/// assert_eq!(sizes, [4_096, 8_192, 16_384, 32_768]);
/// # Ok::<(), tidemill_pools::BufferBuildError>(())
/// ```
pub struct BufferBuilder {
    smallest: usize,
    largest: usize,
    bytes_per_class: usize,
    decay: Option<Duration>,
    clock: Option<SharedClock>,
}

impl BufferBuilder {
    /// The size of the smallest class in bytes, rounded up to a power of two. Default: 1 KiB.
    pub fn smallest(mut self, bytes: usize) -> Self {
        self.smallest = bytes;
        self
    }

    /// The size of the largest class in bytes, rounded up to a power of two; larger buffers are not kept. Default: 1 MiB.
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// How many idle bytes each class keeps, those cached by threads included: so many buffers of that class's size, but
    /// one at least and 1,024 at most. Default: 4 MiB.
    pub fn bytes_per_class(mut self, bytes: usize) -> Self {
        self.bytes_per_class = bytes;
        self
    }

    /// As [`ObjectBuilder::decay`](crate::ObjectBuilder::decay), for each class. Default: 30 s.
    pub fn decay(mut self, window: impl Into<Option<Duration>>) -> Self {
        self.decay = window.into();
        self
    }

    /// As [`ObjectBuilder::clock`](crate::ObjectBuilder::clock), for all classes.
    pub fn clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Builds the pool; allocates no buffers.
    ///
    /// # Errors
    /// [`BufferBuildError`] if an option is out of range.
    pub fn build(self) -> Result<BufferPool, BufferBuildError> {
        let (smallest, largest) = (rounded(self.smallest)?, rounded(self.largest)?);
        if smallest > largest {
            return Err(BufferBuildError::Sizes { smallest, largest });
        }
        if self.decay == Some(Duration::ZERO) {
            return Err(BufferBuildError::NoWindow);
        }
        let clock: SharedClock = self.clock.unwrap_or_else(|| system_clock().into());
        let classes = smallest.ilog2()..=largest.ilog2();
        let pool = |exponent: u32| {
            let (size, clock) = (1_usize << exponent, Arc::clone(&clock));
            ObjectPool::builder(move || Vec::with_capacity(size))
                .capacity((self.bytes_per_class / size).clamp(1, OBJECTS_DEFAULT))
                .reset(Vec::clear)
                .decay(self.decay)
                .clock(move || clock())
                .build()
                .expect("a capacity of one at least, and a window of some length")
        };
        let classes = classes.map(pool).collect();
        Ok(BufferPool { classes, shift: smallest.ilog2(), giants: AtomicU64::new(0), moved: AtomicU64::new(0) })
    }
}

fn rounded(size: usize) -> Result<usize, BufferBuildError> {
    size.checked_next_power_of_two().filter(|_| size > 0).ok_or(BufferBuildError::Size(size))
}

impl fmt::Debug for BufferBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferBuilder")
            .field("smallest", &self.smallest)
            .field("largest", &self.largest)
            .field("bytes_per_class", &self.bytes_per_class)
            .field("decay", &self.decay)
            .finish_non_exhaustive()
    }
}

/// Why a buffer pool could not be built.
///
/// ```
/// use tidemill_pools::{BufferBuildError, BufferPool};
///
/// let error = BufferPool::builder().smallest(4_096).largest(1_000).build().unwrap_err();
/// assert_eq!(error, BufferBuildError::Sizes { smallest: 4_096, largest: 1_024 });
/// assert_eq!(error.to_string(), "smallest(4096) exceeds largest(1024)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BufferBuildError {
    /// `smallest` or `largest` is zero, or there is no power of two above it.
    Size(usize),
    /// The smallest class is larger than the largest.
    Sizes {
        /// What was asked for, rounded up.
        smallest: usize,
        /// What was asked for, rounded up.
        largest: usize,
    },
    /// `decay` of no length: `None` switches it off.
    NoWindow,
}

impl fmt::Display for BufferBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a size class of {size} bytes: it has to be a positive power of two"),
            Self::Sizes { smallest, largest } => write!(f, "smallest({smallest}) exceeds largest({largest})"),
            Self::NoWindow => f.write_str("decay of zero; `None` switches it off"),
        }
    }
}

impl Error for BufferBuildError {}
