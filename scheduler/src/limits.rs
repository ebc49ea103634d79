//! Every number of the scheduler: its name, its reason, its source.

use std::time::Duration;

/// The number for the product, or for shuttle, which then reaches in a short run what the number delays.
const fn shrunk(product: u32, model: u32) -> u32 {
    if cfg!(tidemill_shuttle) { model } else { product }
}

/// A machine looks around, and takes from the injector first, once in so many picks at the least, so that a flood of local work
/// cannot starve what came from outside. 61 is Go's choice: prime, so that it does not beat with periodic loads.
pub(crate) const LOOK_MOST: u32 = shrunk(61, 5);

/// It looks around this often if that many picks take longer. A look costs a clock read, and as a rule a turn of the
/// reactor, together some 0.6 us: a quarter of a per cent.
pub(crate) const LOOK_GAP: Duration = Duration::from_micros(250);

/// Picks from one that takes from the injector first to the next, at the least: two of three go to the own queue.
pub(crate) const OUTSIDE_GAP: u32 = 3;

/// A busy machine turns the reactor if nobody did for this long. An `epoll_wait` that returns at once costs about
/// 0.5 us with tokio's bookkeeping, so the turns of a busy machine stay near half a per cent of its time, and a
/// socket of a busy runtime waits this much longer than it had to.
pub(crate) const TURN_GAP: Duration = Duration::from_micros(100);

/// This many `runnext` picks in a row at the most, while others wait in the same queue. Three is tokio's bound: enough
/// for a request and its answer, too few for a ping-pong pair to hold the queue up.
pub(crate) const RUNNEXT_CHAIN: u32 = 3;

/// Passes over all peers before a searcher gives up. Go makes four; `runnext` is stolen in the last one only.
pub(crate) const STEAL_PASSES: u32 = 4;

/// Spin hints between two passes: a hint takes 10 to 50 ns, so that a search lasts as long as a few short polls, and
/// not as long as a wake-up.
pub(crate) const STEAL_PAUSE: u32 = 16;

/// Tasks moved from the injector to the own queue in one go.
pub(crate) const INJECTOR_BATCH: usize = shrunk(32, 2) as usize;

/// Threads a runtime may have, reactor drivers and blocked ones included. tokio's blocking pool has the same bound.
pub(crate) const MAX_THREADS: usize = 512;

/// What `max_threads` may be: the table of machines has an entry for each, and Linux has at most four million threads.
pub(crate) const MOST_THREADS: usize = 1_000_000;

/// A machine without work for this long ends. tokio's blocking threads use the same figure.
pub(crate) const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The monitor's shortest nap: Go's 20 us.
pub(crate) const MONITOR_NAP_MIN: Duration = Duration::from_micros(20);

/// The monitor's longest nap while anything runs. Go uses 10 ms; a poll that blocks without saying so is noticed after
/// one or two of these, and a thousand wake-ups a second cost 0.3 % of one CPU.
pub(crate) const MONITOR_NAP_MAX: Duration = Duration::from_micros(shrunk(1000, 40) as u64);

/// Naps without a finding before the nap doubles: Go's 50.
pub(crate) const MONITOR_QUIET_NAPS: u32 = shrunk(50, 1);

/// The runtime was idle for this many of the longest naps: the monitor sleeps until the next machine gets a permit. To
/// wake it costs that machine a system call, so not at once; and each nap costs an idle runtime some 5 us.
pub(crate) const MONITOR_IDLE_NAPS: u32 = 2;

/// While all machines turn over, the monitor wakes up if one has not come round for this long: as for its longest nap.
pub(crate) const ALARM: Duration = Duration::from_millis(1);

/// The machines put that alarm off this often: a system call of 0.3 us, about a tenth of a per cent.
pub(crate) const PUT_OFF_GAP: Duration = Duration::from_micros(250);

/// All threads were blocked for this long while tasks waited: the monitor says so, once.
pub(crate) const STARVED_AFTER: Duration = Duration::from_secs(1);

/// An unmarked poll whose thread used no CPU for this long is blocked in the kernel and loses its permit.
pub(crate) const BLOCKED_AFTER: Duration = Duration::from_millis(1);

/// A poll that still runs after this long loses its permit if other work waits: Go's time slice.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// Tasks moved per round from the queue of a machine that burns to the injector: at a round a millisecond each of them
/// waits no longer than the others, and a long queue is left for thieves, who move it faster.
pub(crate) const RELIEF_BATCH: usize = shrunk(32, 1) as usize;

/// Nobody turned the reactor for this long: the monitor sees to it. Go's netpoll figure.
pub(crate) const DRIVER_GAP: Duration = Duration::from_millis(10);

/// How often the CPU limit is read again. Reading costs 2 to 9 us; Go does it as often.
pub(crate) const RESIZE_INTERVAL: Duration = Duration::from_secs(1);

/// Looks around between two sampled polls, and two sampled wake-ups, of a machine: one of 1037, an odd number, for else
/// of two tasks that take turns it would always be the same. A pair of samples takes
/// four clock reads and leaves the fast path four times, in all some 200 ns: a fifth of a nanosecond per poll.
pub(crate) const SAMPLE_INTERVAL: u32 = 17;

/// Tasks made ready from outside between two that are stamped, for each thread. A push from outside costs more
/// than one on a machine, so it bears more samples.
pub(crate) const INJECTED_INTERVAL: u32 = 61;

/// Events that the flight recorder may keep of each thread: 48 MiB.
pub(crate) const FLIGHT_RECORDER_MAX: usize = 1 << 20;

/// How long dropping a runtime waits for its threads before it leaves them behind.
pub(crate) const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// Slabs for tasks that are spawned from outside: threads that spawn at the same time rarely share one's lock.
pub(crate) const OUTSIDE_SLABS: usize = shrunk(8, 2) as usize;
