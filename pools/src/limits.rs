//! Every number of the crate, with its reason.

use std::time::Duration;

/// Places in a worker pool's queue unless the builder says otherwise: a burst of about a tenth of a millisecond of
/// no-op jobs, and 16 KiB for pointer-sized jobs.
pub(crate) const QUEUE_DEFAULT: usize = 1024;

/// Places whose memory is allocated when the pool is built; a longer queue grows to its bound when it is needed.
pub(crate) const QUEUE_PREALLOCATED: usize = 1024;

/// Jobs a worker runs in a row before it lets other tasks of the runtime run. A yield costs about 40 ns, so at this
/// length it adds less than one nanosecond to a job.
pub(crate) const JOBS_PER_TURN: u32 = 64;

/// Idle objects an object pool keeps unless the builder says otherwise.
pub(crate) const OBJECTS_DEFAULT: usize = 1024;

/// The most objects one thread keeps for itself unless the builder says otherwise: long enough that a thread which
/// nests many objects visits the shared depot every 16th time only, short enough that a sleeping thread hoards little.
pub(crate) const MAGAZINE_MAX: usize = 32;

/// Every so manieth pick of a worker pool with priorities belongs to one of the levels in rotation. One in sixteen: the
/// urgent lose a sixteenth under full load, and each of four levels is served at least once in 64 picks.
pub(crate) const ASSURED_EVERY: u64 = 16;

/// How long a worker above the minimum stays without work. As long as the scheduler keeps an idle thread.
pub(crate) const IDLE_EXPIRY: Duration = Duration::from_secs(10);

/// One job of so many is timed for the histograms: three clock reads of about 25 ns, so about one nanosecond a job.
pub(crate) const SAMPLE_EVERY: u64 = 64;

/// Stale jobs a worker puts aside in a row before it lets other tasks of the runtime run.
pub(crate) const SHED_PER_TURN: u32 = 64;
