//! Every number of the crate, with its reason.

use std::time::Duration;

/// Places in a worker pool's queue unless the builder says otherwise: a burst of about a tenth of a millisecond of
/// no-op jobs, and 16 KiB for pointer-sized jobs.
pub(crate) const QUEUE_DEFAULT: usize = 1024;

/// Places whose memory is allocated when the pool is built; a longer queue grows to its bound when it is needed.
pub(crate) const QUEUE_PREALLOCATED: usize = 1024;

/// Jobs a worker runs, or puts aside, in a row before it lets other tasks of the runtime run. A yield costs about 40 ns, so at this
/// length it adds less than one nanosecond to a job.
pub(crate) const JOBS_PER_TURN: u32 = 64;

/// Idle objects an object pool keeps unless the builder says otherwise.
pub(crate) const OBJECTS_DEFAULT: usize = 1024;

/// Returns of a thread between two looks at the clock, where a pool has a reason to look: 25 ns each come to less than
/// half a nanosecond per return.
pub(crate) const RETURNS_PER_LOOK: u32 = 64;

/// The smallest and the largest buffers that a buffer pool keeps unless the builder says otherwise: below, an allocation
/// is as quick; above, one idle buffer is worth a thousand small ones.
pub(crate) const BUFFER_SIZES: (usize, usize) = (1 << 10, 1 << 20);

/// Idle bytes that a buffer pool keeps of each size class.
pub(crate) const BYTES_PER_CLASS: usize = 4 << 20;

/// How long a window of a buffer pool's decay lasts: a burst's memory is back after a few minutes.
pub(crate) const BUFFER_DECAY: Duration = Duration::from_secs(30);

/// The most objects one thread keeps for itself unless the builder says otherwise: long enough that a thread which
/// nests many objects visits the shared depot every 16th time only, short enough that a sleeping thread hoards little.
pub(crate) const MAGAZINE_MAX: usize = 32;

/// Every so manieth pick of a worker pool with priorities belongs to one of the levels in rotation. One in sixteen: the
/// urgent lose a sixteenth under full load, and each of four levels is served at least once in 64 picks.
pub(crate) const ASSURED_EVERY: u64 = 16;

/// How long a worker above the minimum stays without work. As long as the scheduler keeps an idle thread.
pub(crate) const IDLE_EXPIRY: Duration = Duration::from_secs(10);

/// One job of so many is timed for the histograms: three clock reads of about 25 ns and an allocation, so one or two
/// nanoseconds a job.
pub(crate) const SAMPLE_EVERY: u64 = 64;

/// Jobs a worker is dealt at once at the most, beside the one it starts: with so many the fight for the queue's lock is a
/// few nanoseconds a job.
pub(crate) const DEAL_MOST: usize = 32;

/// Workers that hold dealt jobs at a time at the most, so that taking them all back is a few microseconds under the lock.
pub(crate) const DEAL_HANDS: usize = 16;

/// A job starts before no other that was queued so many places ahead of it. As much as eight workers hold among them.
pub(crate) const OVERTAKE: usize = 128;

/// Jobs are dealt only while the job timed last took less, in nanoseconds: then a hand is used up in tens of microseconds.
pub(crate) const BRISK: u64 = 4_000;

/// Resources of a pool unless the builder says otherwise; HikariCP's and bb8's number.
pub(crate) const RESOURCES_DEFAULT: usize = 10;

/// Pools of a keyed pool that are kept while nobody uses them: some hundred KiB, besides what they hold.
pub(crate) const KEYS_DEFAULT: usize = 1024;

/// Groups of threads that count their leases apart: each costs a pool 256 bytes.
pub(crate) const HOMES: usize = 8;

/// Resources in the making at the same time. HikariCP makes one after the other, so that a burst is served by what comes
/// back; with two, one that hangs does not stop the growth.
pub(crate) const CREATES_AT_ONCE: usize = 2;

/// How long a get may take; HikariCP's, bb8's and r2d2's number.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one call of a manager's may take: above a TCP connect with two lost packets, TLS and login (about 7 s).
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// What worked so recently is taken to work still; HikariCP's number.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_millis(500);

/// After how long an idle resource is closed; HikariCP's, bb8's and r2d2's number.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// After how long a resource is replaced; HikariCP's, bb8's and r2d2's number.
pub(crate) const MAX_LIFE: Duration = Duration::from_secs(30 * 60);

/// The share of a life that chance takes away: spreads a pool's replacements over three minutes.
pub(crate) const LIFE_JITTER: f64 = 0.1;

/// Pauses after failed creates: short enough that a restart is hardly noticed, at most one knock in five seconds.
pub(crate) const CREATE_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How often a pool sweeps at most: its timer has a grain of a millisecond.
pub(crate) const SWEEP_SHORTEST: Duration = Duration::from_millis(1);

/// How often a pool sweeps at least, and so how late an idle resource can be closed; HikariCP's number.
pub(crate) const SWEEP_LONGEST: Duration = Duration::from_secs(30);
