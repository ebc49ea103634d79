//! Seen from outside: what a runtime tells of itself, at a cost that cannot be measured while nobody asks.
//!
//! | file | what it is |
//! |---|---|
//! | `sample.rs` | which polls are timed and which wake-ups stamped: one of 1037 |
//! | `histogram.rs` | where those times are counted |
//! | `machines.rs` | the threads one by one |
//! | `dump.rs` | the tasks one by one |
//! | `trace.rs` | `TIDEMILL_SCHEDTRACE`: one line per interval on standard error |
//! | `event.rs`, `slot.rs`, `recorder.rs`, `chrome.rs` | the flight recorder, off unless asked for, and its export |
//! | `console.rs` | spans for tokio-console, with the feature `console` |
//!
//! Everything that a machine writes for others, it writes with plain stores to memory of its own; readers add up.
//! Nothing here locks, wakes or delays a machine.

mod chrome;
mod console;
mod dump;
mod event;
mod histogram;
pub(crate) mod machines;
mod recorder;
mod sample;
mod slot;
mod trace;

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) use console::{instrument, name};
pub use dump::{TaskDump, TaskInfo, TaskState};
pub use event::{Event, RetakeReason, Span, Track, What};
pub use histogram::Histogram;
pub use machines::{MachineMetrics, MachineState};
pub(crate) use sample::{Own, injected};
pub(crate) use trace::{Trace, interval};

use histogram::Tally;
use recorder::Ring;

use crate::machine::{Machine, count};
use crate::runtime::{Handle, Shared};
use crate::sync;

/// What a machine measures, for anybody to read.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    poll_times: Tally,
    latencies: Tally,
    /// Its part of the flight recorder, made by its first thread if there is one.
    ring: OnceLock<Ring>,
    panics: sync::AtomicU64,
}

impl Shown {
    /// A poll panicked, by the machine's thread.
    pub(crate) fn panicked(&self) {
        count(&self.panics);
    }
}

/// What a runtime has for all of them. On cache lines of its own: every poll reads the coarse clock, and what lies beside it
/// in the runtime is written all the time.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Hub {
    epoch: Instant,
    /// Events to keep of each thread; 0: the recorder is off.
    capacity: usize,
    /// The monitor's part of the flight recorder.
    monitor: Option<Ring>,
    coarse: AtomicU32,
}

/// The coarse clock begins again after this many milliseconds, so that bit 31 of it is never set.
const COARSE_MAX: u32 = (1 << 31) - 1;

impl Hub {
    pub(crate) fn new(capacity: usize) -> Self {
        let monitor = (capacity != 0).then(|| Ring::new(capacity));
        Self { epoch: Instant::now(), capacity, monitor, coarse: AtomicU32::new(1) }
    }

    /// Reads the clock for those who read the coarse one: the monitor each round, and a machine that gets a permit, for the
    /// monitor may have been asleep until then.
    pub(crate) fn tick(&self) {
        let now = self.epoch.elapsed().as_millis() as u32 % COARSE_MAX + 1;
        // Relaxed: a time is all that it is. Written only if it changed, for every machine reads it.
        if self.coarse.load(Ordering::Relaxed) != now {
            self.coarse.store(now, Ordering::Relaxed);
        }
    }

    /// The coarse clock: milliseconds since the runtime was built, plus one, modulo 24 days; a millisecond or two late,
    /// and more if the monitor gets no CPU. A plain load, so it may be read for every poll.
    pub(crate) fn coarse(&self) -> u32 {
        self.coarse.load(Ordering::Relaxed)
    }

    /// The time from `then` to `now`, both on the coarse clock; zero if `then` is later.
    fn between(then: u32, now: u32) -> Duration {
        let passed = (now + COARSE_MAX - then) % COARSE_MAX;
        Duration::from_millis(if passed > COARSE_MAX / 2 { 0 } else { passed.into() })
    }

    /// The coarse clock, just read.
    fn now_coarse(&self) -> u32 {
        self.tick();
        self.coarse()
    }

    /// Nanoseconds since the runtime was built.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Records what the monitor did, by the monitor only.
    pub(crate) fn note(&self, what: What) {
        if let Some(ring) = &self.monitor {
            ring.write(self.now(), what);
        }
    }
}

impl Shared {
    fn histogram(&self, of: fn(&Shown) -> &Tally) -> Histogram {
        Histogram::of(self.machines().map(|machine| of(&machine.watch)))
    }

    /// The events of all threads, oldest first.
    fn events(&self) -> Vec<Event> {
        let of = |machine: &Machine| {
            let ring = machine.watch.ring.get();
            ring.map(|ring| ring.events(Track::Machine(machine.id)).collect::<Vec<_>>()).unwrap_or_default()
        };
        let monitor = self.watch.monitor.iter().flat_map(|ring| ring.events(Track::Monitor));
        let mut all: Vec<Event> = monitor.chain(self.machines().flat_map(of)).collect();
        all.sort_by_key(|event| event.at);
        all
    }
}

impl Handle {
    /// How long polls took, sampled: one poll of about 1037 is timed on each thread, whether or not anybody asks. A poll
    /// that blocks counts for as long as it did.
    pub fn poll_times(&self) -> Histogram {
        self.shared().histogram(|shown| &shown.poll_times)
    }

    /// How long tasks were ready before they ran, sampled: one wake-up (or spawn) of about 1037 on each thread.
    pub fn latencies(&self) -> Histogram {
        self.shared().histogram(|shown| &shown.latencies)
    }

    /// The runtime's threads one by one, by number.
    pub fn machines(&self) -> Vec<MachineMetrics> {
        machines::of(self.shared())
    }

    /// What the flight recorder holds now. It is empty unless the runtime was built with
    /// [`Builder::flight_recorder`](crate::Builder::flight_recorder).
    ///
    /// # Cost
    /// A copy of what is recorded. The threads go on meanwhile; what they overwrite during the copy is left out.
    pub fn flight_record(&self) -> FlightRecord {
        let shared = self.shared();
        FlightRecord { process: shared.options.thread_name.clone(), events: shared.events() }
    }
}

/// The last events of a runtime's threads, at one moment.
///
/// ```
/// use tidemill_scheduler::{Runtime, spawn};
///
/// let rt = Runtime::builder().flight_recorder(1024).build()?;
/// rt.block_on(async { spawn(async {}).await.unwrap() });
///
/// let record = rt.handle().flight_record();
/// assert!(!record.events().is_empty());
/// let mut trace = Vec::new(); // or a file, to be opened with https://ui.perfetto.dev
/// record.write_chrome_trace(&mut trace)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FlightRecord {
    process: String,
    events: Vec<Event>,
}

impl FlightRecord {
    /// What happened, oldest first.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Writes the record as JSON in Chrome's trace-event format, one track per thread. <https://ui.perfetto.dev> and
    /// `chrome://tracing` show it. It writes in small pieces: give it a buffered writer.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_chrome_trace(&self, mut to: impl Write) -> io::Result<()> {
        chrome::write(&mut to, &self.process, &self.events)
    }
}
